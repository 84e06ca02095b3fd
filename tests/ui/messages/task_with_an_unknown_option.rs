#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(link, queue = "images")]
async fn resize(image: u8) {}

fn main() {}
