//! Redis streams by [`redis`] 1: entries are read, and the fields that `XADD` takes are written.
//!
//! ```no_run
//! use redis::aio::MultiplexedConnection;
//! use redis::streams::{StreamId, StreamReadOptions};
//! use redis::{AsyncTypedCommands, Client, RedisResult};
//! use throughline::{async_consumer, async_producer};
//!
//! #[async_producer(system = "redis", destination = "orders")]
//! async fn place_order(
//!     mut redis: MultiplexedConnection,
//!     #[message] fields: Vec<(String, String)>,
//! ) -> RedisResult<Option<String>> {
//!     redis.xadd("orders", "*", &fields).await
//! }
//!
//! #[async_consumer(continue, destination = "orders", consumer_group = "billing")]
//! async fn charge_card(order: &StreamId) -> Result<(), std::io::Error> {
//!     println!("{:?}", order.get::<String>("item"));
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> RedisResult<()> {
//!     let client = Client::open("redis://127.0.0.1")?;
//!     let mut redis = client.get_multiplexed_async_connection().await?;
//!     if let Err(error) = redis.xgroup_create_mkstream("orders", "billing", "0").await {
//!         assert_eq!(error.code(), Some("BUSYGROUP")); // it is there already
//!     }
//!     place_order(redis.clone(), vec![("item".to_owned(), "tea".to_owned())]).await?;
//!
//!     let options = StreamReadOptions::default().group("billing", "worker-1").count(10);
//!     let poll = throughline::receive("read").destination("orders").consumer_group("billing");
//!     let read = poll.run(redis.xread_options(&["orders"], &[">"], &options)).await?;
//!     for order in read.iter().flat_map(|read| &read.keys).flat_map(|stream| &stream.ids) {
//!         // What is not acknowledged stays pending, and can be claimed later on.
//!         if charge_card(order).await.is_ok() {
//!             let ack = throughline::settle("ack").destination("orders").consumer_group("billing");
//!             ack.run(order, redis.xack("orders", "billing", &[&order.id])).await?;
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! The cargo feature is `redis-1`. redis 1.2 needs Rust 1.85, and 1.8 needs Rust 1.88.
//!
//! # What is read
//!
//! [`StreamId`], an entry, is a message: its fields are the headers, text or bytes. [`StreamKey`] and the
//! replies to `XREAD`, `XREADGROUP`, `XRANGE`, `XCLAIM` and `XAUTOCLAIM` are batches, and so is an
//! `Option` of them.
//!
//! | fact | from |
//! |---|---|
//! | system | always `redis`, for which the conventions have no name |
//! | message id | the entry's id, `1526919030474-0` |
//! | when it was sent, hence its age | the field `throughline-sent`, else the id: its first part has milliseconds |
//! | attempt | the count of deliveries, where there is one: [below](#attempts) |
//! | destination | the stream's key: of a [`StreamKey`] and of a reply that has but one |
//! | consumer group | yours to say: `consumer_group` |
//!
//! - **Destination.** An entry does not know its stream, so the handler says it: `destination`.
//! - **Age.** An id that you choose yourself need not be a time: what is older than Redis's streams counts
//!   as none.
//! - **Sizes.** An entry has fields and no body, so it tells no size.
//!
//! # What is written
//!
//! Redis has no headers: the context is in fields of its own, beside yours. `XADD` takes lists of pairs and
//! maps, and those that own their text are messages of throughline's: `Vec<(String, String)>`,
//! `Vec<(String, Vec<u8>)>`, `BTreeMap<String, String>` with `xadd_map`, and so on. They know nothing of
//! Redis, hence `system = "redis"` on the producer. Readers that look at all fields of an entry will see
//! `traceparent`, at times `tracestate` and `baggage`, and `throughline-sent`.
//!
//! # Attempts
//!
//! Redis counts how often an entry of a group was delivered, and tells it with the entries only where
//! `XREADGROUP` has `CLAIM` (Redis 8.4). Elsewhere ask `XPENDING` and let [`count_deliveries`] note what it
//! says:
//!
//! ```no_run
//! use redis::aio::MultiplexedConnection;
//! use redis::streams::{StreamAutoClaimOptions, StreamId};
//! use redis::{AsyncTypedCommands, RedisResult};
//! use throughline::clients::redis_1::count_deliveries;
//!
//! /// Takes over what others have left undone for a minute.
//! async fn claim(redis: &mut MultiplexedConnection) -> RedisResult<Vec<StreamId>> {
//!     let options = StreamAutoClaimOptions::default();
//!     let reply =
//!         redis.xautoclaim_options("orders", "billing", "worker-1", 60_000, "0-0", options).await?;
//!     let mut orders = reply.claimed;
//!     if let [first, .., last] | [first @ last] = &orders[..] {
//!         let pending = redis
//!             .xpending_consumer_count(
//!                 "orders", "billing", &first.id, &last.id, orders.len(), "worker-1",
//!             )
//!             .await?;
//!         count_deliveries(&mut orders, &pending);
//!     }
//!     Ok(orders)
//! }
//! ```
//!
//! # Lists
//!
//! An element of a list has room for nothing but itself. With the feature `serde`, a
//! [`Traced`](crate::Traced) payload is JSON with its context in it:
//!
//! ```no_run
//! # #[cfg(feature = "serde")] mod lists {
//! use redis::aio::MultiplexedConnection;
//! use redis::{AsyncTypedCommands, RedisResult};
//! use throughline::{Traced, async_consumer, async_producer};
//!
//! #[async_producer(system = "redis", destination = "mails")]
//! async fn send_mail(
//!     redis: &mut MultiplexedConnection,
//!     #[message] mail: Traced<String>,
//! ) -> RedisResult<usize> {
//!     redis.lpush("mails", serde_json::to_string(&mail).expect("text is JSON")).await
//! }
//!
//! #[async_consumer(link, system = "redis", destination = "mails")]
//! async fn deliver_mail(mail: Traced<String>) {}
//!
//! async fn deliver(redis: &mut MultiplexedConnection) -> RedisResult<()> {
//!     if let Some([_, mail]) = redis.brpop("mails", 5.0).await? {
//!         match serde_json::from_str(&mail) {
//!             Ok(mail) => deliver_mail(mail).await,
//!             Err(error) => eprintln!("no mail: {error}"),
//!         }
//!     }
//!     Ok(())
//! }
//! # }
//! ```

use std::time::SystemTime;

use redis::Value;
use redis::streams::{
    StreamAutoClaimReply, StreamClaimReply, StreamId, StreamKey, StreamPendingCountReply,
    StreamRangeReply, StreamReadReply,
};

use crate::carrier::{Batch, Facts, HeaderReader, Message, fact_values as fact, notes};
use crate::semconv::system;

/// July 2017: streams are younger, so an id below this is a number that the sender has chosen.
const FIRST_TIME: u64 = 1_500_000_000_000;

/// Notes in entries that were claimed, or read once more, how often each was delivered before, so that
/// their handlers tell which attempt this is. What `XPENDING` does not mention stays as it is.
///
/// ```
/// use redis::streams::{StreamId, StreamPendingCountReply, StreamPendingId};
/// use throughline::clients::redis_1::count_deliveries;
///
/// let mut claimed = [StreamId { id: "1526919030474-0".into(), ..Default::default() }];
/// let pending = StreamPendingId {
///     id: "1526919030474-0".into(),
///     times_delivered: 2, // the claim is one of them
///     ..Default::default()
/// };
/// count_deliveries(&mut claimed, &StreamPendingCountReply { ids: vec![pending] });
/// assert_eq!(claimed[0].delivered_count, Some(1)); // as `XREADGROUP` has it: this is attempt 2
/// ```
pub fn count_deliveries(entries: &mut [StreamId], pending: &StreamPendingCountReply) {
    for entry in entries {
        if let Some(pending) = pending.ids.iter().find(|pending| pending.id == entry.id) {
            entry.delivered_count = Some(pending.times_delivered.saturating_sub(1));
        }
    }
}

impl Message for StreamId {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        for (name, value) in &self.map {
            match value {
                Value::BulkString(bytes) => reader.header(name, bytes),
                Value::SimpleString(text) | Value::VerbatimString { text, .. } => {
                    reader.header(name, text);
                }
                _ => {}
            }
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::REDIS).id(&self.id);
        // Ids of the sender's own need not be times; our own field is one.
        let says_more = self.map.keys().any(|name| name.eq_ignore_ascii_case(notes::SENT));
        if let Some(added) = added_at(&self.id).filter(|_| !says_more) {
            facts.sent_at(added);
        }
        if let Some(before) = self.delivered_count.and_then(|count| u64::try_from(count).ok()) {
            facts.attempt(before.saturating_add(1));
        }
    }
}

