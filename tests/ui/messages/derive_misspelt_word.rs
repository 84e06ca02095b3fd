#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job {
    #[message(haeders)]
    headers: Vec<(String, String)>,
    #[message(convresation_id)]
    conversation: String,
}

fn main() {}
