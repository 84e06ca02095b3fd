#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_producer(destination = "orders")]
async fn publish(message: &Traced<u8>) {}

fn main() {}
