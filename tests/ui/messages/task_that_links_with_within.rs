#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(link, within = "15m")]
async fn resize(image: Vec<u8>) {}

fn main() {}
