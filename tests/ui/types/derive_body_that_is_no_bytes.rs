#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job {
    #[message(headers)]
    headers: Traced<u8>,
    #[message(body)]
    size: usize,
}

fn main() {}
