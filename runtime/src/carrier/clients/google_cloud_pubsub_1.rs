//! Google Cloud Pub/Sub, with [`google-cloud-pubsub`](https://docs.rs/google-cloud-pubsub) 1. Feature
//! `google-cloud-pubsub-1`, which needs Rust 1.91.
//!
//! There is no server of Pub/Sub to test with: what stands here is tested with the client's own types, and not
//! with the service.
//!
//! # What is read and written
//!
//! The attributes of [`model::Message`](google_cloud_pubsub::model::Message). Google's own libraries keep a
//! context under names with a prefix, `googclient_traceparent`, and look for no others. So those are written,
//! in place of plain ones. Both are read; where there is a plain `traceparent`, no name with a prefix counts.
//! An attribute is there once.
//!
//! Pub/Sub refuses a message with more than 100 attributes or with one of more than 1024 bytes. What would
//! be too much is left out, `baggage` first of all: a publication never fails for telemetry.
//!
//! # What a message tells
//!
//! | of the message | becomes |
//! |---|---|
//! | | `messaging.system` = `gcp_pubsub` |
//! | `message_id` | `messaging.message.id` |
//! | `ordering_key` | `messaging.gcp_pubsub.message.ordering_key`, where it is sent |
//! | `publish_time` | `throughline.message.age`, in seconds, by the service's clock |
//! | `data` | `messaging.message.body.size`, in bytes |
//!
//! It knows neither topic nor subscription: the sender says `destination` = the topic, the consumer
//! `destination` = the subscription, as the conventions have it. The delivery attempt is the
//! [`Handler`](google_cloud_pubsub::subscriber::handler::Handler)'s to tell, where the subscription has a
//! dead-letter topic; a struct with a field `#[message(attempt)]` holds both, as below. The conventions call
//! the handling itself `subscribe`: say `operation = "subscribe"`.
//!
//! # Polls and settlements
//!
//! The client streams: it fetches ahead, extends leases by itself and hands out what it has. That needs no span
//! of a poll. `ack` and `nack` are settlements; with exactly-once delivery, `confirmed_ack` is one that is
//! waited for: `throughline::settle("ack").run(&message, handler.confirmed_ack())`.
//!
//! # Push delivery
//!
//! A push subscription posts JSON, whose `message` can be read as the client's type by `serde`. Then it is a
//! message like any other, handled inside the server's span: see
//! [webhooks](crate::clients::http_1#which-relation), with the feature `http-1`.
//!
//! # An example
//!
//! ```no_run
//! # #[cfg(feature = "macros")] {
//! use google_cloud_pubsub::client::{Publisher, Subscriber};
//! use google_cloud_pubsub::model;
//! use throughline::{Message, async_consumer, async_producer};
//!
//! type Error = Box<dyn std::error::Error>;
//!
//! /// The span `send orders`; its context goes into the message.
//! #[async_producer(destination = "orders")]
//! async fn publish(topic: &Publisher, #[message] order: model::Message) -> Result<String, Error> {
//!     Ok(topic.publish(order).await?)
//! }
//!
//! /// A message and what its handler says of it.
//! #[derive(Message)]
//! struct Delivery {
//!     #[message(headers)]
//!     order: model::Message,
//!     #[message(attempt)]
//!     attempt: Option<i32>,
//! }
//!
//! /// The span `subscribe billing`, in the trace of the sender.
//! #[async_consumer(continue, operation = "subscribe", destination = "billing")]
//! async fn charge_card(delivery: &Delivery) -> Result<(), String> {
//!     Ok(())
//! }
//!
//! async fn work() -> Result<(), Error> {
//!     let client = Subscriber::builder().build().await?;
//!     let mut stream = client.subscribe("projects/shop/subscriptions/billing").build();
//!     while let Some((order, handler)) = stream.next().await.transpose()? {
//!         let delivery = Delivery { order, attempt: handler.delivery_attempt() };
//!         let settle = |what| throughline::settle(what).destination("billing");
//!         match charge_card(&delivery).await {
//!             Ok(()) => settle("ack").run_sync(&delivery, || handler.ack()),
//!             Err(_) => settle("nack").run_sync(&delivery, || handler.nack()),
//!         }
//!     }
//!     Ok(())
//! }
//! # let _ = (publish, work);
//! # }
//! ```

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use google_cloud_pubsub::model;

