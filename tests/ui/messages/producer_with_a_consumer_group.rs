#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_producer(consumer_group = "billing")]
fn handler(message: &mut Traced<u8>) {}

fn main() {}
