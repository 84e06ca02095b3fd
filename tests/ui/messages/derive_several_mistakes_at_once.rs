#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message, MessageMut)]
#[message(system = "", destinaton = "orders")]
struct Job<T> {
    #[message(headers = 1)]
    headers: Vec<(String, String)>,
    #[message(id, id)]
    id: T,
    #[message(no_such_word)]
    note: String,
}

#[async_consumer(continue)]
async fn run(job: Job<u8>) {}

#[async_producer]
async fn publish(job: &mut Job<u8>) {}

fn main() {}
