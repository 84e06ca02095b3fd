#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
#[message(no_context)]
struct Job {
    #[message(headers)]
    headers: Vec<(String, String)>,
}

fn main() {}
