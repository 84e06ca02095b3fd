#![allow(dead_code, unused)]
use throughline::{Message, MessageMut, Traced, async_consumer, async_producer};

#[derive(Message)]
enum Event {
    Placed(#[message(headers)] std::collections::VecDeque<u8>),
}

fn main() {}
