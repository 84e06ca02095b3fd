#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_producer]
fn publish(message: Traced<Vec<u8>>) {
    message.clear();
}

fn main() {}