use crate::semconv::system;
use crate::{Facts, HeaderReader, Message, MessageMut};

/// What Google's own libraries put before a header's name.
const PREFIX: &str = "googclient_";

// What the service takes ("Quotas and limits", "Resource limits").
const MAX_ATTRIBUTES: usize = 100;
const MAX_VALUE_BYTES: usize = 1024;

// From the conventions, "Google Cloud Pub/Sub".
const ORDERING_KEY: &str = "messaging.gcp_pubsub.message.ordering_key";

impl Message for model::Message {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        let has_plain_names = self.attributes.contains_key("traceparent");
        for (name, value) in &self.attributes {
            match name.strip_prefix(PREFIX) {
                None => reader.header(name, value),
                Some(_) if has_plain_names => {}
                Some(name) => reader.header(name, value),
            }
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::GCP_PUBSUB).id(&self.message_id).body_size(self.data.len() as u64);
        if !self.ordering_key.is_empty() {
            facts.attribute(ORDERING_KEY, self.ordering_key.as_str());
        }
        if let Some(sent) = publish_time(self) {
            facts.sent_at(sent);
        }
    }
}

/// What the service would refuse is left out: a publication never fails for telemetry.
impl MessageMut for model::Message {
    fn can_set_header(&self, _: &str, value: &str) -> bool {
        value.len() <= MAX_VALUE_BYTES && self.attributes.len() < MAX_ATTRIBUTES
    }

    fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        if self.can_set_header(name, value) {
            self.attributes.insert(format!("{PREFIX}{name}"), value.to_owned());
        }
    }

    fn remove_header(&mut self, name: &str) {
        self.attributes.retain(|known, _| {
            let known = known.strip_prefix(PREFIX).unwrap_or(known);
            !known.eq_ignore_ascii_case(name)
        });
    }

    fn tells_when_it_was_sent(&self) -> bool {
        true
    }
}

