#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

struct Service;

#[async_consumer(link)]
impl Service {}

fn main() {}
