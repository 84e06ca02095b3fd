#![allow(dead_code, unused)]
use throughline::async_task;

#[async_task(link)]
async fn resize(image: u8) {}

#[deny(unused_must_use)]
fn request() {
    resize(7);
}

fn main() {}
