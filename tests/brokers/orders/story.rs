//! What became of each order, by the spans that were received.

use std::fmt;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Link, SpanKind};
use throughline_test_linter::Received;

/// The handlers of one order, all but that of the payment under `link`.
const LINKED: [&str; 3] = ["reserve", "send_newsletter", "write_invoice"];

const ATTEMPT: &str = "throughline.message.attempt";

/// The spans of all processes.
pub(crate) struct Story {
    spans: Vec<Span>,
}

impl Story {
    pub(crate) fn of(received: &Received) -> Self {
        let scopes = received.spans.iter().flat_map(|resource| &resource.scope_spans);
        Self { spans: scopes.flat_map(|scope| &scope.spans).cloned().collect() }
    }

    /// Whether all five have handled the order, and have tried to tell the broker so.
    pub(crate) fn is_told(&self, order: &str) -> bool {
        let Some(publish) = self.publish(order) else { return false };
        let are_done = LINKED.iter().all(|function| !self.handlings(function, order).is_empty());
        let settlements = self.settlements(publish).count();
        are_done && !self.recordings(publish).is_empty() && settlements >= super::HANDLERS
    }

    /// The payment is in the trace of its request, and everybody else has a link there.
    pub(crate) fn assert_is_joined(&self, order: &str) {
        let publish = self.publish(order).expect("it is published");
        assert_eq!((publish.name.as_str(), publish.kind()), ("publish orders", SpanKind::Producer));
        let request = self.parent(publish).expect("it is sent by a request");
        assert_eq!((request.name.as_str(), request.kind()), ("POST /orders", SpanKind::Server));
        assert_eq!(request.trace_id, publish.trace_id);

        for charge in self.handlings("charge_card", order) {
            assert_eq!(charge.parent_span_id, publish.span_id, "{self}");
            assert_eq!(charge.trace_id, publish.trace_id, "{self}");
            assert!(links_to(charge, publish) && charge.links.len() == 1, "{self}");
        }
        for function in LINKED {
            for handling in self.handlings(function, order) {
                assert!(is_root(handling), "{self}");
                assert!(links_to(handling, publish) && handling.links.len() == 1, "{self}");
            }
        }
        for recording in self.recordings(publish) {
            assert!(is_root(recording), "{self}");
        }
    }

    /// The broker knows that all have handled it.
    pub(crate) fn assert_is_settled(&self, order: &str) {
        let publish = self.publish(order).expect("it is published");
        let is_ok = |span: &&Span| span.status.as_ref().is_none_or(|status| status.code == 0);
        assert!(self.settlements(publish).filter(is_ok).count() >= super::HANDLERS, "{self}");
    }

    /// The order came to each handler as the `attempt`th, or later if the machine is busy.
    pub(crate) fn assert_every_handler_made_attempt(&self, order: &str, attempt: u64) {
        let is_it = |told: Option<String>| {
            told.and_then(|told| told.parse().ok()).is_some_and(|told: u64| told >= attempt)
        };
        for function in ["charge_card"].iter().chain(&LINKED) {
            let handlings = self.handlings(function, order);
            assert!(handlings.iter().any(|it| is_it(text(&it.attributes, ATTEMPT))), "{self}");
        }
        // A batch tells what its messages differ in on their links.
        let publish = self.publish(order).expect("it is published");
        let told = self.recordings(publish).into_iter().any(|recording| {
            let of_link = link_to(recording, publish).and_then(|it| text(&it.attributes, ATTEMPT));
            is_it(of_link.or_else(|| text(&recording.attributes, ATTEMPT)))
        });
        assert!(told, "{self}");
    }

    /// The broker does not count, but each handler tells which message it was.
    pub(crate) fn assert_nobody_counts_attempts(&self, order: &str) {
        for function in ["charge_card"].iter().chain(&LINKED) {
            for handling in self.handlings(function, order) {
                assert_eq!(text(&handling.attributes, ATTEMPT), None, "{self}");
                let offset = text(&handling.attributes, "messaging.kafka.offset");
                assert!(offset.is_some(), "{self}");
            }
        }
    }

    /// The span that has sent the order. It does not know the order, but the payment does.
    fn publish(&self, order: &str) -> Option<&Span> {
        self.parent(self.handlings("charge_card", order).first()?)
    }

    fn parent(&self, span: &Span) -> Option<&Span> {
        self.spans.iter().find(|it| it.span_id == span.parent_span_id)
    }

    fn handlings(&self, function: &str, order: &str) -> Vec<&Span> {
        let is_it = |span: &&Span| {
            is_of(span, function)
                && text(&span.attributes, "order.id").is_some_and(|it| it == order)
        };
        self.spans.iter().filter(is_it).collect()
    }

    fn settlements<'s>(&'s self, publish: &'s Span) -> impl Iterator<Item = &'s Span> {
        self.spans.iter().filter(|it| it.kind() == SpanKind::Client && links_to(it, publish))
    }

    fn recordings(&self, publish: &Span) -> Vec<&Span> {
        let is_it = |span: &&Span| is_of(span, "record_sales") && links_to(span, publish);
        self.spans.iter().filter(is_it).collect()
    }
}

/// For whoever has to find out why a test has failed.
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for span in &self.spans {
            let (trace, id) = (hex(&span.trace_id), hex(&span.span_id));
            write!(f, "{trace} {id} under {} {}", hex(&span.parent_span_id), span.name)?;
            for key in ["code.function.name", "order.id", ATTEMPT, "messaging.kafka.offset"] {
                write!(f, " {}", text(&span.attributes, key).unwrap_or_default())?;
            }
            for link in &span.links {
                write!(f, " -> {}", hex(&link.span_id))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

fn is_root(span: &Span) -> bool {
    span.parent_span_id.is_empty()
}

fn links_to(span: &Span, other: &Span) -> bool {
    link_to(span, other).is_some()
}

fn link_to<'s>(span: &'s Span, other: &Span) -> Option<&'s Link> {
    let is_it = |link: &&Link| link.trace_id == other.trace_id && link.span_id == other.span_id;
    span.links.iter().find(is_it)
}

fn is_of(span: &Span, function: &str) -> bool {
    let name = text(&span.attributes, "code.function.name");
    name.is_some_and(|name| name.rsplit("::").next() == Some(function))
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    let value = attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()?;
    match value {
        AnyValue { value: Some(Value::StringValue(text)) } => Some(text.clone()),
        AnyValue { value: Some(Value::IntValue(number)) } => Some(number.to_string()),
        _ => None,
    }
}

fn hex(id: &[u8]) -> String {
    id.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}
