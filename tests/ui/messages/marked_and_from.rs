#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link, from = &other)]
async fn handler(#[message] one: Traced<u8>, other: Traced<u8>) {}

fn main() {}
