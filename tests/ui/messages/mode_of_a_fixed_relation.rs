#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(mode = continue)]
async fn handler(m: Traced<u8>) {}

fn main() {}
