#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(link)]
async fn resize(image: u8) {
    image
}

fn main() {}
