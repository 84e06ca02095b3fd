//! Kafka, by the client [rdkafka](https://docs.rs/rdkafka) 0.39. Cargo feature: `rdkafka-0_39`. Building the
//! client builds librdkafka, for which it needs a C compiler and make.
//!
//! # What is read and written
//!
//! | type | is read | is written | used with |
//! |---|---|---|---|
//! | [`FutureRecord`] | yes | yes | `FutureProducer` |
//! | [`BaseRecord`] | yes | yes | `BaseProducer`, `ThreadedProducer` |
//! | [`OwnedHeaders`] | yes | yes | the headers of what is sent |
//! | [`BorrowedMessage`] | yes | | `consumer.recv()`, `consumer.stream()`, `consumer.poll(..)` |
//! | [`OwnedMessage`] | yes | | `message.detach()` |
//! | [`BorrowedHeaders`] | yes | | `message.headers()` |
//!
//! The context is in the record's headers. Of a header that is there several times the last counts, as in
//! Kafka's own clients; one of the very name goes before other casings of it. A header without a value tells
//! nothing. What is written stands in place of every casing, and all other headers keep their order and their
//! values, bytes and missing ones included.
//!
//! A send never fails for what is written. librdkafka refuses records above `message.max.bytes`: where a record
//! has less than the usual 1,000,000 bytes and a header would bring it above them, the header is left out. If you
//! have set that limit lower, leave 1 KiB for the headers, and as much as you have baggage.
//!
//! # What each fact becomes
//!
//! | attribute | from |
//! |---|---|
//! | `messaging.system` | `kafka` |
//! | `messaging.destination.name`, and the end of the span's name | the topic |
//! | `messaging.destination.partition.id` | the partition; of a record to be sent, where you choose one |
//! | `messaging.kafka.offset` | the offset |
//! | `messaging.kafka.message.key` | the key, where it is printable text. The conventions want none that has no plain form as a string, such as a number in bytes |
//! | `messaging.kafka.message.tombstone` | a payload that is not there; an empty one is no tombstone |
//! | `messaging.message.body.size` | the payload |
//! | `throughline.message.age` | the timestamp, be it the producer's (`CreateTime`) or the broker's (`LogAppendTime`). Without one the age is unknown, and `within = "15m"` continues |
//!
//! A producer may give a record a timestamp of its own, such as that of the event which the record tells of. The
//! age then counts from there. Since Kafka keeps a time with every record, no header `throughline-sent` is
//! written.
//!
//! # What can't be known
//!
//! - The group by which a record came: write `consumer_group = ".."`, on polls and commits too.
//! - The servers and the client's own id: write `server = "kafka:9092"` and `client_id = ".."`.
//! - Which delivery it is: Kafka does not count them. A record that is sent again says so by `retry` on its
//!   producer.
//! - Partition and offset of what is being sent: the broker tells them when it has the record. Put them on the
//!   span where you want them, by `fields(messaging.kafka.offset = Empty)` on the producer and
//!   `throughline::record("messaging.kafka.offset", delivery.offset)`.
//! - Headers whose *name* is no UTF-8, which the protocol forbids: the client panics at them. The panic is
//!   caught and the header passed over. Where it stands among headers that are to be replaced, these stay
//!   and the new one comes last.
//!
//! # An example
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
//! #[async_producer]
//! async fn publish(
//!     producer: &FutureProducer,
//!     #[message] order: FutureRecord<'_, str, str>,
//! ) -> Result<(), KafkaError> {
//!     let delivered = producer.send(order, Duration::from_secs(5)).await;
//!     delivered.map(|_| ()).map_err(|(error, _)| error)
//! }
//!
//! #[async_consumer(continue, consumer_group = "payments")]
//! async fn charge_card(order: &BorrowedMessage<'_>) -> Result<(), std::str::Utf8Error> {
//!     println!("{}", std::str::from_utf8(order.payload().unwrap_or_default())?);
//!     Ok(())
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), KafkaError> {
//!     let mut config = ClientConfig::new();
//!     config.set("bootstrap.servers", "127.0.0.1:9092").set("group.id", "payments");
//!     config.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");
//!
//!     let producer: FutureProducer = config.create()?;
//!     publish(&producer, FutureRecord::to("orders").key("order-7").payload("two lemons")).await?;
//!
//!     let consumer: StreamConsumer = config.create()?;
//!     consumer.subscribe(&["orders"])?;
//!     loop {
//!         let order = consumer.recv().await?;
//!         if charge_card(&order).await.is_ok() {
//!             throughline::settle("commit")
//!                 .consumer_group("payments")
//!                 .run_sync(&order, || consumer.commit_message(&order, CommitMode::Async))?;
//!         }
//!     }
//! }
//! ```
//!
//! A producer may also return what the client returns, `OwnedDeliveryResult` for instance, which has the record
//! beside the error: of that the error alone is told.
//!
//! # Receiving and settling
//!
//! librdkafka fetches ahead, so most polls hand out what is there already and need no span. Where you want
//! one, say the destination, for its name is made before a record is there:
//!
//! | to the broker | the span |
//! |---|---|
//! | `StreamConsumer::recv` | `receive("poll").destination("orders").run(consumer.recv())` |
//! | `BaseConsumer::poll`, which answers with an `Option` of a `Result` | `receive("poll").destination("orders").run_sync(\|\| consumer.poll(wait).transpose())` |
//! | a commit of one record, and of all before it | `settle("commit").run_sync(&order, \|\| consumer.commit_message(&order, mode))` |
//! | a commit of a batch | `settle("commit").run_sync(&orders, \|\| consumer.commit_consumer_state(mode))` |
//!
//! A commit with `CommitMode::Async` has only been asked for when its span ends. With `enable.auto.commit`
//! there is nothing to settle.
//!
//! # Batches
//!
//! A `Vec` or a slice of records is a batch, to a handler under `link` as to a producer. A stream hands out
//! what it has ready:
//!
//! ```no_run
//! use futures_util::TryStreamExt;
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
//! async fn record_all(consumer: &StreamConsumer) -> Result<(), KafkaError> {
//!     let mut batches = consumer.stream().try_ready_chunks(100);
//!     while let Some(sales) = batches.try_next().await.map_err(|failed| failed.1)? {
//!         record_sales(&sales).await;
//!         throughline::settle("commit")
//!             .consumer_group("reports")
//!             .run_sync(&sales, || consumer.commit_consumer_state(CommitMode::Async))?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Two traits of one name
//!
//! rdkafka's own trait `Message` has a method `headers` as well. Where both traits are in scope the compiler asks
//! which is meant: import rdkafka's as `_`, and throughline's only where you implement it.

use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::time::SystemTime;

use rdkafka::error::KafkaError;
use rdkafka::message::{
    BorrowedHeaders, BorrowedMessage, Header, Headers, Message as RdkafkaMessage, OwnedHeaders,
    OwnedMessage, Timestamp, ToBytes,
};
use rdkafka::producer::{BaseRecord, FutureRecord};
use rdkafka::util::IntoOpaque;

use super::kafka;
use crate::carrier::{Facts, HeaderReader, Message, MessageMut, Repeats, fact_values as fact};
use crate::outcome::{IntoOutcome, Outcome};
use crate::semconv::system;

impl Message for BorrowedHeaders {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        read(self, reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::KAFKA);
    }
}

