#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job {
    #[message(no_context)]
    headers: Vec<(String, String)>,
    #[message(crate = throughline)]
    id: u8,
}

#[derive(Message)]
enum Event {
    #[message(no_context, crate = throughline)]
    Ping,
}

fn main() {}
