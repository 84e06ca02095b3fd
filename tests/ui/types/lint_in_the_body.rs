#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[deny(unused_must_use)]
#[async_consumer(link)]
async fn handler(message: Traced<u8>) {
    "7".parse::<u8>();
}

fn main() {}
