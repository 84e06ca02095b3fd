#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

struct Service;

impl Service {
    #[async_consumer(link)]
    async fn handler(#[message] &self, message: Traced<u8>) {}
}

fn main() {}
