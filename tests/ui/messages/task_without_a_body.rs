#![allow(dead_code, unused)]
use throughline::async_task;

trait Resizes {
    #[async_task(link)]
    async fn resize(image: u8);
}

fn main() {}
