#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(continue)]
async fn handler(messages: Vec<Traced<u8>>) {}

fn main() {}
