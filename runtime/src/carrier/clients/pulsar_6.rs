//! Apache Pulsar, with [`pulsar`](https://docs.rs/pulsar) 6. Feature `pulsar-6`. The client's build needs
//! `protoc`, and one of its runtimes, such as its feature `tokio-runtime`, which your own dependency chooses.
//!
//! There is no server of Pulsar to test with: what stands here is tested with the client's own types, and not
//! with a broker.
//!
//! # What is read and written
//!
//! The properties of a received [`consumer::Message<T>`](pulsar::consumer::Message), of any payload, and of
//! a [`producer::Message`](pulsar::producer::Message) that is to be sent. Of a property that is there several
//! times the last counts, as in Pulsar's own client for Java. What the producer's `create_message()` builds
//! can't be written into: make a `producer::Message`, and send that.
//!
//! # What a message tells
//!
//! | of the message | becomes |
//! |---|---|
//! | | `messaging.system` = `pulsar` |
//! | the topic, `persistent://shop/main/orders-partition-3` | `messaging.destination.name` without its end `-partition-3`, and `messaging.destination.partition.id` = `3` |
//! | the message's id | `messaging.message.id`, as Pulsar prints it: ledger, entry, partition, and the place in a batch, `7:1:3:0` |
//! | `publish_time` | `throughline.message.age`, in seconds, by the producer's clock |
//! | the data | `messaging.message.body.size`, in bytes |
//!
//! A message that is to be sent knows its size alone, so the sender says `destination`. Keys have no attribute in
//! the conventions: `fields(order.key = order.key())`, if they are of use. The client keeps for itself how often
//! a message was delivered, so there is no attempt. The subscription is the consumer's to tell:
//! `fields(messaging.destination.subscription.name = "billing")`.
//!
//! # Polls and settlements
//!
//! The broker pushes, and the client hands out what it has. That needs no span of a poll. `ack`,
//! `cumulative_ack` and `nack` are settlements.
//!
//! # An example
//!
//! ```no_run
//! # #[cfg(feature = "macros")] {
//! use pulsar::{Consumer, Error, Executor, Producer, consumer, producer};
//! use throughline::{async_consumer, async_producer};
//!
//! /// The span `send orders`; its context goes into the message.
//! #[async_producer(destination = "orders")]
//! async fn publish<E: Executor>(
//!     topic: &mut Producer<E>,
//!     #[message] order: producer::Message,
//! ) -> Result<(), Error> {
//!     topic.send_non_blocking(order).await?.await?; // sent, and confirmed by the broker
//!     Ok(())
//! }
//!
//! async fn place_order<E: Executor>(topic: &mut Producer<E>) -> Result<(), Error> {
//!     publish(topic, producer::Message { payload: b"two lemons".to_vec(), ..Default::default() }).await
//! }
//!
//! /// The span `process persistent://shop/main/orders`, in the trace of the sender.
//! #[async_consumer(continue)]
//! async fn charge_card(order: &consumer::Message<String>) -> Result<(), String> {
//!     let _text = order.deserialize().map_err(|_| "no text")?;
//!     Ok(())
//! }
//!
//! async fn work<E: Executor>(orders: &mut Consumer<String, E>) -> Result<(), Error> {
//!     use futures_util::TryStreamExt;
//!     while let Some(order) = orders.try_next().await? {
//!         match charge_card(&order).await {
//!             Ok(()) => throughline::settle("ack").run(&order, orders.ack(&order)).await?,
//!             Err(_) => throughline::settle("nack").run(&order, orders.nack(&order)).await?,
//!         }
//!     }
//!     Ok(())
//! }
//! # }
//! ```

use pulsar::consumer::data::MessageData;
use pulsar::{consumer, producer};

use crate::carrier::fact_values as fact;
use crate::semconv::system;
use crate::{Facts, HeaderReader, Message, MessageMut, Repeats};

impl<T> Message for consumer::Message<T> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        reader.repeats(Repeats::LastCounts);
        for property in &self.metadata().properties {
            reader.header(&property.key, &property.value);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let (topic, partition) = without_partition(&self.topic);
        facts
            .own_system(system::PULSAR)
            .destination(topic)
            .partition(partition)
            .id(id(&self.message_id))
            .body_size(self.payload.data.len() as u64);
        if let Some(sent) = fact::unix_ms(&self.metadata().publish_time) {
            facts.sent_at(sent);
        }
    }
}

impl Message for producer::Message {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.properties.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::PULSAR).body_size(self.payload.len() as u64);
    }
}

impl MessageMut for producer::Message {
    fn set_header(&mut self, name: &str, value: &str) {
        self.properties.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.properties.remove_header(name);
    }

    fn tells_when_it_was_sent(&self) -> bool {
        true
    }
}

/// Each partition of a topic is a topic of its own, told by its name's end.
fn without_partition(topic: &str) -> (&str, &str) {
    match topic.rsplit_once("-partition-") {
        Some((whole, number)) if number.parse::<u32>().is_ok() => (whole, number),
        _ => (topic, ""),
    }
}

