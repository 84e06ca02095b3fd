#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job {
    #[message(headers)]
    headers: Vec<(String, String)>,
    #[message(body)]
    body: Vec<u8>,
    #[message(body_size)]
    size: usize,
    #[message(sent_at, sent_at_unix_ms)]
    sent: u64,
}

fn main() {}
