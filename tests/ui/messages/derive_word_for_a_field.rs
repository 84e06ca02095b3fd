#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
#[message(headers, attempt)]
struct Job {
    headers: Vec<(String, String)>,
}

#[derive(Message)]
enum Event {
    #[message(headers)]
    Placed(Traced<u8>),
    #[message(no_context, attempt = 3)]
    Ping,
    #[message(no_context, display)]
    Tick,
}

fn main() {}
