//! NATS and JetStream, by the client [async-nats](https://docs.rs/async-nats) 0.51. Cargo feature:
//! `async-nats-0_51`. The client needs Rust 1.89.
//!
//! # What is read and written
//!
//! | type | is read | is written | used with |
//! |---|---|---|---|
//! | `async_nats::HeaderMap` | yes | yes | `publish_with_headers` and its like |
//! | `async_nats::message::OutboundMessage` | yes | yes | `publish_message` |
//! | `async_nats::jetstream::message::PublishMessage`, its older name `Publish` too | yes | yes | `send_publish` |
//! | `async_nats::jetstream::message::OutboundMessage` | yes | yes | JetStream's `publish_message` |
//! | `async_nats::Message` | yes | | `subscribe`, `request` |
//! | `async_nats::jetstream::Message` | yes | | consumers |
//! | `async_nats::jetstream::message::StreamMessage` | yes | | `direct_get`, `get_raw_message` |
//!
//! The context is in the message's headers. NATS tells `Traceparent` from `traceparent`; here either is
//! read, and what is written stands in place of every casing. Of a header with several values,
//! different ones count as none, since NATS has no rule for them. A name or a value that the client
//! would refuse is left out, and so is a value of more than 64 KiB. Write into the message and not into its
//! field `headers`, an `Option`: where that is `None` there is nothing to write into.
//!
//! # What each fact becomes
//!
//! | attribute | from |
//! |---|---|
//! | `messaging.system` | `nats` |
//! | `messaging.destination.name` | the subject. It stands on the span and never in its name or a metric, for many subjects have a customer or an order in them: say `destination_template = "orders.{customer}"`, or `destination = "orders"` where there is but one |
//! | `messaging.destination.temporary`, `messaging.destination.anonymous` | a subject that begins with `_INBOX.`, which is where replies go; not where `custom_inbox_prefix` changes it |
//! | `messaging.message.id` | the header `Nats-Msg-Id`, by which JetStream finds duplicates: the same at the sender and at the consumer. Nothing else is an id that both know |
//! | `messaging.message.body.size` | the payload |
//! | `messaging.message.envelope.size` | subject, reply subject, headers and payload, of a message that was received |
//!
//! and of a message of JetStream besides:
//!
//! | attribute | from |
//! |---|---|
//! | `throughline.message.age` | the time at which the stream has stored it |
//! | `throughline.message.attempt` | how often it was delivered: 2 after a NAK, or when the time for an ACK is over |
//! | `messaging.consumer.group.name` | the consumer's name, which all who pull from it share. A consumer without a name of its own is given another one each time, and so are its metrics: give it a name (`durable_name`) or write `consumer_group = ".."` |
//! | `throughline.nats.stream.name`, `throughline.nats.stream.sequence` | the stream that holds it, and its place there |
//!
//! A message whose reply subject can't be read as JetStream's is told without these, and handled all the
//! same. A core message has no time of its own. Producers write the header `throughline-sent`, from which
//! the age is known then.
//!
//! # What can't be known
//!
//! - The queue group of a core subscription: write `consumer_group = ".."`.
//! - The server: write `server = "nats:4222"`.
//! - How much room is left. The server refuses a message whose headers and payload exceed its `max_payload`,
//!   and what is written here counts. A message that is to be sent as a whole is kept below 1 MiB, which
//!   servers take unless configured otherwise: baggage is left out first, then all. Headers alone don't
//!   know their payload, and a smaller limit is not known here: leave 1 KiB, and as much as you have
//!   baggage, of which OpenTelemetry holds at most 8 KiB.
//! - Headers that are no UTF-8. The client closes the connection on them before anybody sees the message.
//!
//! # An example
//!
//! ```no_run
//! use async_nats::jetstream::consumer::{PullConsumer, pull};
//! use async_nats::jetstream::context::PublishError;
//! use async_nats::jetstream::message::PublishMessage;
//! use async_nats::jetstream::{self, AckKind, Context, Message, stream};
//! use futures_util::TryStreamExt;
//! use throughline::{async_consumer, async_producer};
//!
//! #[async_producer(destination_template = "orders.{customer}")]
//! async fn publish(
//!     jetstream: &Context,
//!     customer: &str,
//!     #[message] order: PublishMessage,
//! ) -> Result<(), PublishError> {
//!     let stored = jetstream.send_publish(format!("orders.{customer}"), order).await?;
//!     stored.await?;
//!     Ok(())
//! }
//!
//! #[async_consumer(continue, destination_template = "orders.{customer}")]
//! async fn charge_card(order: &Message) -> Result<(), std::str::Utf8Error> {
//!     println!("{}", std::str::from_utf8(&order.payload)?);
//!     Ok(())
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), async_nats::Error> {
//!     let jetstream = jetstream::new(async_nats::connect("127.0.0.1:4222").await?);
//!     let stream = jetstream
//!         .get_or_create_stream(stream::Config {
//!             name: "ORDERS".to_owned(),
//!             subjects: vec!["orders.*".to_owned()],
//!             ..Default::default()
//!         })
//!         .await?;
//!     let durable_name = Some("payments".to_owned());
//!     let consumer: PullConsumer = stream
//!         .create_consumer(pull::Config { durable_name, ..Default::default() })
//!         .await?;
//!
//!     publish(&jetstream, "ada", PublishMessage::build().payload("two lemons".into())).await?;
//!
//!     // A request for up to ten messages: what a span of a poll is for.
//!     let fetch = async {
//!         consumer.fetch().max_messages(10).messages().await?.try_collect::<Vec<_>>().await
//!     };
//!     let orders =
//!         throughline::receive("fetch").destination_template("orders.{customer}").run(fetch).await?;
//!     for order in &orders {
//!         if charge_card(order).await.is_ok() {
//!             throughline::settle("ack").run(order, order.ack()).await?;
//!         } else {
//!             let again = AckKind::Nak(None);
//!             throughline::settle("nak").run(order, order.ack_with(again)).await?;
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! `orders` is a batch as it stands: a handler may take `&[Message]`, under `link`.
//!
//! # Receiving and settling
//!
//! `fetch` and `batch` ask the server and are worth a span. The stream that `consumer.messages()` gives
//! has asked ahead, so its `try_next` is not. A core subscription is pushed to.
//!
//! | to the server | the span |
//! |---|---|
//! | ACK, and the one that waits for an answer | `settle("ack").run(&order, order.ack())`, `order.double_ack()` |
//! | NAK | `settle("nak").run(&order, order.ack_with(AckKind::Nak(None)))` |
//! | TERM | `settle("term").run(&order, order.ack_with(AckKind::Term))` |
//! | in progress, which settles nothing | `settle("in_progress").unsettled().run(&order, order.ack_with(AckKind::Progress))` |
//!
//! A batch of which the last message acknowledges all (`AckPolicy::All`) is settled by
//! `settle("ack").run(&orders, orders[9].ack())`.
//!
//! # Requests and replies
//!
//! A request is a message with a reply subject, and so is sent as one: `into` a `HeaderMap` that goes into
//! `request_with_headers`. The reply is received by whoever waits for it, and needs no handler. Whoever
//! answers may write its own context into the reply's headers.
//!
//! ```no_run
//! use async_nats::client::RequestError;
//! use async_nats::{Client, HeaderMap, Message, PublishError};
//! use throughline::{async_consumer, async_producer};
//!
//! #[async_producer(destination = "prices", into = headers)]
//! async fn ask(client: &Client, headers: HeaderMap) -> Result<Message, RequestError> {
//!     client.request_with_headers("prices", headers, "tea".into()).await
//! }
//!
//! #[async_consumer(continue, destination = "prices")]
//! async fn answer(#[message] question: Message, client: &Client) -> Result<(), PublishError> {
//!     match question.reply {
//!         Some(whoever_asks) => client.publish(whoever_asks, "3.50".into()).await,
//!         None => Ok(()),
//!     }
//! }
//! ```

use std::mem;

use async_nats::header::{HeaderMap, HeaderName, HeaderValue, NATS_MESSAGE_ID, NATS_STREAM};
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::{Subject, jetstream, message};

use crate::carrier::{Facts, HeaderReader, Message, MessageMut};
use crate::semconv::{key, system};

impl Message for HeaderMap {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        for (name, values) in self.iter() {
            for value in values {
                reader.header(name.as_ref(), value.as_str());
            }
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::NATS);
        if let Some(id) = self.get_last(NATS_MESSAGE_ID) {
            facts.id(id.as_str());
        }
    }
}

