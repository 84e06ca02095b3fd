//! RabbitMQ by [`lapin`] 4: deliveries are read, properties are written.
//!
//! ```no_run
//! use futures_util::StreamExt;
//! use lapin::message::Delivery;
//! use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicPublishOptions};
//! use lapin::types::FieldTable;
//! use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
//! use throughline::{async_consumer, async_producer};
//!
//! const BILLING: &str = "orders:placed:billing"; // exchange, routing key, queue
//!
//! #[async_producer(destination = "orders:placed")]
//! async fn publish(
//!     channel: &Channel,
//!     #[message] properties: BasicProperties,
//!     order: &[u8],
//! ) -> lapin::Result<Confirmation> {
//!     let options = BasicPublishOptions::default();
//!     channel.basic_publish("orders".into(), "placed".into(), options, order, properties).await?.await
//! }
//!
//! #[async_consumer(continue, destination = BILLING)]
//! async fn charge_card(order: &Delivery) -> Result<(), std::io::Error> {
//!     println!("{} bytes", order.data.len());
//!     Ok(())
//! }
//!
//! #[tokio::main]
//! async fn main() -> lapin::Result<()> {
//!     let server = "amqp://127.0.0.1:5672";
//!     let connection = Connection::connect(server, ConnectionProperties::default()).await?;
//!     let channel = connection.create_channel().await?;
//!     publish(&channel, BasicProperties::default().with_message_id("A-1".into()), b"tea").await?;
//!
//!     let options = BasicConsumeOptions::default();
//!     let (queue, tag) = ("billing".into(), "worker".into());
//!     let mut orders = channel.basic_consume(queue, tag, options, FieldTable::default()).await?;
//!     while let Some(order) = orders.next().await {
//!         let order = order?;
//!         if charge_card(&order).await.is_ok() {
//!             let ack = order.ack(BasicAckOptions::default());
//!             throughline::settle("ack").destination(BILLING).run(&order, ack).await?;
//!         } else {
//!             let nack = order.nack(BasicNackOptions { requeue: true, ..Default::default() });
//!             throughline::settle("nack").destination(BILLING).run(&order, nack).await?;
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! The cargo feature is `lapin-4`. lapin 4 needs Rust 1.88.
//!
//! # What is read
//!
//! [`Delivery`], [`BasicGetMessage`], [`BasicProperties`] and [`FieldTable`] are messages. Their
//! headers are those of the properties; long strings, short strings and byte arrays count as text,
//! and so do numbers and truth values where a handler captures them. Tables and arrays do not.
//!
//! | fact | from |
//! |---|---|
//! | system | always `rabbitmq` |
//! | destination | exchange and routing key: [below](#naming) |
//! | routing key, delivery tag | the delivery |
//! | message id | the property `message_id` |
//! | conversation id | the property `correlation_id` |
//! | body's size | the delivery |
//! | when it was sent, hence its age | the header `throughline-sent`, else the property `timestamp` |
//! | attempt | the header `x-delivery-count`, else whether it is redelivered |
//!
//! - **Age.** The property `timestamp` is the sender's to set and counts whole seconds, so producers
//!   write `throughline-sent` beside it, in milliseconds, and that is what counts where both are there.
//! - **Attempt.** A quorum queue counts deliveries: `x-delivery-count` has those that failed before.
//!   A classic queue only tells that there were some, so that the attempt is 2 from the second one on.
//!   What comes back by way of a dead letter exchange is a message's first delivery from another queue.
//!
//! # What is written
//!
//! [`BasicProperties`] and [`FieldTable`], as long strings. All other properties and headers stay as
//! they are. What is written takes less than 48 KiB, whatever baggage there is, and all properties
//! together have to fit into one frame: 128 KiB unless client or server are set to less.
//!
//! # Naming
//!
//! The conventions name a destination `{exchange}:{routing key}` where it is sent to and
//! `{exchange}:{routing key}:{queue}` where it is received from (section "RabbitMQ"). A delivery knows
//! exchange and routing key, and its queue is yours to say, by `destination`; properties know none of
//! them, so a producer says both. [`destination`] puts the parts together. The routing key has an
//! attribute of its own, which a producer may add:
//! `fields("messaging.rabbitmq.destination.routing_key" = key)`.
//!
//! A destination is part of the span's name. Where routing keys have many values, as on a topic
//! exchange, write `destination_template = "orders:placed.{customer}"`; the name with the whole key
//! then stands in its attribute alone. A queue that the server has named (`amq.gen-..`, and the reply
//! queues of `amq.rabbitmq.reply-to`) is anonymous and in no span's name.
//!
//! # Polls and settlements
//!
//! A consumer is sent what the client has fetched ahead, so it needs no span of a poll; `basic_get`
//! does: `throughline::receive("get").destination(..).run(channel.basic_get(..))`. `ack`, `nack` and
//! `reject` are settlements: `throughline::settle("reject").run(&delivery, delivery.reject(..))`, also
//! inside the handler, whose child the span then is. An acknowledgement of many takes them as a slice.
//! A `basic_publish` that the server refuses is `Ok(Confirmation::Nack(..))` and no error; make it
//! one in your producer if it is to show.

