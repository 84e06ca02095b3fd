#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message, MessageMut)]
struct Job {
    #[message(id)]
    id: u64,
    headers: Vec<(String, String)>,
}

#[async_consumer(link)]
fn run(job: &Job) {}

#[async_producer]
fn publish(job: &mut Job) {}

fn main() {}
