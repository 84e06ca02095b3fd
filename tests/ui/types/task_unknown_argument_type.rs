#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(link)]
async fn resize(image: Image) -> u8 {
    7
}

fn main() {}