fn publish_time(message: &model::Message) -> Option<SystemTime> {
    let time = message.publish_time.as_ref()?;
    let seconds = u64::try_from(time.seconds()).ok()?;
    let nanoseconds = u32::try_from(time.nanos()).ok()?;
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceContext;
    use crate::testing::{Capture, Traces};
    use std::collections::BTreeMap;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";

    fn context() -> TraceContext {
        TraceContext::read_from(&[("traceparent", SENT), ("tracestate", "a=1"), ("baggage", "b=2")])
    }

    fn with(attributes: &[(&str, &str)]) -> model::Message {
        model::Message::new().set_data("two lemons").set_attributes(attributes.iter().copied())
    }

    fn attributes(message: &model::Message) -> BTreeMap<&str, &str> {
        message.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }

    fn traceparent(message: &model::Message) -> Option<String> {
        TraceContext::read_from(message).traceparent()
    }

    fn handled(message: &model::Message) -> Traces {
        let consumer = crate::consume("charge").continue_().destination("billing");
        Capture::new().run_sync(|| consumer.run_sync(message, || ()))
    }

    #[test]
    fn a_context_is_written_as_googles_libraries_do_and_read_again() {
        let mut message = with(&[("tenant", "acme")]);
        context().write_to(&mut message);
        let expected = [
            ("googclient_baggage", "b=2"),
            ("googclient_traceparent", SENT),
            ("googclient_tracestate", "a=1"),
            ("tenant", "acme"),
        ];
        assert_eq!(attributes(&message), BTreeMap::from(expected));
        assert_eq!(TraceContext::read_from(&message), context());
    }

    #[test]
    fn plain_names_are_read_and_go_before_those_with_a_prefix() {
        assert_eq!(traceparent(&with(&[("TraceParent", SENT)])).as_deref(), Some(SENT));
        let both = with(&[
            ("traceparent", SENT),
            ("googclient_traceparent", OTHER),
            ("googclient_tracestate", "others=1"),
        ]);
        let read = TraceContext::read_from(&both);
        assert_eq!(read, TraceContext::read_from(&[("traceparent", SENT)]));
    }

    #[test]
    fn a_context_replaces_the_one_under_either_name() {
        let mut message = with(&[
            ("Traceparent", OTHER),
            ("googclient_traceparent", OTHER),
            ("baggage", "stale=1"),
            ("googclient_Baggage", "stale=1"),
        ]);
        TraceContext::read_from(&[("traceparent", SENT)]).write_to(&mut message);
        assert_eq!(attributes(&message), BTreeMap::from([("googclient_traceparent", SENT)]));
    }

    #[test]
    fn what_the_service_would_refuse_is_left_out() {
        let much = format!("much={}", "x".repeat(1020));
        let headers = [("traceparent", SENT), ("baggage", &much)];
        let mut message = with(&[("baggage", "stale=1")]);
        TraceContext::read_from(&headers).write_to(&mut message);
        assert_eq!(attributes(&message), BTreeMap::from([("googclient_traceparent", SENT)]));

        let names: Vec<_> = (0..99).map(|number| number.to_string()).collect();
        let pairs: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
        let mut nearly_full = with(&pairs);
        context().write_to(&mut nearly_full);
        assert_eq!(nearly_full.attributes.len(), 100);
        assert_eq!(traceparent(&nearly_full).as_deref(), Some(SENT));
    }

    #[test]
    fn a_message_tells_what_it_knows() {
        let mut message = with(&[]).set_message_id("7").set_ordering_key("customer-1");
        message.publish_time = timestamp("2001-09-09T01:46:40Z");
        let traces = Capture::new().run_sync(|| {
            crate::produce("send").destination("orders").run_sync(&mut message, |_| ());
        });
        let key = "messaging.gcp_pubsub.message.ordering_key";
        traces
            .span("send orders")
            .has_attribute("messaging.system", "gcp_pubsub")
            .has_attribute(key, "customer-1");
        assert!(!attributes(&message).contains_key("googclient_throughline-sent"));

        let traces = handled(&message);
        let span = traces.span("process billing").has_attribute("messaging.system", "gcp_pubsub");
        span.has_attribute("messaging.message.id", "7");
        span.has_attribute("messaging.message.body.size", 10).has_no_attribute(key);
        let age = span.attribute("throughline.message.age").map(ToString::to_string);
        let since_2001 = age.and_then(|it| it.parse::<f64>().ok()).expect("an age");
        let now = UNIX_EPOCH.elapsed().expect("a clock").as_secs_f64();
        assert!((now - since_2001 - 1e9).abs() < 60.0, "{since_2001}");
    }

    /// As JSON has it, for the client exports no constructor.
    fn timestamp<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
        serde_json::from_value(text.into()).ok()
    }

    #[test]
    fn what_a_push_subscription_posts_is_a_message() {
        let body = format!(
            r#"{{"data": "dHdvIGxlbW9ucw==", "messageId": "7", "publishTime": "2026-11-25T12:00:00Z",
                 "attributes": {{"googclient_traceparent": "{SENT}"}}}}"#
        );
        let message: model::Message = serde_json::from_str(&body).expect("a message");
        let traces = handled(&message);
        let span = traces.span("process billing").continues(SENT);
        span.has_attribute("messaging.message.id", "7");
        span.has_attribute("messaging.message.body.size", 10);
        assert!(span.attribute("throughline.message.age").is_some());
    }

    #[test]
    fn junk_is_no_context() {
        let junk = with(&[("googclient_traceparent", "00-\u{0}"), ("googclient_", "1"), ("", "")]);
        assert!(TraceContext::read_from(&junk).is_empty());
        let traces = handled(&junk);
        let span = traces.span("process billing").is_root();
        span.has_attribute("throughline.relation.reason", "unreadable");
    }
}
