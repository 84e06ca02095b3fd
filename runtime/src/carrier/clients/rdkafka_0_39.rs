//! Kafka, by [rdkafka](https://docs.rs/rdkafka/0.39) 0.39: the feature `rdkafka-0_39`.
//!
//! There is nothing to wrap and nothing to call: with the feature on, rdkafka's own types are messages.
//!
//! | type | can be | where it comes from |
//! |---|---|---|
//! | [`BorrowedMessage`] | read | `consumer.recv()`, `consumer.stream()`, `consumer.poll(..)` |
//! | [`OwnedMessage`] | read | `message.detach()` |
//! | [`BorrowedHeaders`] | read | `message.headers()` of a borrowed message |
//! | [`OwnedHeaders`] | read and written | the headers of what is sent |
//! | [`FutureRecord`] | read and written | sent by a `FutureProducer` |
//! | [`BaseRecord`] | read and written | sent by a `BaseProducer` or a `ThreadedProducer` |
//!
//! # A complete example
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use rdkafka::Message as _;
//! use rdkafka::config::ClientConfig;
//! use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
//! use rdkafka::error::KafkaError;
//! use rdkafka::message::BorrowedMessage;
//! use rdkafka::producer::{FutureProducer, FutureRecord};
//! use throughline::{async_consumer, async_producer};
//!
//! /// `send orders`. The record is the message: what is in it is told, and the context goes into its
//! /// headers.
//! #[async_producer(server = "localhost:9092")]
//! async fn publish(
//!     producer: &FutureProducer,
//!     #[message] record: FutureRecord<'_, str, str>,
//! ) -> Result<(), KafkaError> {
//!     let delivered = producer.send(record, Duration::from_secs(5)).await;
//!     delivered.map(|_| ()).map_err(|(error, _)| error)
//! }
//!
//! /// `process orders`, a child of `send orders`.
//! #[async_consumer(continue, consumer_group = "billing", server = "localhost:9092")]
//! async fn charge_card(order: &BorrowedMessage<'_>) -> Result<(), std::str::Utf8Error> {
//!     let order = std::str::from_utf8(order.payload().unwrap_or_default())?;
//!     println!("charged for {order}");
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), KafkaError> {
//!     let mut config = ClientConfig::new();
//!     config.set("bootstrap.servers", "localhost:9092").set("group.id", "billing");
//!     config.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
//!
//!     let producer: FutureProducer = config.create()?;
//!     publish(&producer, FutureRecord::to("orders").key("order-7").payload("two lemons")).await?;
//!
//!     let consumer: StreamConsumer = config.create()?;
//!     consumer.subscribe(&["orders"])?;
//!     loop {
//!         // `receive orders`, linked to the sender. Leave it out if you don't want a span for each poll.
//!         let poll = throughline::receive("poll").operation("poll").consumer_group("billing");
//!         let order = poll.run(consumer.recv()).await?;
//!         if charge_card(&order).await.is_ok() {
//!             // `commit orders`, linked to the sender as well.
//!             let commit = throughline::settle("commit").consumer_group("billing");
//!             commit.run_sync(&order, || consumer.commit_message(&order, CommitMode::Async))?;
//!         }
//!     }
//! }
//! ```
//!
//! # What a message tells
//!
//! | of the message | becomes | |
//! |---|---|---|
//! | | `messaging.system` | `kafka` |
//! | topic | `messaging.destination.name`, and the end of the span's name | |
//! | partition | `messaging.destination.partition.id` | of a record to be sent, if you choose it |
//! | offset | `messaging.kafka.offset` | of a received message |
//! | key | `messaging.kafka.message.key` | where it is printable text: the conventions want none that has no plain form as a string |
//! | no payload | `messaging.kafka.message.tombstone` | |
//! | payload | `messaging.message.body.size`, in bytes | |
//! | timestamp | the age of the message, `throughline.message.age` | of a received message; see below |
//!
//! A message does not know the group that it was delivered to, nor the client and the servers. You do: write
//! `consumer_group`, `client_id` and `server` on the attribute or on the builder. Kafka doesn't count how often
//! it delivers a record, so there is no attempt; where you send a record again yourself, `retry` on the producer
//! links the attempts.
//!
//! **Age.** The timestamp is the producer's clock (`CreateTime`) or the broker's (`LogAppendTime`), as the topic
//! says. If it is not there, the age is unknown, and `within = "15m"` continues. A producer may set a timestamp of
//! its own, such as that of the event which the record tells of; the age then counts from there. Since Kafka
//! keeps the time, the header `throughline-sent` is not written.
//!
//! # Headers
//!
//! Reading: of a header that is there several times the last counts, as in Kafka's own clients, also where their
//! casing differs. A header without a value tells nothing, and neither does one that is no UTF-8.
//!
//! Writing: a header takes the place of every one of its name in any casing. All others keep their order and
//! their values, bytes and missing ones included. A send never fails for what is written: librdkafka refuses
//! records above `message.max.bytes`, so where a record is below its default of 1,000,000 bytes without a
//! header and above it with it, the header is left out.
//!
//! (rdkafka panics at a header whose *name* is no UTF-8, which the protocol forbids. Here that is caught:
//! the header is passed over when reading. When writing, where such a header stands among those to be
//! replaced, the old ones stay and the new one comes last.)
//!
//! # Batches
//!
//! Kafka hands out one record at a time. To handle several by one call, take what the stream has ready; the span
//! links to each sender:
//!
//! ```no_run
//! use futures::TryStreamExt as _;
//! use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
//! use rdkafka::error::KafkaError;
//! use rdkafka::message::BorrowedMessage;
//! use throughline::async_consumer;
//!
//! #[async_consumer(link, consumer_group = "reports")]
//! async fn record_sales(sales: &[BorrowedMessage<'_>]) {
//!     println!("{} sales", sales.len());
//! }
//!
//! async fn run(consumer: StreamConsumer) -> Result<(), KafkaError> {
//!     let mut batches = consumer.stream().try_ready_chunks(100);
//!     while let Some(sales) = batches.try_next().await.map_err(|it| it.1)? {
//!         record_sales(&sales).await;
//!         let commit = throughline::settle("commit").consumer_group("reports");
//!         commit.run_sync(&sales, || consumer.commit_consumer_state(CommitMode::Async))?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A `Vec<OwnedMessage>` is a batch as well, and so is a `Vec<FutureRecord>` to be sent. `BaseConsumer::poll`
//! brings an `Option` of a `Result`; a poll's span wants it the other way round:
//!
//! ```no_run
//! use rdkafka::consumer::BaseConsumer;
//! use rdkafka::error::KafkaError;
//!
//! fn poll(consumer: &BaseConsumer) -> Result<(), KafkaError> {
//!     let poll = throughline::receive("poll").destination("orders").consumer_group("billing");
//!     let order = poll.run_sync(|| consumer.poll(std::time::Duration::from_secs(1)).transpose())?;
//!     println!("{order:?}");
//!     Ok(())
//! }
//! ```
//!
//! # Two traits of one name
//!
//! rdkafka has a trait `Message` too, with a method `headers`. Import it as `use rdkafka::Message as _;`, and
//! throughline's only where you implement it: with both in scope the compiler asks which `headers` is meant.

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::message::{
    BorrowedHeaders, BorrowedMessage, Header, Headers, Message as RdkafkaMessage, OwnedHeaders,
    OwnedMessage, Timestamp, ToBytes,
};
use rdkafka::producer::{BaseRecord, FutureRecord};
use rdkafka::util::IntoOpaque;

use crate::carrier::{Facts, HeaderReader, Message, MessageMut, Repeats};
use crate::semconv::system;

impl Message for BorrowedHeaders {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        read(self, reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.system(system::KAFKA);
    }
}

impl Message for OwnedHeaders {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        read(self, reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.system(system::KAFKA);
    }
}

impl MessageMut for OwnedHeaders {
    fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        *self = mem::take(self).insert(Header { key: name, value: Some(value) });
    }

    fn remove_header(&mut self, name: &str) {
        if let Some(others) = without(self, name) {
            *self = others;
        }
    }

    fn tells_when_it_was_sent(&self) -> bool {
        true
    }
}

