#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link)]
async fn handler(message: Traced<u8>) -> Result<u8, String> {
    if *message == 0 {
        return Err(7);
    }
    Ok(1)
}

fn main() {}
