#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link)]
async fn handler(message: Traced<String>) {
    message.parse::<u8>()?;
}

fn main() {}
