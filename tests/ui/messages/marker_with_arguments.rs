#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link)]
async fn handler(#[message(x)] m: Traced<u8>) {}

fn main() {}
