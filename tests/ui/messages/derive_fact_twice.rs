#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job {
    #[message(headers)]
    headers: Vec<(String, String)>,
    #[message(id)]
    id: u8,
    #[message(id)]
    number: u8,
}

#[derive(Message)]
enum Event {
    Placed(#[message(headers, id)] String2, #[message(id)] u8),
    Paid(#[message(headers)] Traced<u8>, #[message(id)] u8),
}

#[derive(Message)]
struct String2(#[message(headers)] Traced<u8>);

fn main() {}