/// Longer than any context has to be, in bytes: W3C Baggage, section 3.3, asks for 8 KiB.
const LONGEST: usize = 65_536;

/// What a server takes unless it is configured otherwise, headers and payload together, in bytes.
const MAX_PAYLOAD: usize = 1 << 20;

/// A name or a value that NATS does not allow is left out, for the client panics at one; and a value so
/// long that it may take the message beyond what the server allows.
impl MessageMut for HeaderMap {
    fn can_set_header(&self, name: &str, value: &str) -> bool {
        name.parse::<HeaderName>().is_ok()
            && value.parse::<HeaderValue>().is_ok()
            && value.len() <= LONGEST
    }

    fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        match (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            (Ok(name), Ok(allowed)) if value.len() <= LONGEST => self.insert(name, allowed),
            _ => {}
        }
    }

    fn remove_header(&mut self, name: &str) {
        let is_it = |known: &HeaderName| {
            let known: &str = known.as_ref();
            known.eq_ignore_ascii_case(name)
        };
        if !self.iter().any(|(known, _)| is_it(known)) {
            return;
        }
        // The map has no way to take something out.
        for (known, values) in mem::take(self).iter().filter(|(known, _)| !is_it(known)) {
            for value in values {
                self.append(known.clone(), value.clone());
            }
        }
    }
}

