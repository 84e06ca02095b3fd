#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link, foo(a, b, c), name = "x")]
async fn handler(m: Traced<u8>) {}

fn main() {}
