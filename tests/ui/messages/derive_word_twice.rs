#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
#[message(system = "shop", system = "bus")]
struct Job {
    #[message(headers, headers)]
    headers: Vec<(String, String)>,
    #[message(id)]
    #[message(id)]
    id: u8,
}

fn main() {}
