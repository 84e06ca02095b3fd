#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(link, max_links = 8)]
async fn resize(image: u8) {}

fn main() {}
