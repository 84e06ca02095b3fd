#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
#[message(system)]
struct Job {
    #[message(headers)]
    headers: Vec<(String, String)>,
}

#[derive(Message)]
#[message(destination = 3)]
struct Other {
    #[message(headers)]
    headers: Vec<(String, String)>,
}

fn main() {}
