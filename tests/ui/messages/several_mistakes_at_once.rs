#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link, link(), name = 3, foo = 1)]
const fn handler() {}

fn main() {}
