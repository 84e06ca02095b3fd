#![allow(dead_code, unused)]
use throughline::async_task;

use std::rc::Rc;

#[async_task(link)]
async fn resize(image: Rc<u8>) {
    std::future::ready(()).await;
}

fn needs_send<T: Send>(_: T) {}

fn spawn() {
    needs_send(resize(Rc::new(7)));
}

fn main() {}
