#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job {
    #[message(headers)]
    headers: Traced<u8>,
    #[message(id)]
    id: std::net::IpAddr,
}

#[derive(Message)]
enum Event {
    Placed {
        #[message(headers)]
        headers: Traced<u8>,
        #[message(destination)]
        topic: Option<char>,
    },
}

fn main() {}
