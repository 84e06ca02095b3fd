#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link)]
async fn handler(#[cfg(unix)] message: Traced<u8>, #[cfg(unix)] other: Traced<u8>) {}

fn main() {}
