#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
#[message(destination = TOPIC)]
struct Job {
    #[message(headers)]
    headers: Traced<u8>,
}

#[derive(Message)]
#[message(destination = self.topic)]
struct Other {
    #[message(headers)]
    headers: Traced<u8>,
    topic: Vec<u8>,
}

fn main() {}
