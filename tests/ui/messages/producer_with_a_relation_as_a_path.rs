#![allow(dead_code, unused)]
use throughline::{Relation, Traced, async_producer};

#[async_producer(Relation::LINK)]
async fn publish(message: &mut Traced<u8>) {}

fn main() {}
