#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
#[message(crate = compny::throughline)]
struct Job {
    #[message(headers)]
    headers: Traced<u8>,
}

fn main() {}
