#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

mod company {
    pub use throughline;
}

#[async_consumer(link, crate = company)]
async fn handler(message: Traced<u8>) {}

fn main() {}
