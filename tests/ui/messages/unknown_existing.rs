#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_producer(existing = overwrite)]
async fn publish(message: Traced<u8>) {}

fn main() {}
