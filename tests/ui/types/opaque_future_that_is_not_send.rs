#![allow(dead_code, unused)]
use throughline::{Traced, async_consumer, async_producer};

#[async_consumer(link)]
fn handler(message: Traced<u8>) -> impl Future<Output = ()> + Send {
    let shared = std::rc::Rc::new(7);
    async move {
        std::future::ready(()).await;
        drop(shared);
    }
}

fn main() {}
