#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

struct Order;

#[async_consumer(link)]
async fn handler(order: Order) {}

fn main() {}
