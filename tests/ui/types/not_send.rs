#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

use std::rc::Rc;

#[async_consumer(link)]
async fn handler(message: Traced<u8>) {
    let shared = Rc::new(1);
    std::future::ready(()).await;
    drop(shared);
}

fn needs_send<T: Send>(_: T) {}

fn spawn(message: Traced<u8>) {
    needs_send(handler(message));
}

fn main() {}
