#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

struct Refused;

#[async_consumer(link, err = debug)]
async fn handler(message: Traced<u8>) -> Result<(), Refused> {
    Ok(())
}

fn main() {}
