//! What is compared says the same of a message: a span of the same kind with the same parent, links and attributes. A
//! cheaper way to say less would be no comparison.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry::{Context, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, Span, SpanData, SpanProcessor};
use throughline_benches::messages::{Message, Messages, Order};
use throughline_benches::ways::within;
use throughline_benches::{block_on, by_hand, compared, fewest_calls};
use tracing_subscriber::layer::SubscriberExt as _;

static ENDED: Mutex<Vec<SpanData>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Keep;

impl SpanProcessor for Keep {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        ENDED.lock().unwrap_or_else(PoisonError::into_inner).push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// What a span says of its message, without its ids, its name and the name of its function.
fn said_by(handle: impl FnOnce() -> usize) -> String {
    handle();
    let mut ended = ENDED.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(ended.len(), 1);
    let span = ended.remove(0);

    let mut attributes: Vec<String> = span.attributes.iter().map(|it| it.key.to_string()).collect();
    for told in ["messaging.operation.type", "throughline.relation.kind"] {
        let own = span.attributes.iter().find(|it| it.key.as_str() == told);
        attributes.push(own.map_or_else(String::new, |it| format!("{told}={}", it.value)));
    }
    attributes.sort();
    let links: Vec<_> = span.links.iter().map(|link| &link.span_context).collect();
    let is_of_the_senders_trace =
        links.iter().any(|it| it.trace_id() == span.span_context.trace_id());
    format!(
        "{:?}, under {:?}, in the sender's trace: {is_of_the_senders_trace}, links {links:?}, {attributes:?}",
        span.span_kind, span.parent_span_id,
    )
}

#[test]
fn every_way_makes_the_same_span() {
    let provider = SdkTracerProvider::builder().with_span_processor(Keep).build();
    global::set_tracer_provider(provider.clone());
    by_hand::KEPT.set(provider.tracer("bench")).expect("it is the first");
    let message = &Messages::new(true).one;

    let link = said_by(|| block_on(by_hand::api_link(message, 0)));
    assert!(link.contains("in the sender's trace: false"), "{link}");
    assert!(link.contains("throughline.relation.kind=link"), "{link}");
    let links = [
        said_by(|| block_on(compared::link(message, 0))),
        said_by(|| block_on(by_hand::kept_link(message, 0))),
        said_by(|| block_on(fewest_calls::link(message, 0))),
        said_by(|| block_on(fewest_calls::kept_link(message, 0))),
    ];
    links.iter().for_each(|other| assert_eq!(*other, link));

    let record = &Messages::new(true).record;
    let with_facts = said_by(|| block_on(by_hand::api_record(record)));
    assert!(with_facts.contains("messaging.kafka.offset"), "{with_facts}");
    assert_eq!(said_by(|| block_on(compared::record(record))), with_facts);

    let mut sent = Message::new();
    let sending = said_by(|| block_on(by_hand::api_send(&mut sent)));
    assert!(sent.contains_key("traceparent") && sending.contains("messaging.system"), "{sending}");
    let mut sent_by_us = Message::new();
    assert_eq!(said_by(|| block_on(compared::send(&mut sent_by_us))), sending);
    assert!(sent_by_us.contains_key("traceparent"));

    let Messages { order, traced_order, .. } = &Messages::new(true);
    let in_memory = said_by(|| block_on(by_hand::api_link_in_memory(order)));
    assert!(in_memory.contains("throughline.message.age"), "{in_memory}");
    assert_eq!(said_by(|| block_on(compared::link_in_memory(traced_order))), in_memory);

    let mut sent = Order::new();
    let into_memory = said_by(|| block_on(by_hand::api_send_in_memory(&mut sent)));
    assert!(sent.sender.has_active_span() && sent.sent > SystemTime::UNIX_EPOCH);
    let mut sent_by_us = Order::traced();
    assert_eq!(said_by(|| block_on(compared::send_in_memory(&mut sent_by_us))), into_memory);
    assert!(!sent_by_us.context().is_empty());

    let caller = &order.sender;
    let task = said_by(|| within(caller, by_hand::api_task));
    assert!(task.contains("under b7ad6b7169203331"), "{task}");
    assert_eq!(said_by(|| within(caller, compared::task)), task);

    let continued = said_by(|| block_on(by_hand::api_continue(message, 0)));
    assert!(continued.contains("in the sender's trace: true"), "{continued}");
    assert!(continued.contains("throughline.relation.kind=continue"), "{continued}");
    let all_continued = [
        said_by(|| block_on(compared::continued(message, 0))),
        said_by(|| block_on(by_hand::kept_continue(message, 0))),
        said_by(|| block_on(fewest_calls::continued(message, 0))),
        said_by(|| block_on(fewest_calls::kept_continue(message, 0))),
    ];
    all_continued.iter().for_each(|other| assert_eq!(*other, continued));

    // The optional attributes are the layer's own.
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("bench"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false);
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        assert_eq!(said_by(|| block_on(by_hand::tracing_link(message, 0))), link);
        assert_eq!(said_by(|| block_on(compared::link(message, 0))), link);
        assert_eq!(said_by(|| block_on(fewest_calls::tracing_link(message, 0))), link);
        assert_eq!(said_by(|| block_on(by_hand::tracing_record(record))), with_facts);
        assert_eq!(said_by(|| block_on(compared::record(record))), with_facts);
        assert_eq!(said_by(|| block_on(by_hand::tracing_send(&mut Message::new()))), sending);
        assert_eq!(said_by(|| block_on(compared::send(&mut Message::new()))), sending);
        assert_eq!(said_by(|| block_on(by_hand::tracing_link_in_memory(order))), in_memory);
        assert_eq!(said_by(|| block_on(compared::link_in_memory(traced_order))), in_memory);
        let mut sent = Order::new();
        assert_eq!(said_by(|| block_on(by_hand::tracing_send_in_memory(&mut sent))), into_memory);
        assert!(sent.sender.span().span_context().is_valid());
        let mut sent_by_us = Order::traced();
        assert_eq!(said_by(|| block_on(compared::send_in_memory(&mut sent_by_us))), into_memory);
        assert_eq!(said_by(|| within(caller, by_hand::tracing_task)), task);
        assert_eq!(said_by(|| within(caller, compared::task)), task);
        assert_eq!(said_by(|| block_on(by_hand::tracing_continue(message, 0))), continued);
        assert_eq!(said_by(|| block_on(compared::continued(message, 0))), continued);
        assert_eq!(said_by(|| block_on(fewest_calls::tracing_continue(message, 0))), continued);
    });
}
