#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

struct Shape;

#[async_consumer(link, fields(shape = Shape))]
async fn handler(message: Traced<u8>) {}

fn main() {}