/// The time that an entry's id begins with, in milliseconds since 1970.
fn added_at(id: &str) -> Option<SystemTime> {
    let milliseconds: u64 = id.split('-').next()?.parse().ok()?;
    fact::unix_ms(&milliseconds).filter(|_| milliseconds >= FIRST_TIME)
}

impl Batch for StreamKey {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        self.ids.each(visit);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::REDIS).destination(&self.key);
    }
}

impl Batch for StreamReadReply {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        for stream in &self.keys {
            stream.each(visit);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::REDIS);
        if let [only] = &self.keys[..] {
            only.describe(facts);
        }
    }
}

macro_rules! batch_of_one_stream {
    ($($reply:ty: $entries:ident),+) => {$(
        impl Batch for $reply {
            fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
                self.$entries.each(visit);
            }

            fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
                facts.own_system(system::REDIS);
            }
        }
    )+};
}

batch_of_one_stream!(StreamRangeReply: ids, StreamClaimReply: ids, StreamAutoClaimReply: claimed);

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::TraceContext;
    use crate::testing::{Traces, capture_sync};

    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";

    fn entry(id: &str, fields: &[(&str, Value)]) -> StreamId {
        let map = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        StreamId { id: id.to_owned(), map, ..StreamId::default() }
    }

    fn bytes(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn sender_of(entry: &StreamId) -> Option<String> {
        TraceContext::read_from(entry).traceparent()
    }

    #[test]
    fn a_context_is_read_from_text_and_bytes_in_any_casing() {
        for value in [bytes(SENDER), Value::SimpleString(SENDER.to_owned())] {
            let entry = entry("1-0", &[("TraceParent", value), ("item", bytes("tea"))]);
            assert_eq!(sender_of(&entry).as_deref(), Some(SENDER));
        }
    }

    #[test]
    fn what_is_no_text_or_contradicts_itself_is_no_context() {
        let junk = Value::BulkString(vec![0xff, 0, 0xfe]);
        for value in [junk, Value::Nil, Value::Int(7), Value::Array(vec![bytes(SENDER)])] {
            assert_eq!(sender_of(&entry("1-0", &[("traceparent", value)])), None);
        }
        let twice = [("Traceparent", bytes(SENDER)), ("TRACEPARENT", bytes(OTHER))];
        assert_eq!(sender_of(&entry("1-0", &twice)), None);
    }

    fn handled(entry: &StreamId) -> Traces {
        capture_sync(|| crate::consume("pack").link().run_sync(entry, || ()))
    }

    fn age(traces: &Traces) -> Option<f64> {
        let age = traces.span("pack").attribute("throughline.message.age");
        age.map(|age| age.to_string().parse().expect("a number"))
    }

    fn milliseconds_ago(ago: Duration) -> u128 {
        (SystemTime::now() - ago).duration_since(UNIX_EPOCH).expect("after 1970").as_millis()
    }

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn an_entry_tells_what_it_knows() {
        let id = format!("{}-3", milliseconds_ago(HOUR));
        let mut entry = entry(&id, &[]);
        let traces = handled(&entry);
        traces
            .span("pack")
            .has_attribute("messaging.system", "redis")
            .has_attribute("messaging.message.id", &id)
            .has_no_attribute("throughline.message.attempt");
        assert!((3_600.0..3_660.0).contains(&age(&traces).expect("an age")));

        entry.delivered_count = Some(0);
        handled(&entry).span("pack").has_attribute("throughline.message.attempt", 1);
    }

    #[test]
    fn an_id_that_is_no_time_tells_no_age() {
        for id in ["7-0", "", "no-id", "99999999999999999999999-0"] {
            assert_eq!(age(&handled(&entry(id, &[]))), None, "{id}");
        }
        let sent = milliseconds_ago(HOUR).to_string();
        let traces = handled(&entry("9999999999999-0", &[("throughline-sent", bytes(&sent))]));
        assert!((3_600.0..3_660.0).contains(&age(&traces).expect("an age")));
    }

    #[test]
    fn a_stream_is_a_batch_that_knows_its_key() {
        let ids = vec![
            entry("1526919030474-0", &[("traceparent", bytes(SENDER))]),
            entry("1526919030474-1", &[("traceparent", bytes(OTHER))]),
        ];
        let stream = StreamKey { key: "orders".to_owned(), ids };
        let handle = |keys: Vec<StreamKey>| {
            let reply = Some(StreamReadReply { keys });
            capture_sync(|| crate::receive("read").run_sync(|| reply))
        };
        handle(vec![stream.clone()])
            .span("read")
            .has_links(2)
            .has_attribute("messaging.system", "redis")
            .has_attribute("messaging.destination.name", "orders")
            .has_attribute("messaging.batch.message_count", 2);
        let other = StreamKey { key: "returns".to_owned(), ids: Vec::new() };
        handle(vec![stream, other])
            .span("read")
            .has_links(2)
            .has_no_attribute("messaging.destination.name");
    }
}
