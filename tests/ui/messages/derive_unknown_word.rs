#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
#[message(colour = "red")]
struct Job {
    #[message(headers)]
    headers: Vec<(String, String)>,
    #[message(colour)]
    colour: String,
}

fn main() {}
