#![allow(dead_code, unused)]
use throughline::async_task;

use std::rc::Rc;

#[async_task(link)]
async fn resize(image: u8) {
    let shared = Rc::new(image);
    std::future::ready(()).await;
    drop(shared);
}

fn needs_send<T: Send>(_: T) {}

fn spawn() {
    needs_send(resize(7));
}

fn main() {}
