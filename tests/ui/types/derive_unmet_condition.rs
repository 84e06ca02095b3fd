#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
struct Job<H> {
    #[message(headers)]
    headers: H,
}

#[async_consumer(link)]
fn run(job: &Job<u8>) {}

fn main() {}
