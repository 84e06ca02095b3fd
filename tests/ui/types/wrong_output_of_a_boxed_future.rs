#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link)]
fn handler(message: Traced<u8>) -> std::pin::Pin<Box<dyn Future<Output = u8>>> {
    Box::pin(async move { "seven" })
}

fn main() {}
