#![allow(dead_code, unused)]
use throughline::async_task;

trait Resizes {
    async fn resize(&self) -> u8;
}

struct Studio;

impl Resizes for Studio {
    #[async_task(link)]
    async fn resize(&self) -> String {
        String::new()
    }
}

fn main() {}
