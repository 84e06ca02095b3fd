#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link)]
fn handler(m: Traced<u8>) -> impl Future<Output = ()> { async {} }

fn main() {}
