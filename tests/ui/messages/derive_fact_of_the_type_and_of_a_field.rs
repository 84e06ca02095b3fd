#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
#[message(destination = "orders")]
struct Job {
    #[message(headers)]
    headers: Vec<(String, String)>,
    #[message(destination)]
    topic: String,
}

#[derive(Message)]
#[message(destination = "orders")]
enum Event {
    #[message(destination = "orders.placed")]
    Placed(#[message(headers)] Traced<u8>, #[message(destination)] String),
}

fn main() {}