impl Message for async_nats::Message {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        self.headers.describe(facts);
        addressed(facts, &self.subject, &self.payload);
        // A message that was not received has 0 there.
        if self.length > 0 {
            facts.envelope_size(self.length as u64);
        }
    }
}

impl Message for jetstream::Message {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.message.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        self.message.describe(facts);
        let Ok(info) = self.info() else { return };
        facts.consumer_group(info.consumer).sent_at(info.published.into());
        if let Ok(attempt) = u64::try_from(info.delivered) {
            facts.attempt(attempt);
        }
        stored(facts, info.stream, info.stream_sequence);
    }
}

impl Message for StreamMessage {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        self.headers.describe(facts);
        addressed(facts, &self.subject, &self.payload);
        facts.sent_at(self.time.into());
        let stream = self.headers.get_last(NATS_STREAM).map(HeaderValue::as_str);
        stored(facts, stream.unwrap_or_default(), self.sequence);
    }
}

macro_rules! message_to_be_sent {
    ($message:ty, tells_when_it_was_sent: $tells:expr) => {
        impl Message for $message {
            fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
                self.headers.headers(reader);
            }

            fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
                self.headers.describe(facts);
                addressed(facts, &self.subject, &self.payload);
            }
        }

        impl MessageMut for $message {
            fn can_set_header(&self, name: &str, value: &str) -> bool {
                has_room(&self.payload, self.headers.as_ref(), name, value)
            }

            fn set_header(&mut self, name: &str, value: &str) {
                self.headers.get_or_insert_default().set_header(name, value);
            }

            fn remove_header(&mut self, name: &str) {
                self.headers.remove_header(name);
                // None at all are shorter than none in a list.
                if self.headers.as_ref().is_some_and(HeaderMap::is_empty) {
                    self.headers = None;
                }
            }

            fn tells_when_it_was_sent(&self) -> bool {
                $tells
            }
        }
    };
}