use std::collections::BTreeMap;
use std::mem;
use std::time::{Duration, UNIX_EPOCH};

use lapin::BasicProperties;
use lapin::message::{BasicGetMessage, Delivery};
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::carrier::{Facts, HeaderReader, HeaderValue, Message, MessageMut, notes};
use crate::semconv::system;

/// How often a quorum queue has delivered the message before.
const DELIVERY_COUNT: &str = "x-delivery-count";

/// The destination's name by the conventions (section "RabbitMQ"): `{exchange}:{routing key}` for a
/// producer, `{exchange}:{routing key}:{queue}` for a consumer. Empty parts are left out, and so is a
/// queue that is called as the routing key; where nothing is left it is `amq.default`.
///
/// The names that the server makes up (`amq.gen-..`) are left out as well: a destination that you say
/// has to be one of few.
///
/// ```
/// use throughline::clients::lapin_4::destination;
///
/// assert_eq!(destination("orders", "placed", None), "orders:placed");
/// assert_eq!(destination("orders", "placed", Some("billing")), "orders:placed:billing");
/// assert_eq!(destination("", "billing", Some("billing")), "billing");
/// assert_eq!(destination("prices", "", Some("amq.gen-JzTY20BRgKO")), "prices");
/// assert_eq!(destination("", "", None), "amq.default");
/// ```
#[must_use]
pub fn destination(exchange: &str, routing_key: &str, queue: Option<&str>) -> String {
    let of_few = |name: &&str| !is_named_by_the_server(name);
    let routing_key = Some(routing_key).filter(of_few).unwrap_or_default();
    join(exchange, routing_key, queue.filter(of_few))
}

fn join(exchange: &str, routing_key: &str, queue: Option<&str>) -> String {
    let queue = queue.filter(|queue| *queue != routing_key).unwrap_or_default();
    let parts: Vec<&str> =
        [exchange, routing_key, queue].into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { "amq.default".to_owned() } else { parts.join(":") }
}

fn is_named_by_the_server(queue: &str) -> bool {
    ["amq.gen-", "amq.rabbitmq.reply-to"].iter().any(|start| queue.starts_with(start))
}

impl Message for Delivery {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        Message::headers(&self.properties, reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let (exchange, routing_key) = (self.exchange.as_str(), self.routing_key.as_str());
        self.properties.describe(facts);
        facts
            .destination(join(exchange, routing_key, None))
            .rabbitmq_routing_key(routing_key)
            .rabbitmq_delivery_tag(self.delivery_tag)
            .body_size(self.data.len() as u64)
            .attempt(attempt(self));
        // The default exchange's keys are queues.
        if exchange.is_empty() && is_named_by_the_server(routing_key) {
            facts.anonymous_destination();
        }
    }
}

/// Which delivery it is, as far as that is known.
fn attempt(delivery: &Delivery) -> u64 {
    let count = table(&delivery.properties).and_then(|table| table.inner().get(DELIVERY_COUNT));
    let count = count.and_then(AMQPValue::as_long_long_int);
    let before = count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
    before.max(delivery.redelivered.into()).saturating_add(1)
}

impl Message for BasicGetMessage {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.delivery.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        self.delivery.describe(facts);
    }
}

impl Message for BasicProperties {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        if let Some(table) = table(self) {
            table.headers(reader);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::RABBITMQ);
        if let Some(id) = self.message_id() {
            facts.id(id.as_str());
        }
        if let Some(id) = self.correlation_id() {
            facts.conversation_id(id.as_str());
        }
        // It has whole seconds only; our own header knows better.
        let says_more = table(self).is_some_and(|headers| has(headers, notes::SENT));
        let timestamp = self.timestamp().filter(|_| !says_more);
        let since_1970 = timestamp.map(Duration::from_secs);
        if let Some(sent) = since_1970.and_then(|since| UNIX_EPOCH.checked_add(since)) {
            facts.sent_at(sent);
        }
    }
}

impl MessageMut for BasicProperties {
    fn set_header(&mut self, name: &str, value: &str) {
        let mut headers = table(self).cloned().unwrap_or_default();
        headers.set_header(name, value);
        *self = mem::take(self).with_headers(headers);
    }