fn id(message: &MessageData) -> String {
    let id = &message.id;
    let (ledger, entry, partition) = (id.ledger_id, id.entry_id, id.partition());
    match id.batch_index() {
        -1 => format!("{ledger}:{entry}:{partition}"),
        place => format!("{ledger}:{entry}:{partition}:{place}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::TraceContext;
    use crate::testing::{Capture, Traces};
    use pulsar::Payload;
    use pulsar::proto::{KeyValue, MessageIdData, MessageMetadata};

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";
    const TOPIC: &str = "persistent://shop/main/orders";

    fn context() -> TraceContext {
        TraceContext::read_from(&[("traceparent", SENT), ("tracestate", "a=1"), ("baggage", "b=2")])
    }

    fn received(topic: &str, properties: &[(&str, &str)]) -> consumer::Message<String> {
        let property =
            |(key, value): &(&str, &str)| KeyValue { key: (*key).into(), value: (*value).into() };
        let metadata = MessageMetadata {
            publish_time: 1_000_000_000_000,
            properties: properties.iter().map(property).collect(),
            ..Default::default()
        };
        let id = MessageIdData { ledger_id: 7, entry_id: 1, ..Default::default() };
        let payload = Payload { metadata, data: b"two lemons".to_vec() };
        consumer::Message::new(topic, MessageData { id, batch_size: None }, payload)
    }

    fn handled(message: &consumer::Message<String>) -> Traces {
        let consumer = crate::consume("charge").continue_();
        Capture::new().run_sync(|| consumer.run_sync(message, || ()))
    }

    #[test]
    fn a_context_travels_in_the_properties() {
        let mut message = producer::Message::default();
        message.properties.insert("tenant".to_owned(), "acme".to_owned());
        message.properties.insert("Traceparent".to_owned(), OTHER.to_owned());
        context().write_to(&mut message);
        assert_eq!(TraceContext::read_from(&message), context());
        assert_eq!(message.properties.len(), 4);
        assert_eq!(message.properties["tenant"], "acme");

        let sent: Vec<_> =
            message.properties.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(TraceContext::read_from(&received(TOPIC, &sent)), context());
    }

    #[test]
    fn of_repeated_properties_the_last_counts() {
        let message = received(TOPIC, &[("traceparent", OTHER), ("traceparent", SENT)]);
        assert_eq!(TraceContext::read_from(&message).traceparent().as_deref(), Some(SENT));
        let casings = received(TOPIC, &[("TraceParent", OTHER), ("TRACEPARENT", SENT)]);
        assert_eq!(TraceContext::read_from(&casings).traceparent().as_deref(), Some(SENT));
    }

    #[test]
    fn junk_is_no_context() {
        let message = received(TOPIC, &[("traceparent", "00-\u{0}"), ("", "")]);
        assert!(TraceContext::read_from(&message).is_empty());
        let traces = handled(&message);
        let span = traces.span(&format!("process {TOPIC}")).is_root();
        span.has_attribute("throughline.relation.reason", "unreadable");
    }

    #[test]
    fn a_received_message_tells_what_it_knows() {
        let mut message = received(&format!("{TOPIC}-partition-3"), &[("traceparent", SENT)]);
        message.message_id.id.partition = Some(3);
        message.message_id.id.batch_index = Some(0);
        let traces = handled(&message);
        let span = traces.span(&format!("process {TOPIC}")).continues(SENT);
        span.has_attribute("messaging.system", "pulsar")
            .has_attribute("messaging.destination.name", TOPIC)
            .has_attribute("messaging.destination.partition.id", "3")
            .has_attribute("messaging.message.id", "7:1:3:0")
            .has_attribute("messaging.message.body.size", 10);
        let age = span.attribute("throughline.message.age").map(ToString::to_string);
        let since_2001 = age.and_then(|it| it.parse::<f64>().ok()).expect("an age");
        let now = UNIX_EPOCH.elapsed().expect("a clock").as_secs_f64();
        assert!((now - since_2001 - 1e9).abs() < 60.0, "{since_2001}");
    }

    #[test]
    fn a_topic_without_partitions_has_none_whatever_its_name() {
        for topic in [TOPIC, "persistent://shop/main/the-partition-of-poland"] {
            let traces = handled(&received(topic, &[]));
            let span = traces.span(&format!("process {topic}"));
            span.has_no_attribute("messaging.destination.partition.id");
            span.has_attribute("messaging.message.id", "7:1:-1");
        }
    }

    #[test]
    fn a_message_that_is_sent_tells_its_size_and_writes_no_time() {
        let payload = b"two lemons".to_vec();
        let mut message = producer::Message { payload, ..Default::default() };
        let traces = Capture::new().run_sync(|| {
            crate::produce("send").destination("orders").run_sync(&mut message, |_| ());
        });
        let span = traces.span("send orders").has_attribute("messaging.system", "pulsar");
        span.has_attribute("messaging.message.body.size", 10);
        assert_eq!(message.properties.into_keys().collect::<Vec<_>>(), ["traceparent"]);
    }
}
