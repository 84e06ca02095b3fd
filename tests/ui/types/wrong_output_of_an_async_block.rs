#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link)]
fn handler(message: Traced<u8>) -> impl Future<Output = u8> {
    async move { "seven" }
}

fn main() {}
