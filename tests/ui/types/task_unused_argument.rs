#![allow(dead_code, unused)]
use throughline::async_task;

#[deny(unused_variables)]
#[async_task(link)]
async fn resize(image: u8, (width, height): (u8, u8)) -> u8 {
    image + width
}

fn main() {}
