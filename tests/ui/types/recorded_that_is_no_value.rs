#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link, fields(later = Empty))]
async fn handler(message: Traced<u8>) {
    throughline::record("later", vec![1]);
}

fn main() {}
