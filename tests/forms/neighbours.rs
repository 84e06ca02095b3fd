//! Other attributes on the same function, in either order.

use throughline::{async_consumer, async_producer};
use throughline_tests::{Headers, SENDER, current, from, headers};
use tracing::instrument;

use crate::{block_on, call};

#[async_consumer(link)]
#[tracing::instrument(name = "inner", skip_all, fields(size = message.len()))]
async fn instrument_below(#[message] message: Headers, _other: u8) -> usize {
    message.len()
}

#[tracing::instrument(name = "inner", skip_all)]
#[async_consumer(link)]
async fn instrument_above(message: Headers) -> usize {
    message.len()
}

#[async_consumer(link)]
#[tracing::instrument(name = "inner", err)]
fn instrument_below_a_plain_function(message: &Headers) -> Result<usize, String> {
    Ok(message.len())
}

#[async_producer(destination = "orders")]
#[tracing::instrument(name = "inner", skip_all)]
async fn instrument_below_a_producer(message: &mut Headers) {
    message.push(("own".to_owned(), "header".to_owned()));
}

#[async_consumer(link)]
#[instrument(name = "inner", skip_all)]
async fn imported_instrument_below(message: Headers) -> usize {
    message.len()
}

#[test]
fn instrument_may_be_imported() {
    let (_, traces) = block_on(imported_instrument_below(from(SENDER)));
    traces.span("imported_instrument_below").is_root().links_to(SENDER);
    traces.span("inner").is_child_of("imported_instrument_below");
}

#[test]
fn the_handlers_span_is_round_that_of_instrument() {
    let (_, traces) = block_on(instrument_below(from(SENDER), 1));
    traces.span("instrument_below").is_root().links_to(SENDER);
    traces.span("inner").is_child_of("instrument_below").has_attribute("size", "1");

    let (_, traces) = block_on(instrument_above(from(SENDER)));
    traces.span("instrument_above").is_root().links_to(SENDER);
    traces.span("inner").is_child_of("instrument_above");

    let (_, traces) = call(|| instrument_below_a_plain_function(&from(SENDER)));
    traces.span("instrument_below_a_plain_function").is_root().links_to(SENDER);
    traces.span("inner").is_child_of("instrument_below_a_plain_function");

    let mut message = headers(&[]);
    let ((), traces) = block_on(instrument_below_a_producer(&mut message));
    traces.span("inner").is_child_of("send orders");
    assert!(message.iter().any(|(name, _)| name == "own"));
}

#[tokio::main(flavor = "current_thread")]
#[async_consumer(link)]
async fn main_above(message: Headers) -> usize {
    tokio::task::yield_now().await;
    message.len()
}

#[async_consumer(link)]
#[tokio::main(flavor = "current_thread")]
async fn main_below(message: Headers) -> usize {
    tokio::task::yield_now().await;
    message.len()
}

#[test]
fn handlers_that_bring_their_own_runtime() {
    let (size, traces) = call(|| main_above(from(SENDER)));
    assert_eq!(size, 1);
    traces.span("main_above").is_root().links_to(SENDER);
    let (size, traces) = call(|| main_below(from(SENDER)));
    assert_eq!(size, 1);
    traces.span("main_below").is_root().links_to(SENDER);
}

/// The trace that work here belongs to: the sender's also where nobody records the handler's span.
fn is_in_the_senders_trace() -> bool {
    current().is_some_and(|here| here[3..35] == SENDER[3..35])
}

#[tokio::test]
#[async_consumer(continue, from = from(SENDER))]
async fn a_test_above_a_handler() {
    assert!(is_in_the_senders_trace());
}

#[async_consumer(continue, from = from(SENDER))]
#[tokio::test]
async fn a_test_below_a_handler() -> Result<(), String> {
    tokio::task::yield_now().await;
    if is_in_the_senders_trace() { Ok(()) } else { Err("elsewhere".to_owned()) }
}

#[test]
#[async_consumer(continue, from = from(SENDER))]
fn a_plain_test_above_a_handler() {
    assert!(is_in_the_senders_trace());
}
