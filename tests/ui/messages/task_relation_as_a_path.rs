#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(Relation::LINK)]
async fn resize(image: u8) {}

fn main() {}