impl Message for BorrowedMessage<'_> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        if let Some(headers) = RdkafkaMessage::headers(self) {
            read(headers, reader);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        describe_received(self, facts);
    }
}

impl Message for OwnedMessage {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        if let Some(headers) = RdkafkaMessage::headers(self) {
            read(headers, reader);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        describe_received(self, facts);
    }
}

macro_rules! record_to_be_sent {
    ($record:ident<$($parameter:ident: ($($bound:tt)+)),+>) => {
        impl<$($parameter: $($bound)+),+> Message for $record<'_, $($parameter),+> {
            fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
                self.headers.headers(reader);
            }

            fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
                let (key, payload) = (self.key.map(K::to_bytes), self.payload.map(P::to_bytes));
                describe(self.topic, self.partition.unwrap_or(UNASSIGNED), key, payload, facts);
            }
        }

        impl<$($parameter: $($bound)+),+> MessageMut for $record<'_, $($parameter),+> {
            fn set_header(&mut self, name: &str, value: &str) {
                self.remove_header(name);
                let bytes = |it: Option<&[u8]>| it.map_or(0, <[u8]>::len);
                let body = bytes(self.key.map(K::to_bytes)) + bytes(self.payload.map(P::to_bytes));
                if has_room(body, self.headers.as_ref(), name, value) {
                    self.headers.get_or_insert_default().set_header(name, value);
                }
            }

            fn remove_header(&mut self, name: &str) {
                self.headers.remove_header(name);
            }

            fn tells_when_it_was_sent(&self) -> bool {
                true
            }
        }
    };
}

