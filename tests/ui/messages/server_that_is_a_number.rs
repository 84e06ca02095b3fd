#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link, server = 9092)]
async fn handler(message: Traced<u8>) {}

fn main() {}
