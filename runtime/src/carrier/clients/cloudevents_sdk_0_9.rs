//! [CloudEvents](https://cloudevents.io), with [`cloudevents-sdk`](https://docs.rs/cloudevents-sdk) 0.9: an
//! [`Event`] carries its context itself, whichever broker brings it. Feature `cloudevents-sdk-0_9`.
//!
//! # What is read and written
//!
//! The extension attributes `traceparent` and `tracestate` of the
//! [distributed tracing extension](https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/distributed-tracing.md),
//! and `baggage` beside them. They are read in any casing, and one that is
//! no text counts as a context that can't be read.
//!
//! CloudEvents allows lower-case letters and digits in a name and nothing else, so only such names are
//! written. An event therefore carries no wish for a new trace, no failed attempt, and no context of a
//! propagator whose headers have a dash, as those of B3 in several headers.
//!
//! The extension is to name the *start* of an event's way, not each hop. That is what a producer does with a
//! context that somebody chose: it stays, and the producer's span links to it. A handler that passes the very
//! event on says `existing = keep`.
//!
//! # What an event tells
//!
//! | of the event | becomes |
//! |---|---|
//! | `id` | `messaging.message.id` and `cloudevents.event_id` |
//! | `source`, `type`, `subject`, `specversion` | `cloudevents.event_source`, `.event_type`, `.event_subject`, `.event_spec_version` |
//! | `time` | `throughline.message.age`, in seconds. Without it the age is not known |
//! | `data`, unless it is JSON | `messaging.message.body.size`, in bytes |
//!
//! The broker is not known here, so the handler says `system` and `destination`. Which delivery it is and how it
//! is settled are the broker's to know.
//!
//! # Which relation
//!
//! An event that a broker hands out may have any. One that is posted by HTTP is handled inside the server's
//! span: see [webhooks](crate::clients::http_1#which-relation), with the feature `http-1`. Where the request
//! has a `traceparent` of its own, that is the hop's, and the event's is read here.
//!
//! # An example
//!
//! ```
//! # #[cfg(feature = "macros")] {
//! use cloudevents::{Event, EventBuilder, EventBuilderV10};
//! use throughline::{async_consumer, async_producer};
//!
//! /// The span `send orders`; its context goes into the event.
//! #[async_producer(system = "webhook", destination = "orders")]
//! async fn publish(event: Event) -> Result<(), std::io::Error> {
//!     Ok(()) // hand it to the broker's client, in binary or structured mode
//! }
//!
//! async fn place_order() -> Result<(), Box<dyn std::error::Error>> {
//!     let event = EventBuilderV10::new()
//!         .id("A-1")
//!         .source("https://shop.example/orders")
//!         .ty("example.shop.order.placed")
//!         .time("2026-11-25T12:00:00Z")
//!         .data("text/plain", "two lemons")
//!         .build()?;
//!     Ok(publish(event).await?)
//! }
//!
//! /// The span `process orders`, in the trace of the sender.
//! #[async_consumer(continue, system = "webhook", destination = "orders")]
//! async fn order_placed(event: Event) {}
//! # let _ = (place_order, order_placed);
//! # }
//! ```

use cloudevents::event::{Data, ExtensionValue};
use cloudevents::{AttributesReader, Event};

use crate::{Facts, HeaderReader, Message, MessageMut};

// From the conventions, "CloudEvents".
const EVENT_ID: &str = "cloudevents.event_id";
const EVENT_SOURCE: &str = "cloudevents.event_source";
const EVENT_SPEC_VERSION: &str = "cloudevents.event_spec_version";
const EVENT_SUBJECT: &str = "cloudevents.event_subject";
const EVENT_TYPE: &str = "cloudevents.event_type";

impl Message for Event {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        for (name, value) in self.iter_extensions() {
            match value {
                ExtensionValue::String(text) => reader.header(name, text),
                other => reader.header(name, other.to_string()),
            }
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts
            .id(self.id())
            .attribute(EVENT_ID, self.id())
            .attribute(EVENT_SOURCE, self.source().as_str())
            .attribute(EVENT_SPEC_VERSION, self.specversion().as_str())
            .attribute(EVENT_TYPE, self.ty());
        if let Some(subject) = self.subject() {
            facts.attribute(EVENT_SUBJECT, subject);
        }
        if let Some(time) = self.time() {
            facts.sent_at((*time).into());
        }
        match self.data() {
            Some(Data::Binary(bytes)) => facts.body_size(bytes.len() as u64),
            Some(Data::String(text)) => facts.body_size(text.len() as u64),
            // What it takes as text is known when it is sent.
            Some(Data::Json(_)) | None => facts,
        };
    }
}

/// A name that CloudEvents does not allow is left out.
impl MessageMut for Event {
    fn can_set_header(&self, name: &str, _: &str) -> bool {
        name.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
    }

    fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        if self.can_set_header(name, value) {
            self.set_extension(name, value);
        }
    }

    fn remove_header(&mut self, name: &str) {
        let names = self.iter_extensions().map(|(known, _)| known);
        let casings = names.filter(|it| it.eq_ignore_ascii_case(name)).map(str::to_owned);
        let casings: Vec<String> = casings.collect();
        for casing in casings {
            self.remove_extension(&casing);
        }
    }

    fn tells_when_it_was_sent(&self) -> bool {
        self.time().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceContext;
    use crate::testing::{Capture, Traces};
    use cloudevents::{AttributesWriter, EventBuilder, EventBuilderV10};
    use std::collections::BTreeMap;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn event() -> Event {
        let event = EventBuilderV10::new().id("A-1").source("/orders").ty("order.placed");
        event.subject("lemons").data("text/plain", "two lemons").build().expect("an event")
    }

    fn context() -> TraceContext {
        TraceContext::read_from(&[("traceparent", SENT), ("tracestate", "a=1"), ("baggage", "b=2")])
    }

    fn extensions(event: &Event) -> BTreeMap<String, String> {
        let pairs = event.iter_extensions();
        pairs.map(|(name, value)| (name.to_owned(), value.to_string())).collect()
    }

    fn handled(event: &Event) -> Traces {
        let consumer = crate::consume("charge").continue_().system("nats").destination("orders");
        Capture::new().run_sync(|| consumer.run_sync(event, || ()))
    }

    #[test]
    fn a_context_is_written_as_the_extension_has_it_and_read_again() {
        let mut event = event();
        event.set_extension("tenant", "acme");
        context().write_to(&mut event);
        let expected = [("baggage", "b=2"), ("tenant", "acme"), ("traceparent", SENT)];
        let expected = expected.into_iter().chain([("tracestate", "a=1")]);
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(extensions(&event), expected);
        assert_eq!(TraceContext::read_from(&event), context());
    }

    #[test]
    fn the_context_survives_the_json_of_the_event() {
        let mut event = event();
        context().write_to(&mut event);
        let json = serde_json::to_string(&event).expect("JSON");
        assert!(json.contains(&format!(r#""traceparent":"{SENT}""#)), "{json}");
        let event: Event = serde_json::from_str(&json).expect("an event");
        assert_eq!(TraceContext::read_from(&event), context());
    }

    #[test]
    fn every_casing_is_read_and_replaced() {
        let mut event = event();
        event.set_extension("TraceParent", SENT);
        assert_eq!(TraceContext::read_from(&event).traceparent().as_deref(), Some(SENT));
        event.set_extension("BAGGAGE", "stale=1");
        event.set_extension("Baggage", "stale=2");
        TraceContext::read_from(&[("traceparent", SENT)]).write_to(&mut event);
        assert_eq!(extensions(&event).into_keys().collect::<Vec<_>>(), ["traceparent"]);
    }

    #[test]
    fn only_names_that_are_allowed_are_written() {
        let mut event = event();
        for name in ["throughline-sent", "x-b3-traceid", "naïve"] {
            event.set_header(name, "1");
        }
        assert_eq!(extensions(&event), BTreeMap::new());
        event.set_header("b3", "0");
        assert_eq!(event.extension("b3"), Some(&ExtensionValue::from("0")));
    }

    #[test]
    fn an_extension_that_is_no_text_is_no_context() {
        let mut event = event();
        event.set_extension("traceparent", 7);
        event.set_extension("baggage", true);
        assert!(TraceContext::read_from(&event).is_empty());
        handled(&event)
            .span("process orders")
            .has_attribute("throughline.relation.reason", "unreadable");
    }

    #[test]
    fn an_event_tells_what_it_is() {
        let mut event = event();
        event.set_time(Some(std::time::UNIX_EPOCH));
        context().write_to(&mut event);
        let traces = handled(&event);
        let span = traces.span("process orders").continues(SENT);
        for (key, value) in [
            ("messaging.message.id", "A-1"),
            ("cloudevents.event_id", "A-1"),
            ("cloudevents.event_source", "/orders"),
            ("cloudevents.event_spec_version", "1.0"),
            ("cloudevents.event_subject", "lemons"),
            ("cloudevents.event_type", "order.placed"),
        ] {
            span.has_attribute(key, value);
        }
        span.has_attribute("messaging.message.body.size", 10);
        let age = span.attribute("throughline.message.age").map(ToString::to_string);
        assert!(age.and_then(|it| it.parse::<f64>().ok()).is_some_and(|it| it > 1e9));
    }

    #[test]
    fn an_event_without_a_time_has_no_age_and_json_no_size() {
        let mut event = event();
        event.set_data("application/json", serde_json::json!({"lemons": 2}));
        crate::produce("send").run_sync(&mut event, |_| ());
        let traces = handled(&event);
        let span = traces.span("process orders").has_no_attribute("throughline.message.age");
        span.has_no_attribute("messaging.message.body.size");
    }
}
