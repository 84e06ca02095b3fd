#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link, frm = b)]
async fn handler(a: Traced<u8>, b: Traced<u8>) {}

fn main() {}
