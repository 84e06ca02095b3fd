#![allow(dead_code, unused)]
use throughline::async_task;

#[deny(unused_must_use)]
#[async_task(link)]
async fn resize(image: u8) {
    "7".parse::<u8>();
}

fn main() {}