impl Message for OwnedHeaders {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        read(self, reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::KAFKA);
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
            fn can_set_header(&self, name: &str, value: &str) -> bool {
                let bytes = |it: Option<&[u8]>| it.map_or(0, <[u8]>::len);
                let body = bytes(self.key.map(K::to_bytes)) + bytes(self.payload.map(P::to_bytes));
                has_room(body, self.headers.as_ref(), name, value)
            }

            fn set_header(&mut self, name: &str, value: &str) {
                self.remove_header(name);
                if self.can_set_header(name, value) {
                    let headers = self.headers.take().unwrap_or_default();
                    self.headers = Some(headers.insert(Header { key: name, value: Some(value) }));
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

/// What could not be sent comes back beside the error. Of that nothing is told: it may be large, and is nobody's
/// business.
impl<Unsent> IntoOutcome for (KafkaError, Unsent) {
    fn outcome(&self) -> Outcome {
        Outcome::of_error(&self.0)
    }
}

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
    facts.own_system(system::KAFKA).destination(topic);
    if partition >= 0 {
        facts.partition(partition.to_string());
    }
    if let Some(key) = key.and_then(kafka::printable) {
        facts.kafka_key(key);
    }
    match payload {
        Some(payload) => facts.body_size(payload.len().try_into().unwrap_or(u64::MAX)),
        None => facts.kafka_tombstone(),
    };
}

/// None where the broker keeps no time, for which Kafka has -1.
fn time_of(timestamp: Timestamp) -> Option<SystemTime> {
    fact::unix_ms(&timestamp.to_millis()?)
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
fn without(headers: &impl Headers, name: &str) -> Option<OwnedHeaders> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rdkafka::error::RDKafkaErrorCode;

    use super::*;
    use crate::TraceContext;
    use crate::testing::{Traces, capture_sync};
    use crate::{consume, produce};

    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER_SENDER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";

    type Pair<'a> = (&'a str, Option<&'a [u8]>);

    fn headers(pairs: &[Pair<'_>]) -> OwnedHeaders {
        let add =
            |all: OwnedHeaders, (key, value): &Pair<'_>| all.insert(Header { key, value: *value });
        pairs.iter().fold(OwnedHeaders::new(), add)
    }

    fn pairs(headers: &OwnedHeaders) -> Vec<Pair<'_>> {
        headers.iter().map(|header| (header.key, header.value)).collect()
    }

    fn sender(message: &impl Message) -> Option<String> {
        TraceContext::read_from(message).traceparent()
    }

    /// As librdkafka has a message that was never delivered, at this time.
    fn undelivered(
        key: Option<&[u8]>,
        payload: Option<&[u8]>,
        timestamp: Timestamp,
    ) -> OwnedMessage {
        let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
        OwnedMessage::new(owned(payload), owned(key), "orders".into(), timestamp, -1, -1001, None)
    }

    fn handled(message: &impl Message) -> Traces {
        capture_sync(|| consume("charge_card").link().run_sync(message, || ()))
    }

    fn key_told(key: Option<&[u8]>) -> Option<String> {
        let traces = handled(&undelivered(key, None, Timestamp::NotAvailable));
        traces
            .span("process orders")
            .attribute("messaging.kafka.message.key")
            .map(ToString::to_string)
    }

    #[test]
    fn any_casing_is_read_and_the_last_of_several_counts() {
        let (ours, other) = (Some(SENDER.as_bytes()), Some(OTHER_SENDER.as_bytes()));
        let read = |pairs: &[Pair<'_>]| sender(&headers(pairs));
        assert_eq!(read(&[("TraceParent", ours)]).as_deref(), Some(SENDER));
        assert_eq!(read(&[("traceparent", other), ("traceparent", ours)]).as_deref(), Some(SENDER));
        assert_eq!(read(&[("traceparent", ours), ("Traceparent", other)]).as_deref(), Some(SENDER));
        assert_eq!(read(&[("traceparent", ours), ("traceparent", None)]).as_deref(), Some(SENDER));
        assert_eq!(read(&[("traceparent", Some(&[0xff, 0xfe]))]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn borrowed_and_owned_messages_and_headers_are_read_alike() {
        let all = headers(&[("traceparent", Some(SENDER.as_bytes()))]);
        assert_eq!(sender(all.as_borrowed()).as_deref(), Some(SENDER));
        let message = undelivered(None, None, Timestamp::NotAvailable).replace_headers(Some(all));
        assert_eq!(sender(&message).as_deref(), Some(SENDER));
        assert_eq!(sender(&message.replace_headers(None)), None);
    }

    #[test]
    fn writing_replaces_every_casing_and_nothing_else() {
        let others: [Pair<'_>; 3] =
            [("shop", Some(b"")), ("photo", Some(&[0xff, 0])), ("shop", None)];
        let mut all = headers(&[
            others[0],
            ("Traceparent", Some(b"old")),
            others[1],
            ("TRACEPARENT", None),
            others[2],
        ]);
        all.set_header("traceparent", SENDER);
        let ours = ("traceparent", Some(SENDER.as_bytes()));
        assert_eq!(pairs(&all), [others[0], others[1], others[2], ours]);
        all.remove_header("traceparent");
        assert_eq!(pairs(&all), others);
        all.remove_header("traceparent");
        assert_eq!(pairs(&all), others);
    }

    #[test]
    fn records_are_written_with_and_without_headers() {
        let mut record: FutureRecord<'_, str, str> = FutureRecord::to("orders");
        record.remove_header("traceparent");
        assert!(record.headers.is_none());
        record.set_header("traceparent", SENDER);
        assert_eq!(sender(&record).as_deref(), Some(SENDER));

        let shop: Pair<'_> = ("shop", Some(b"corner"));
        let mut record: BaseRecord<'_, str, str, Box<u8>> =
            BaseRecord::with_opaque_to("orders", Box::new(7));
        record.headers = Some(headers(&[shop, ("Traceparent", None)]));
        record.set_header("traceparent", SENDER);
        let ours = ("traceparent", Some(SENDER.as_bytes()));
        assert_eq!(record.headers.as_ref().map(pairs), Some(vec![shop, ours]));
        record.remove_header("traceparent");
        assert_eq!(record.headers.as_ref().map(pairs), Some(vec![shop]));
    }

    #[test]
    fn no_header_of_ours_tells_the_time_that_kafka_tells() {
        let mut record: FutureRecord<'_, str, str> = FutureRecord::to("orders");
        let mut all = OwnedHeaders::new();
        capture_sync(|| {
            produce("publish").start(&mut record).finish(Outcome::ok());
            produce("publish").start(&mut all).finish(Outcome::ok());
        });
        let names = |headers: &OwnedHeaders| headers.iter().map(|it| it.key.to_owned()).collect();
        let written: [Vec<String>; 2] = [record.headers.as_ref().map(names).unwrap(), names(&all)];
        assert_eq!(written, [["traceparent"], ["traceparent"]]);
    }

    #[test]
    fn a_record_tells_what_it_has() {
        let mut record =
            FutureRecord::to("orders").key("order-7").payload("two lemons").partition(3);
        let traces = capture_sync(|| produce("publish").run_sync(&mut record, |_| ()));
        traces
            .span("send orders")
            .has_attribute("messaging.system", "kafka")
            .has_attribute("messaging.destination.partition.id", "3")
            .has_attribute("messaging.kafka.message.key", "order-7")
            .has_attribute("messaging.message.body.size", 10)
            .has_no_attribute("messaging.kafka.message.tombstone");

        let mut record: BaseRecord<'_, str, str> = BaseRecord::to("orders").partition(UNASSIGNED);
        let traces = capture_sync(|| produce("publish").run_sync(&mut record, |_| ()));
        traces
            .span("send orders")
            .has_attribute("messaging.kafka.message.tombstone", true)
            .has_no_attribute("messaging.destination.partition.id")
            .has_no_attribute("messaging.kafka.message.key")
            .has_no_attribute("messaging.message.body.size");
    }

    #[test]
    fn of_what_could_not_be_sent_the_error_alone_is_told() {
        let full = KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull);
        let unsent = undelivered(None, Some(b"a secret"), Timestamp::NotAvailable);
        let told = crate::outcome!(&Err::<(), _>((full.clone(), unsent)));
        assert_eq!(told, Outcome::error("KafkaError").describe(full.to_string()));
        assert_eq!(crate::outcome!(&Ok::<(), (KafkaError, OwnedMessage)>(())), Outcome::ok());
    }

    #[test]
    fn a_message_tells_no_number_that_stands_for_none() {
        let traces = handled(&undelivered(None, Some(b""), Timestamp::NotAvailable));
        traces
            .span("process orders")
            .has_attribute("messaging.message.body.size", 0)
            .has_no_attribute("messaging.kafka.message.tombstone")
            .has_no_attribute("messaging.destination.partition.id")
            .has_no_attribute("messaging.kafka.offset")
            .has_no_attribute("throughline.message.age");
    }

    #[test]
    fn a_key_is_told_where_it_is_text() {
        assert_eq!(key_told(Some("Größe".as_bytes())).as_deref(), Some("Größe"));
        assert_eq!(key_told(Some(&65_u32.to_be_bytes())), None);
        assert_eq!(key_told(Some(&[0xff])), None);
        assert_eq!(key_told(Some(b"")), None);
        assert_eq!(key_told(None), None);
    }

    #[test]
    fn a_time_is_told_where_there_is_one() {
        let second = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1));
        assert_eq!(time_of(Timestamp::CreateTime(1000)), second);
        assert_eq!(time_of(Timestamp::LogAppendTime(1000)), second);
        assert_eq!(time_of(Timestamp::CreateTime(0)), Some(SystemTime::UNIX_EPOCH));
        for none in [
            Timestamp::NotAvailable,
            Timestamp::CreateTime(-1),
            Timestamp::LogAppendTime(-1),
            Timestamp::CreateTime(i64::MIN),
        ] {
            assert_eq!(time_of(none), None, "{none:?}");
        }
        let traces = handled(&undelivered(None, None, Timestamp::now()));
        assert!(traces.span("process orders").attribute("throughline.message.age").is_some());
    }

    /// Headers of which the second has a name that is no UTF-8.
    struct OneWithoutName(OwnedHeaders);

    impl Headers for OneWithoutName {
        fn count(&self) -> usize {
            self.0.count()
        }

        fn try_get(&self, at: usize) -> Option<Header<'_, &[u8]>> {
            assert_ne!(at, 1, "as rdkafka does");
            self.0.try_get(at)
        }
    }

    impl Message for OneWithoutName {
        fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
            read(self, reader);
        }
    }

    #[test]
    fn a_header_without_a_name_costs_neither_the_message_nor_its_other_headers() {
        let ours = ("traceparent", Some(SENDER.as_bytes()));
        let all = OneWithoutName(headers(&[("shop", None), ("?", None), ours]));
        assert_eq!(sender(&all).as_deref(), Some(SENDER));
        assert!(without(&all, "traceparent").is_none());
        assert!(without(&all.0, "traceparent").is_some());
    }

    #[test]
    fn a_header_has_the_size_that_librdkafka_counts() {
        // Lengths of up to 63 and up to 8,191 have one byte and two.
        assert_eq!(size_on_the_wire(0, 0), 2);
        assert_eq!(size_on_the_wire(63, 63), 128);
        assert_eq!(size_on_the_wire(64, 8191), 64 + 8191 + 4);
        assert_eq!(size_on_the_wire(1, 8192), 1 + 8192 + 4);
    }

    #[test]
    fn a_header_is_left_out_where_it_alone_makes_a_record_too_large() {
        let ours = size_on_the_wire(11, SENDER.len());
        let has_room = |body| has_room(body, None, "traceparent", SENDER);
        assert!(has_room(MAX_BYTES - OVERHEAD - ours));
        assert!(!has_room(MAX_BYTES - OVERHEAD - ours + 1));
        assert!(!has_room(MAX_BYTES - OVERHEAD));
        // Somebody allows more than usual.
        assert!(has_room(MAX_BYTES - OVERHEAD + 1));

        let payload = "x".repeat(MAX_BYTES - OVERHEAD - 20);
        let full = headers(&[("Traceparent", Some(b"old"))]);
        let mut record = FutureRecord::<str, str>::to("orders").payload(&payload).headers(full);
        record.set_header("traceparent", SENDER);
        assert_eq!(record.headers.as_ref().map(pairs), Some(Vec::new()));
    }

    #[test]
    fn without_room_for_what_names_the_span_nothing_is_written() {
        let payload = "x".repeat(MAX_BYTES - OVERHEAD - 30);
        let mut record = FutureRecord::<str, str>::to("orders").payload(&payload);
        let sent = [("traceparent", SENDER), ("tracestate", "v=x"), ("baggage", "a=b")];
        crate::TraceContext::read_from(sent.as_slice()).write_to(&mut record);
        assert!(record.headers.is_none_or(|them| pairs(&them).is_empty()));
    }
}
