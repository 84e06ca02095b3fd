#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task]
async fn resize(image: u8) {}

fn main() {}
