//! In a program without a provider no span is made, and every context goes where it would go: from
//! the message to the handler's work, and from there into the messages that it sends.
//!
//! A program of its own, for a capture that runs beside it would be a provider.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use throughline::{TaskFn as _, TraceContext, async_consumer, async_producer, async_task};
use throughline_tests::Log;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const AMBIENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

type Headers = HashMap<String, String>;

fn carrying(traceparent: &str) -> Headers {
    Headers::from([
        ("traceparent".to_owned(), traceparent.to_owned()),
        ("tracestate".to_owned(), "stale=1".to_owned()),
    ])
}

fn traceparent_of(message: &Headers) -> Option<&str> {
    message.get("traceparent").map(String::as_str)
}

/// What an HTTP server that only forwards would have made current.
fn ambient() -> Context {
    let span = SpanContext::new(
        TraceId::from(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736),
        SpanId::from(0x00f0_67aa_0ba9_02b7),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    Context::new().with_remote_span_context(span)
}

#[async_producer(destination = "orders")]
fn publish(message: Headers) -> Headers {
    message
}

#[async_producer(destination = "orders", existing = replace)]
fn publish_replaced(message: Headers) -> Headers {
    message
}

#[async_consumer(continue)]
fn forwards_what_it_continues(message: Headers) -> Headers {
    publish(message)
}

#[async_consumer(link)]
fn forwards_what_it_links(message: Headers) -> Headers {
    publish(message)
}

#[async_consumer(ignore)]
fn forwards_what_it_ignores(message: Headers) -> Headers {
    publish(message)
}

#[test]
fn a_producer_writes_the_ambient_context() {
    let _attached = ambient().attach();
    assert_eq!(traceparent_of(&publish(Headers::new())), Some(AMBIENT));
    let sent = publish_replaced(carrying(SENT));
    assert_eq!(traceparent_of(&sent), Some(AMBIENT));
    assert!(!sent.contains_key("tracestate"), "{sent:?}");
}

#[test]
fn a_producer_keeps_what_was_chosen_and_adds_nothing_where_there_is_nothing() {
    assert_eq!(publish(carrying(SENT)), carrying(SENT));
    assert_eq!(publish(Headers::new()), Headers::new());
}

#[test]
fn a_handler_that_continues_passes_its_senders_context_on() {
    let _attached = ambient().attach();
    assert_eq!(traceparent_of(&forwards_what_it_continues(carrying(SENT))), Some(SENT));
}

#[test]
fn a_handler_that_links_passes_on_neither_its_sender_nor_the_poll_loop() {
    let _attached = ambient().attach();
    assert_eq!(forwards_what_it_links(carrying(SENT)), Headers::new());
}

#[test]
fn a_handler_that_ignores_leaks_nothing() {
    let _attached = ambient().attach();
    assert_eq!(forwards_what_it_ignores(carrying(SENT)), Headers::new());
}

#[async_task(continue)]
fn publish_now(message: Headers) -> Headers {
    publish(message)
}

#[test]
fn a_task_that_continues_passes_its_callers_context_on_and_one_that_links_does_not() {
    let (continued, linked) = {
        let _attached = ambient().attach();
        assert_eq!(traceparent_of(&publish_now(Headers::new())), Some(AMBIENT));
        (
            (|| publish(Headers::new())).continued("later"),
            (|| publish(Headers::new())).linked("later"),
        )
    };
    let elsewhere = std::thread::spawn(|| (continued(), linked()));
    let (continued, linked) = elsewhere.join().expect("it ran");
    assert_eq!(traceparent_of(&continued), Some(AMBIENT));
    assert_eq!(linked, Headers::new());
}

#[test]
fn the_current_context_is_the_attached_one() {
    assert!(TraceContext::current().is_empty());
    let _attached = ambient().attach();
    assert_eq!(TraceContext::current().traceparent().as_deref(), Some(AMBIENT));
}

#[test]
fn a_process_begins_without_a_top_level_trace_and_not_with_a_false_one() {
    let _attached = ambient().attach();
    let origin = TraceContext::begin("sign-up");
    assert!(origin.is_empty(), "{origin:?}");
    origin.link_current_span();
    origin.add_step("confirm e-mail");
}

#[test]
fn requests_and_steps_of_a_process_that_has_one_are_no_trouble() {
    let origin = TraceContext::read_from(&carrying(SENT));
    origin.link_current_span();
    origin.add_step("confirm e-mail");
    let _attached = ambient().attach();
    origin.link_current_span();
    origin.add_step("confirm e-mail");
    assert_eq!(TraceContext::current().traceparent().as_deref(), Some(AMBIENT));
}

#[async_consumer(link)]
fn refuses(message: Headers) -> Result<(), String> {
    if message.is_empty() { Ok(()) } else { Err("refused".to_owned()) }
}

#[test]
fn a_failure_is_told_to_a_log_all_the_same_also_to_one_that_wants_no_spans() {
    for level in [LevelFilter::INFO, LevelFilter::ERROR] {
        let log = Log::default();
        let formatter = tracing_subscriber::fmt::layer().with_writer(log.clone());
        let subscriber = tracing_subscriber::registry().with(level).with(formatter);
        tracing::subscriber::with_default(subscriber, || drop(refuses(carrying(SENT))));
        let lines = log.lines();
        assert_eq!(lines.iter().filter(|line| line.contains("failed")).count(), 1, "{lines:?}");
    }
}
