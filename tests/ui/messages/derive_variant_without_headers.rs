#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
enum Event {
    Placed(#[message(headers)] Traced<u8>),
    Paid { headers: Traced<u8> },
    Ping,
}

fn main() {}
