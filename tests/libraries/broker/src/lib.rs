//! A broker's client, in memory, whose messages carry trace context.
//!
//! It shows what a client does so that its users write `#[async_consumer(link)]` over a handler of
//! its own message types: it implements [`Message`], and [`MessageMut`] for what can be sent. It
//! makes no spans, so it needs neither the attributes nor `tracing`: `Cargo.toml` takes throughline
//! without its default features.
#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use throughline::{Facts, HeaderReader, Message, MessageMut, Repeats};

/// What is sent.
#[derive(Debug, Clone, Default)]
pub struct Record {
    /// Where to.
    pub topic: String,
    /// Values are bytes here, and a name may be there several times.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The payload.
    pub body: Vec<u8>,
}

impl Message for Record {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        // This broker's rule; without a rule, headers that contradict each other count as none.
        reader.repeats(Repeats::LastCounts);
        for (name, value) in &self.headers {
            reader.header(name, value);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.system("memory_broker").destination(&self.topic).body_size(self.body.len() as u64);
    }
}

impl MessageMut for Record {
    fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        self.headers.push((name.to_owned(), value.into()));
    }

    fn remove_header(&mut self, name: &str) {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    }
}

/// What is received: a record, and what the broker knows about it.
#[derive(Debug)]
pub struct Delivery {
    /// As it was sent.
    pub record: Record,
    /// The record's number.
    pub id: u64,
    /// Which delivery of the record this is, counted from 1.
    pub attempt: u64,
    /// When the broker got it.
    pub sent_at: SystemTime,
}

impl Message for Delivery {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.record.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        self.record.describe(facts);
        facts.id(self.id.to_string()).attempt(self.attempt).sent_at(self.sent_at);
    }
}

/// The broker: what is sent to it can be received from it, in that order.
#[derive(Debug, Default)]
pub struct Broker {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    sent: u64,
    waiting: VecDeque<Delivery>,
}

impl Broker {
    /// Sends a record.
    pub fn send(&self, record: Record) {
        self.with_queue(|queue| {
            queue.sent += 1;
            let sent_at = SystemTime::now();
            queue.waiting.push_back(Delivery { record, id: queue.sent, attempt: 1, sent_at });
        });
    }

    /// The next delivery, if one is waiting.
    pub fn receive(&self) -> Option<Delivery> {
        self.with_queue(|queue| queue.waiting.pop_front())
    }

    /// Gives back what could not be handled; it will be delivered once more.
    pub fn give_back(&self, delivery: Delivery) {
        let again = Delivery { attempt: delivery.attempt + 1, ..delivery };
        self.with_queue(|queue| queue.waiting.push_back(again));
    }

    fn with_queue<R>(&self, body: impl FnOnce(&mut Queue) -> R) -> R {
        body(&mut self.queue.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests;
