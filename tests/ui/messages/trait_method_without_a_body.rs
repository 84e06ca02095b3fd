#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

trait Handler {
    #[async_consumer(link)]
    fn handle(&self, message: Traced<u8>);
}

fn main() {}
