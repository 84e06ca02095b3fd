#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
#[message(no_context)]
enum Event {
    Placed(#[message(headers)] Traced<u8>),
    #[message(no_context)]
    Ping,
}

fn main() {}
