#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link)]
async fn handler(message: Traced<u8>) {
    let size =
}

fn calls(message: Traced<u8>) -> impl Future<Output = ()> {
    handler(message)
}

fn main() {}
