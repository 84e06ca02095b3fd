#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link, err = display)]
async fn handler(message: Traced<u8>) -> u8 {
    7
}

fn main() {}
