#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link, max_links = 1.5 + 1.0)]
async fn handler(message: Traced<u8>) {}

fn main() {}
