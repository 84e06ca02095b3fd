#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

struct OrderId(u64);

#[derive(Message)]
struct Job {
    #[message(headers)]
    headers: Traced<u8>,
    #[message(id, display)]
    id: OrderId,
}

fn main() {}
