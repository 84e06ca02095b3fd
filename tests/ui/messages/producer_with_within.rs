#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_producer(within = "15m")]
async fn publish(message: &mut Traced<u8>) {}

fn main() {}
