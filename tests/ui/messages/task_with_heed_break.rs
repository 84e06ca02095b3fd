#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(continue, heed_break = false)]
async fn resize(image: Vec<u8>) {}

fn main() {}