    fn remove_header(&mut self, name: &str) {
        if let Some(mut headers) = table(self).filter(|headers| has(headers, name)).cloned() {
            headers.remove_header(name);
            *self = mem::take(self).with_headers(headers);
        }
    }
}

fn table(properties: &BasicProperties) -> Option<&FieldTable> {
    properties.headers().as_ref()
}

impl Message for FieldTable {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        for (name, value) in self {
            if let Some(value) = text(value) {
                reader.header(name.as_str(), value);
            }
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::RABBITMQ);
    }
}

/// A name that is longer than AMQP allows is left out: a send never fails for telemetry.
impl MessageMut for FieldTable {
    fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        if let Ok(name) = ShortString::try_new(name) {
            self.insert(name, AMQPValue::LongString(value.into()));
        }
    }

    fn remove_header(&mut self, name: &str) {
        // A table can't forget: what stays is copied.
        if has(self, name) {
            let stays = |(known, _): &(&ShortString, &AMQPValue)| !is_called(known, name);
            let copy = |(name, value): (&ShortString, &AMQPValue)| (name.clone(), value.clone());
            let kept: BTreeMap<_, _> = self.inner().iter().filter(stays).map(copy).collect();
            *self = kept.into();
        }
    }
}

fn has(headers: &FieldTable, name: &str) -> bool {
    headers.inner().keys().any(|known| is_called(known, name))
}

fn is_called(known: &ShortString, name: &str) -> bool {
    known.as_str().eq_ignore_ascii_case(name)
}

fn text(value: &AMQPValue) -> Option<HeaderValue<'_>> {
    Some(match value {
        AMQPValue::LongString(text) => text.as_bytes().into(),
        AMQPValue::ShortString(text) => text.as_str().into(),
        AMQPValue::ByteArray(bytes) => bytes.as_slice().into(),
        AMQPValue::Boolean(value) => value.to_string().into(),
        AMQPValue::ShortShortInt(number) => number.to_string().into(),
        AMQPValue::ShortShortUInt(number) => number.to_string().into(),
        AMQPValue::ShortInt(number) => number.to_string().into(),
        AMQPValue::ShortUInt(number) => number.to_string().into(),
        AMQPValue::LongInt(number) => number.to_string().into(),
        AMQPValue::LongUInt(number) => number.to_string().into(),
        AMQPValue::LongLongInt(number) => number.to_string().into(),
        AMQPValue::Float(number) => number.to_string().into(),
        AMQPValue::Double(number) => number.to_string().into(),
        AMQPValue::Timestamp(seconds) => seconds.to_string().into(),
        AMQPValue::DecimalValue(_)
        | AMQPValue::FieldArray(_)
        | AMQPValue::FieldTable(_)
        | AMQPValue::Void => return None,
    })
}

#[cfg(test)]
mod tests {
    use opentelemetry::Array;

    use super::*;
    use crate::TraceContext;
    use crate::testing::capture_sync;

    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";

    fn long(text: &str) -> AMQPValue {
        AMQPValue::LongString(text.into())
    }

    fn table_of(headers: &[(&str, AMQPValue)]) -> FieldTable {
        let headers = headers.iter().map(|(name, value)| ((*name).into(), value.clone()));
        headers.collect::<BTreeMap<ShortString, AMQPValue>>().into()
    }

    fn sender_of<M: Message + ?Sized>(message: &M) -> Option<String> {
        TraceContext::read_from(message).traceparent()
    }

    #[test]
    fn a_context_is_read_from_text_of_every_kind() {
        let short = AMQPValue::ShortString(SENDER.into());
        for value in [long(SENDER), short, AMQPValue::ByteArray(SENDER.as_bytes().into())] {
            let headers = table_of(&[("Traceparent", value)]);
            assert_eq!(sender_of(&headers).as_deref(), Some(SENDER));
            let properties = BasicProperties::default().with_headers(headers);
            assert_eq!(sender_of(&properties).as_deref(), Some(SENDER));
            let mut delivery = Delivery::mock(1, "".into(), "".into(), false, Vec::new());
            delivery.properties = properties;
            assert_eq!(sender_of(&delivery).as_deref(), Some(SENDER));
        }
    }

    #[test]
    fn what_is_no_text_is_no_context() {
        let junk = AMQPValue::ByteArray(vec![0xff, 0x00, 0xfe].into());
        let nested = AMQPValue::FieldTable(table_of(&[("traceparent", long(SENDER))]));
        for value in [junk, nested, AMQPValue::Void, AMQPValue::LongLongInt(7)] {
            assert_eq!(sender_of(&table_of(&[("traceparent", value)])), None);
        }
    }

