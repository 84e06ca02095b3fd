#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job {
    #[message(trace_context)]
    context: Traced<u8>,
    #[message(topic)]
    topic: String,
    #[message(correlation_id)]
    correlation: String,
    #[message(timestamp)]
    time: u64,
    #[message(retries)]
    retries: u8,
    #[message(payload)]
    payload: Vec<u8>,
    #[message(message_id)]
    number: u8,
    #[message(skip)]
    note: String,
}

fn main() {}
