#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message, MessageMut)]
#[message(system = "")]
struct Job {
    #[message(headers)]
    headers: Vec<(String, String)>,
}

#[derive(Message)]
#[message(system = " ")]
enum Event {
    #[message(no_context, destination = "")]
    Ping,
}

fn main() {}