message_to_be_sent!(message::OutboundMessage, tells_when_it_was_sent: false);
message_to_be_sent!(jetstream::message::OutboundMessage, tells_when_it_was_sent: true);

// What it has shows in the message that it becomes, and nowhere else.
impl Message for PublishMessage {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        let headers = outbound(self.clone()).headers.unwrap_or_default();
        for (name, values) in headers.iter() {
            for value in values {
                reader.header_named(name.to_string(), value.to_string());
            }
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let message = outbound(self.clone());
        facts.own_system(system::NATS).body_size(message.payload.len() as u64);
        if let Some(id) = message.headers.unwrap_or_default().get_last(NATS_MESSAGE_ID) {
            facts.id(id.to_string());
        }
    }
}

impl MessageMut for PublishMessage {
    fn can_set_header(&self, name: &str, value: &str) -> bool {
        let message = outbound(self.clone());
        has_room(&message.payload, message.headers.as_ref(), name, value)
    }

    fn set_header(&mut self, name: &str, value: &str) {
        change_headers(self, |headers| headers.set_header(name, value));
    }

    fn remove_header(&mut self, name: &str) {
        change_headers(self, |headers| headers.remove_header(name));
    }

    /// JetStream tells when it has stored a message.
    fn tells_when_it_was_sent(&self) -> bool {
        true
    }
}

fn change_headers(message: &mut PublishMessage, change: impl FnOnce(&mut HeaderMap)) {
    let jetstream::message::OutboundMessage { payload, headers, .. } = outbound(mem::take(message));
    let mut headers = headers.unwrap_or_default();
    change(&mut headers);
    *message = PublishMessage::build().payload(payload);
    // None at all are shorter than none in a list.
    if !headers.is_empty() {
        *message = mem::take(message).headers(headers);
    }
}

fn outbound(message: PublishMessage) -> jetstream::message::OutboundMessage {
    message.outbound_message(Subject::from_static(""))
}

/// Whether the server takes a message with this header as well. To one that takes a larger payload than is
/// usual, the usual limit does not apply.
fn has_room(payload: &[u8], headers: Option<&HeaderMap>, name: &str, value: &str) -> bool {
    let size = |name: &str, value: &str| name.len() + value.len() + ": \r\n".len();
    let mut after = payload.len() + "NATS/1.0\r\n\r\n".len() + size(name, value);
    for (name, values) in headers.iter().flat_map(|headers| headers.iter()) {
        after += values.iter().map(|value| size(name.as_ref(), value.as_str())).sum::<usize>();
    }
    let fits = after <= MAX_PAYLOAD || payload.len() > MAX_PAYLOAD;
    fits && HeaderMap::new().can_set_header(name, value)
}

/// Where a message goes, and what is in it.
fn addressed<'m>(facts: &mut Facts<'m>, subject: &'m Subject, payload: &[u8]) {
    facts
        .own_system(system::NATS)
        .varying_destination(subject.as_str())
        .body_size(payload.len() as u64);
    // The client makes up such a subject for each connection, to have replies sent there.
    if subject.starts_with("_INBOX.") {
        facts.temporary_destination().anonymous_destination();
    }
}

