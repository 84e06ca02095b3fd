#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job {
    #[mesage(headers)]
    headers: Traced<u8>,
}

fn main() {}