    #[test]
    fn headers_that_contradict_each_other_count_as_none() {
        let headers = table_of(&[("Traceparent", long(SENDER)), ("TRACEPARENT", long(OTHER))]);
        assert_eq!(sender_of(&headers), None);
        let headers = table_of(&[("traceparent", long(SENDER)), ("TRACEPARENT", long(OTHER))]);
        assert_eq!(sender_of(&headers).as_deref(), Some(SENDER));
    }

    #[test]
    fn writing_replaces_every_casing_and_leaves_all_else() {
        let others = [("x-retry", AMQPValue::LongInt(2)), ("Tenant", long("acme"))];
        let old = [("TraceParent", long(OTHER)), ("tracestate", long("a=1"))];
        let headers = table_of(&[others.clone(), old].concat());
        let mut properties = BasicProperties::default()
            .with_content_type("text/plain".into())
            .with_delivery_mode(2)
            .with_priority(3)
            .with_reply_to("replies".into())
            .with_expiration("60000".into())
            .with_timestamp(7)
            .with_app_id("shop".into())
            .with_headers(headers);
        let without_headers =
            |properties: &BasicProperties| properties.clone().with_headers(FieldTable::default());
        let before = without_headers(&properties);

        TraceContext::read_from(&[("traceparent", SENDER)]).write_to(&mut properties);
        assert_eq!(without_headers(&properties), before);
        let expected = table_of(&[&others[..], &[("traceparent", long(SENDER))]].concat());
        assert_eq!(properties.headers(), &Some(expected));
    }

    #[test]
    fn properties_without_headers_get_them_only_if_there_is_something_to_write() {
        let mut properties = BasicProperties::default();
        TraceContext::default().write_to(&mut properties);
        assert_eq!(properties, BasicProperties::default());
        TraceContext::read_from(&[("traceparent", SENDER)]).write_to(&mut properties);
        assert_eq!(properties.headers(), &Some(table_of(&[("traceparent", long(SENDER))])));
    }

    #[test]
    fn a_name_that_amqp_does_not_allow_is_left_out() {
        let mut headers = FieldTable::default();
        headers.set_header(&"x".repeat(256), "1");
        assert_eq!(headers, FieldTable::default());
    }

    #[test]
    fn a_delivery_tells_what_it_knows() {
        let mut delivery =
            Delivery::mock(7, "orders".into(), "placed".into(), false, b"tea".to_vec());
        delivery.properties = BasicProperties::default()
            .with_message_id("A-1".into())
            .with_correlation_id("cart-9".into())
            .with_headers(table_of(&[("x-priority", AMQPValue::ShortInt(3))]));
        let traces = capture_sync(|| {
            crate::consume("pack")
                .link()
                .capture_headers(&["x-priority"])
                .run_sync(&delivery, || ());
        });
        traces
            .span("process orders:placed")
            .has_attribute("messaging.system", "rabbitmq")
            .has_attribute("messaging.destination.name", "orders:placed")
            .has_attribute("messaging.rabbitmq.destination.routing_key", "placed")
            .has_attribute("messaging.rabbitmq.message.delivery_tag", 7)
            .has_attribute("messaging.message.id", "A-1")
            .has_attribute("messaging.message.conversation_id", "cart-9")
            .has_attribute("messaging.message.body.size", 3)
            .has_attribute("throughline.message.attempt", 1)
            .has_no_attribute("throughline.message.age")
            .has_attribute(
                "throughline.message.header.x-priority",
                Array::String(vec!["3".into()]),
            );
    }

    fn facts_of(delivery: &Delivery) -> Facts<'_> {
        let mut facts = Facts::default();
        delivery.describe(&mut facts);
        facts
    }

    #[test]
    fn the_attempt_is_counted_by_a_quorum_queue_and_at_least_two_when_redelivered() {
        for (count, redelivered, attempt) in
            [(None, false, 1), (None, true, 2), (Some(0), true, 2), (Some(4), true, 5)]
        {
            let mut delivery =
                Delivery::mock(1, "".into(), "orders".into(), redelivered, Vec::new());
            if let Some(count) = count {
                let headers = table_of(&[(DELIVERY_COUNT, AMQPValue::LongLongInt(count))]);
                delivery.properties = BasicProperties::default().with_headers(headers);
            }
            assert_eq!(super::attempt(&delivery), attempt);
        }
    }

    #[test]
    fn a_queue_that_the_server_named_is_anonymous() {
        let delivery =
            Delivery::mock(1, "".into(), "amq.gen-JzTY20BRgKO".into(), false, Vec::new());
        assert_eq!(facts_of(&delivery).destination_for_a_name(), None);
        let delivery = Delivery::mock(1, "".into(), "replies".into(), false, Vec::new());
        assert_eq!(facts_of(&delivery).destination_for_a_name(), Some("replies"));
    }
}
