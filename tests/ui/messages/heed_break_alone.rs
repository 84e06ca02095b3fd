#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(continue, heed_break)]
async fn handler(message: Traced<u8>) {}

fn main() {}
