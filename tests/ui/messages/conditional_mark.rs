#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link)]
async fn handler(#[cfg_attr(unix, message)] message: Traced<u8>, other: u8) {}

fn main() {}
