#![allow(dead_code, unused)]
use throughline::async_task;

struct Image;

fn spawn() {
    throughline::task("resize").run(async { Image });
}

fn main() {}
