#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(link)]
async fn resize(image: Vec<u8>) {
    image.push(7);
}

fn main() {}
