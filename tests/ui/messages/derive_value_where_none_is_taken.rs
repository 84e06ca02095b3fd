#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job {
    #[message(headers = "headers")]
    headers: Vec<(String, String)>,
    #[message(id = "id")]
    id: u8,
    #[message(conversation_id, display(true))]
    conversation: u8,
}

#[derive(Message)]
enum Event {
    #[message(no_context = true)]
    Ping,
}

fn main() {}
