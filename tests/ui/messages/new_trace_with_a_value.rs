#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_producer(new_trace = true)]
async fn publish(message: &mut Traced<u8>) {}

fn main() {}