record_to_be_sent!(FutureRecord<K: (ToBytes + ?Sized), P: (ToBytes + ?Sized)>);
record_to_be_sent!(BaseRecord<K: (ToBytes + ?Sized), P: (ToBytes + ?Sized), D: (IntoOpaque)>);

/// What librdkafka has in place of a partition that is not chosen yet.
const UNASSIGNED: i32 = -1;

fn describe_received<'m, M: RdkafkaMessage>(message: &'m M, facts: &mut Facts<'m>) {
    describe(message.topic(), message.partition(), message.key(), message.payload(), facts);
    if let Ok(offset) = u64::try_from(message.offset()) {
        facts.kafka_offset(offset);
    }
    if let Some(sent) = time_of(message.timestamp()) {
        facts.sent_at(sent);
    }
}

fn describe<'m>(
    topic: &'m str,
    partition: i32,
    key: Option<&'m [u8]>,
    payload: Option<&[u8]>,
    facts: &mut Facts<'m>,
) {
    facts.system(system::KAFKA).destination(topic);
    if partition >= 0 {
        facts.partition(partition.to_string());
    }
    if let Some(key) = key.and_then(printable) {
        facts.kafka_key(key);
    }
    match payload {
        Some(payload) => facts.body_size(payload.len().try_into().unwrap_or(u64::MAX)),
        None => facts.kafka_tombstone(),
    };
}

/// A key as text. A number in bytes is UTF-8 too, now and then; its zeros give it away.
fn printable(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok().filter(|text| !text.contains(char::is_control))
}

/// None where the broker keeps no time, for which Kafka has -1.
fn time_of(timestamp: Timestamp) -> Option<SystemTime> {
    let since_1970 = u64::try_from(timestamp.to_millis()?).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_millis(since_1970))
}

fn read<'m>(headers: &'m impl Headers, reader: &mut HeaderReader<'m>) {
    reader.repeats(Repeats::LastCounts);
    for header in each(headers).flatten() {
        if let Some(value) = header.value {
            reader.header(header.key, value);
        }
    }
}

/// Each header, or `None` where its name is no UTF-8, at which rdkafka panics.
fn each(headers: &impl Headers) -> impl Iterator<Item = Option<Header<'_, &[u8]>>> {
    let header = |at| panic::catch_unwind(AssertUnwindSafe(|| headers.try_get(at))).ok().flatten();
    (0..headers.count()).map(header)
}

/// The headers but for those called `name` in any casing: they can be added, and never removed. `None`
/// where there is nothing to remove, or a header that could not be added again.
fn without(headers: &OwnedHeaders, name: &str) -> Option<OwnedHeaders> {
    let all: Vec<_> = each(headers).collect::<Option<_>>()?;
    let (gone, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|header| header.key.eq_ignore_ascii_case(name));
    let empty = OwnedHeaders::new_with_capacity(others.len());
    (!gone.is_empty()).then(|| others.into_iter().fold(empty, OwnedHeaders::insert))
}

/// What librdkafka allows a record unless told otherwise, in bytes (`message.max.bytes`).
const MAX_BYTES: usize = 1_000_000;
/// What it counts for a record beside key, payload and headers, in bytes.
const OVERHEAD: usize = 36;

/// Whether a record that can be sent can still be sent with this header.
fn has_room(body: usize, headers: Option<&OwnedHeaders>, name: &str, value: &str) -> bool {
    let size = |header: Header<'_, &[u8]>| {
        size_on_the_wire(header.key.len(), header.value.map_or(0, <[u8]>::len))
    };
    let headers = headers.into_iter().flat_map(each).flatten().map(size).sum::<usize>();
    let without = OVERHEAD + body + headers;
    let with = without + size_on_the_wire(name.len(), value.len());
    without > MAX_BYTES || with <= MAX_BYTES
}

/// A header's bytes, name and value each after its length: seven bits of that, doubled, to a byte.
fn size_on_the_wire(name: usize, value: usize) -> usize {
    let length = |bytes: usize| (usize::BITS - (bytes * 2).leading_zeros()).div_ceil(7).max(1);
    name + value + (length(name) + length(value)) as usize
}
