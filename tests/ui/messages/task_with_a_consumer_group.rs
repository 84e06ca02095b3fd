#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(link, consumer_group = "billing")]
async fn resize(image: Vec<u8>) {}

fn main() {}
