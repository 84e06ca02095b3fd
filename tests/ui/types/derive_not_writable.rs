#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message, MessageMut)]
struct Job {
    #[message(headers)]
    headers: std::sync::Arc<Traced<u8>>,
}

fn main() {}