/// Where a stream holds a message.
fn stored(facts: &mut Facts<'_>, stream: &str, sequence: u64) {
    facts.attribute(key::NATS_STREAM_NAME, stream);
    if let Ok(sequence) = i64::try_from(sequence) {
        facts.attribute(key::NATS_STREAM_SEQUENCE, sequence);
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use async_nats::ConnectOptions;

    use super::*;
    use crate::testing::{Traces, capture_sync};
    use crate::{Outcome, TraceContext, consume, produce};

    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER_SENDER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";
    /// As server 2.9 writes it, and with the account that later ones add.
    const ACK: &str = "$JS.ACK.ORDERS.payments.2.42.7.1700000000000000000.3";
    const LONG_ACK: &str = "$JS.ACK._.account.ORDERS.payments.2.42.7.1700000000000000000.3";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, *value);
        }
        headers
    }

    fn sender(message: &impl Message) -> Option<String> {
        TraceContext::read_from(message).traceparent()
    }

    fn received(subject: &str, headers: Option<HeaderMap>) -> async_nats::Message {
        async_nats::Message {
            subject: subject.into(),
            reply: None,
            payload: "lemon".into(),
            headers,
            status: None,
            description: None,
            length: 40,
        }
    }

    /// A message of JetStream, which has a client; this one never reaches a server.
    async fn delivered(reply: &str) -> jetstream::Message {
        let unconnected = ConnectOptions::new().retry_on_initial_connect();
        let client = unconnected.connect("127.0.0.1:1").await.unwrap();
        let headers = headers(&[("traceparent", SENDER), ("Nats-Msg-Id", "a1")]);
        let message = received("orders.ada", Some(headers));
        let message = async_nats::Message { reply: Some(reply.into()), ..message };
        jetstream::Message { message, context: jetstream::new(client) }
    }

    fn handled(message: &impl Message) -> Traces {
        capture_sync(|| consume("charge_card").link().run_sync(message, || ()))
    }

    #[test]
    fn any_casing_is_read() {
        for name in ["traceparent", "Traceparent", "TRACEPARENT"] {
            let headers = headers(&[("tenant", "acme"), (name, SENDER)]);
            assert_eq!(sender(&headers).as_deref(), Some(SENDER));
            let message = received("orders", Some(headers));
            assert_eq!(sender(&message).as_deref(), Some(SENDER));
        }
        assert_eq!(sender(&received("orders", None)), None);
    }

    #[test]
    fn different_values_count_as_none_and_equal_ones_once() {
        let twice = |other| headers(&[("traceparent", SENDER), ("traceparent", other)]);
        assert_eq!(sender(&twice(OTHER_SENDER)), None);
        assert_eq!(sender(&twice(SENDER)).as_deref(), Some(SENDER));
    }

    #[test]
    fn what_is_written_stands_in_place_of_every_casing_and_of_nothing_else() {
        let mut written = headers(&[
            ("Traceparent", OTHER_SENDER),
            ("traceparent", OTHER_SENDER),
            ("traceparent", "another"),
            ("tenant", "acme"),
            ("tenant", "ajax"),
        ]);
        written.set_header("traceparent", SENDER);
        let tenants = [("tenant", "acme"), ("tenant", "ajax")];
        let mut expected = headers(&tenants);
        expected.insert("traceparent", SENDER);
        assert_eq!(written, expected);
        written.remove_header("traceparent");
        assert_eq!(written, headers(&tenants));
    }

    #[test]
    fn what_the_client_or_the_server_would_refuse_is_left_out() {
        let mut written = headers(&[("baggage", "old=1")]);
        written.set_header("baggage", "two\r\nlines");
        written.set_header("a:b", "c");
        written.set_header("na\u{ef}ve", "c");
        written.set_header("too-long", &"x".repeat(LONGEST + 1));
        assert_eq!(written, HeaderMap::new());
    }

    #[test]
    fn each_kind_that_is_sent_takes_a_context_and_keeps_the_rest() {
        let given = || headers(&[("tenant", "acme"), ("Nats-Msg-Id", "a1")]);
        let mut expected = given();
        expected.insert("traceparent", SENDER);

        let empty = PublishMessage::build().payload("lemon".into());
        let mut built = empty.clone().headers(given());
        built.set_header("traceparent", SENDER);
        assert_eq!(sender(&built).as_deref(), Some(SENDER));
        let sent = built.outbound_message("orders");
        assert_eq!((&*sent.payload, sent.headers.as_ref()), (&b"lemon"[..], Some(&expected)));

        let mut to_a_stream = empty.clone().headers(given()).outbound_message("orders");
        to_a_stream.set_header("traceparent", SENDER);
        assert_eq!(sender(&to_a_stream).as_deref(), Some(SENDER));
        assert_eq!(to_a_stream.headers.as_ref(), Some(&expected));

        let mut outbound = message::OutboundMessage::from(empty.outbound_message("orders"));
        outbound.remove_header("traceparent");
        assert_eq!(outbound.headers, None);
        outbound.set_header("traceparent", SENDER);
        assert_eq!(outbound.headers, Some(headers(&[("traceparent", SENDER)])));
    }

    #[test]
    fn the_time_is_noted_where_no_stream_tells_it() {
        let send = |message: &mut dyn MessageMut| {
            capture_sync(|| produce("publish").start(message).finish(Outcome::ok()));
        };
        let notes = |headers: &HeaderMap| {
            ["traceparent", "throughline-sent"].map(|name| headers.get(name).is_some())
        };
        let mut headers = HeaderMap::new();
        send(&mut headers);
        assert_eq!(notes(&headers), [true, true]);
        let mut built = PublishMessage::build();
        send(&mut built);
        let stored = built.outbound_message("orders");
        assert_eq!(stored.headers.as_ref().map(notes), Some([true, false]));
        let mut to_a_stream = PublishMessage::build().outbound_message("orders");
        let mut outbound: message::OutboundMessage =
            PublishMessage::build().outbound_message("orders").into();
        send(&mut to_a_stream);
        assert_eq!(to_a_stream.headers.as_ref().map(notes), Some([true, false]));
        send(&mut outbound);
        assert_eq!(outbound.headers.as_ref().map(notes), Some([true, true]));
    }

    #[test]
    fn what_fits_into_a_message_is_written_and_no_more() {
        let context = TraceContext::read_from(&headers(&[
            ("traceparent", SENDER),
            ("baggage", &format!("cart={}", "x".repeat(1_000))),
        ]));
        let written = |payload: usize| {
            let mut built = PublishMessage::build().payload(vec![0; payload].into());
            let mut outbound = built.clone().outbound_message("orders");
            context.write_to(&mut built);
            context.write_to(&mut outbound);
            assert_eq!(built.outbound_message("orders").headers, outbound.headers);
            let headers = outbound.headers.unwrap_or_default();
            ["traceparent", "baggage"].map(|name| headers.get(name).is_some())
        };
        // `NATS/1.0`, `traceparent: ` with 55 characters, and the ends of both lines and of all.
        let smallest = 8 + 2 + 13 + 55 + 2 + 2;
        assert_eq!(written(100), [true, true]);
        assert_eq!(written(MAX_PAYLOAD - 1_050), [true, false]);
        assert_eq!(written(MAX_PAYLOAD - smallest), [true, false]);
        assert_eq!(written(MAX_PAYLOAD - smallest + 1), [false, false]);
        assert_eq!(written(MAX_PAYLOAD), [false, false]);
        assert_eq!(written(MAX_PAYLOAD + 1), [true, true]);
    }

    #[test]
    fn a_sent_message_tells_its_subject_its_id_and_its_size() {
        let mut built = PublishMessage::build().payload("lemon".into()).message_id("a1");
        let traces = capture_sync(|| {
            let publish = produce("publish").destination_template("orders.{customer}");
            publish.start(&mut built).finish(Outcome::ok());
            let mut message = built.clone().outbound_message("orders.ada");
            produce("forward").start(&mut message).finish(Outcome::ok());
        });
        for (name, subject) in [("send orders.{customer}", None), ("forward", Some("orders.ada"))] {
            let span = traces.span(name);
            span.has_attribute("messaging.system", "nats")
                .has_attribute("messaging.message.id", "a1")
                .has_attribute("messaging.message.body.size", 5);
            let told = span.attribute("messaging.destination.name").map(ToString::to_string);
            assert_eq!(told.as_deref(), subject);
        }
    }

    #[tokio::test]
    async fn a_message_of_jetstream_tells_what_its_reply_subject_says() {
        let since = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let age = since.elapsed().unwrap().as_secs_f64();
        for ack in [ACK, LONG_ACK] {
            let traces = handled(&delivered(ack).await);
            let span = traces.span("charge_card");
            span.has_attribute("messaging.system", "nats")
                .has_attribute("messaging.destination.name", "orders.ada")
                .has_attribute("messaging.message.id", "a1")
                .has_attribute("messaging.message.body.size", 5)
                .has_attribute("messaging.message.envelope.size", 40)
                .has_attribute("messaging.consumer.group.name", "payments")
                .has_attribute("throughline.message.attempt", 2)
                .has_attribute("throughline.nats.stream.name", "ORDERS")
                .has_attribute("throughline.nats.stream.sequence", 42)
                .has_links(1);
            let told = span.attribute("throughline.message.age").unwrap();
            let told: f64 = told.as_str().parse().unwrap();
            assert!((age..age + 60.0).contains(&told), "{told} after {age}");
        }
    }

    #[tokio::test]
    async fn a_reply_subject_that_is_not_jetstreams_costs_what_it_would_tell_and_no_more() {
        for junk in [
            "_INBOX.abc",
            "$JS.ACK.",
            "$JS.ACK.ORDERS.payments.2.42",
            "$JS.ACK.ORDERS.payments.two.42.7.1700000000000000000.3",
            "$JS.ACK.ORDERS.payments.2.42.7.170000000000000000000000000000000000000.3",
        ] {
            let traces = handled(&delivered(junk).await);
            traces
                .span("charge_card")
                .has_attribute("messaging.message.id", "a1")
                .has_no_attribute("throughline.message.age")
                .has_no_attribute("throughline.nats.stream.name")
                .has_links(1);
        }
        let never = delivered("$JS.ACK.ORDERS.payments.-2.42.7.-1700000000000000000.3").await;
        handled(&never)
            .span("charge_card")
            .has_no_attribute("throughline.message.attempt")
            .has_attribute("throughline.nats.stream.name", "ORDERS");
    }

    #[test]
    fn a_message_read_from_a_stream_tells_where_it_stands() {
        let message = StreamMessage {
            subject: "orders.ada".into(),
            sequence: u64::MAX,
            headers: headers(&[("Nats-Stream", "ORDERS"), ("Traceparent", SENDER)]),
            payload: "lemon".into(),
            time: async_nats::datetime::now(),
        };
        handled(&message)
            .span("charge_card")
            .has_attribute("messaging.destination.name", "orders.ada")
            .has_attribute("throughline.nats.stream.name", "ORDERS")
            .has_no_attribute("throughline.nats.stream.sequence")
            .has_links(1);
    }

    #[test]
    fn replies_have_a_destination_that_goes_away() {
        handled(&received("_INBOX.abc.1", None))
            .span("charge_card")
            .has_attribute("messaging.destination.name", "_INBOX.abc.1")
            .has_attribute("messaging.destination.temporary", true)
            .has_attribute("messaging.destination.anonymous", true);
        handled(&received("orders._INBOX.1", None))
            .span("charge_card")
            .has_no_attribute("messaging.destination.temporary");
    }

    #[test]
    fn a_message_that_was_not_received_has_no_size_as_a_whole() {
        let message = async_nats::Message { length: 0, ..received("orders.ada", None) };
        handled(&message)
            .span("charge_card")
            .has_attribute("messaging.message.body.size", 5)
            .has_no_attribute("messaging.message.envelope.size");
    }
}
