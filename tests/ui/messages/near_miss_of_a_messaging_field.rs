#![allow(dead_code, unused)]
#![deny(deprecated)]
use throughline::{Traced, async_consumer, async_producer};

#[async_producer(fields(messaging.destination.nam = "orders"))]
async fn handler(m: &mut Traced<u8>) {}

fn main() {}
