#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(link)]
async fn resize(#[message] image: u8, width: u8) {}

fn main() {}
