#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message, MessageMut, Clone, Copy)]
union Job {
    #[message(headers)]
    headers: u8,
}

#[async_consumer(link)]
fn run(job: &Job) {}

fn main() {}
