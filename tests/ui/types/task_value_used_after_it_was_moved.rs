#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(link)]
async fn resize(image: String) {
    drop(image);
    drop(image);
}

fn main() {}
