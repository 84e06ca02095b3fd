#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message, MessageMut)]
#[message(no_context)]
struct Job {
    #[message(id)]
    id: u8,
}

#[derive(Message, MessageMut)]
enum Event {
    #[message(no_context)]
    Ping,
}

fn main() {}
