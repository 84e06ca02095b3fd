#![allow(dead_code, unused)]
#![deny(deprecated)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link, fields(mesaging.system = "kafka"))]
async fn handler(m: Traced<u8>) {}

fn main() {}
