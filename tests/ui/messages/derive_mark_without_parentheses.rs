#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
#[message]
struct Job {
    #[message]
    headers: Vec<(String, String)>,
}

#[derive(Message)]
enum Event {
    #[message]
    Placed(Traced<u8>),
}

fn main() {}
