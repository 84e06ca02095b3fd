#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job {
    #[message(headers)]
    headers: Traced<u8>,
    #[message(sent_at)]
    sent: u64,
}

#[derive(Message)]
struct Other {
    #[message(headers)]
    headers: Traced<u8>,
    #[message(sent_at_unix_ms)]
    sent: Option<std::time::SystemTime>,
}

fn main() {}
