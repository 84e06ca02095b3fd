#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link, err = warn)]
async fn handler(message: Traced<u8>) -> Result<(), String> {
    Ok(())
}

fn main() {}
