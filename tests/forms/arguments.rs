//! The message among other arguments, in every pattern, and under `#[cfg]`.

#![allow(clippy::non_minimal_cfg, reason = "always there, or never")]

use std::borrow::Cow;

use throughline::{TraceContext, async_consumer, async_producer};
use throughline_tests::{Headers, SENDER, from};

use crate::{block_on, call};

#[async_consumer(link)]
fn borrowed_by_the_pattern(ref mut message: Headers) -> usize {
    message.push(("own".to_owned(), "header".to_owned()));
    message.len()
}

#[async_consumer(link)]
async fn bound_whole_and_in_parts(message @ [_, ..]: [(&str, &str); 1]) -> usize {
    message.len()
}

#[async_consumer(link)]
async fn allowed(
    #[allow(unused_variables, reason = "it is there")]
    #[message]
    message: Headers,
    #[allow(unused_variables)] other: u8,
) {
}

#[async_consumer(link)]
fn one_is_never_there(
    message: Headers,
    #[cfg(any())] gone: u8,
    #[cfg(all())] there: usize,
) -> usize {
    message.len() + there
}

#[async_consumer(link)]
fn either(#[cfg(all())] message: &Headers, #[cfg(any())] message: String) -> usize {
    message.len()
}

#[async_consumer(link)]
fn either_marked(
    #[message]
    #[cfg(any())]
    message: String,
    #[message]
    #[cfg(all())]
    message: &Headers,
    other: usize,
) -> usize {
    message.len() + other
}

#[async_producer(destination = "orders")]
fn either_to_send(#[cfg(any())] message: String, #[cfg(all())] message: Headers) -> Option<String> {
    TraceContext::read_from(&message).traceparent()
}

#[async_consumer(link)]
fn borrowed_or_owned(message: Cow<'_, Headers>) -> usize {
    message.len()
}

#[async_consumer(link)]
fn borrowed_or_owned_batch(batch: Cow<'_, [Headers]>) -> usize {
    batch.len()
}

#[async_producer(into = *message)]
fn followed(message: &mut Headers) -> usize {
    message.len()
}

#[test]
fn patterns() {
    let (size, traces) = call(|| borrowed_by_the_pattern(from(SENDER)));
    assert_eq!(size, 2);
    traces.span("borrowed_by_the_pattern").links_to(SENDER);
    let (size, traces) = block_on(bound_whole_and_in_parts([("traceparent", SENDER)]));
    assert_eq!(size, 1);
    traces.span("bound_whole_and_in_parts").links_to(SENDER);
}

#[test]
fn attributes_and_conditions_on_arguments() {
    let ((), traces) = block_on(allowed(from(SENDER), 1));
    traces.span("allowed").links_to(SENDER);
    let (size, traces) = call(|| one_is_never_there(from(SENDER), 1));
    assert_eq!(size, 2);
    traces.span("one_is_never_there").links_to(SENDER);
    let (size, traces) = call(|| either(&from(SENDER)));
    assert_eq!(size, 1);
    traces.span("either").links_to(SENDER);
    let (size, traces) = call(|| either_marked(&from(SENDER), 1));
    assert_eq!(size, 2);
    traces.span("either_marked").links_to(SENDER);
    let (sent, traces) = call(|| either_to_send(Headers::new()));
    let span = traces.span("send orders").span_id().to_string();
    assert!(sent.is_some_and(|sent| sent.contains(&span)));
}

#[test]
fn what_points_to_a_message_and_what_a_pointer_points_to() {
    let (size, traces) = call(|| borrowed_or_owned(Cow::Owned(from(SENDER))));
    assert_eq!(size, 1);
    traces.span("borrowed_or_owned").links_to(SENDER);
    let (size, traces) = call(|| borrowed_or_owned_batch(Cow::Borrowed(&[from(SENDER)])));
    assert_eq!(size, 1);
    traces
        .span("borrowed_or_owned_batch")
        .links_to(SENDER)
        .has_attribute("messaging.batch.message_count", 1);
    let (_, traces) = call(|| followed(&mut Headers::new()));
    traces.span("followed").is_kind("producer");
}

struct Job {
    headers: Headers,
    weight: usize,
}

impl throughline::Message for Job {
    fn headers<'m>(&'m self, reader: &mut throughline::HeaderReader<'m>) {
        self.headers.headers(reader);
    }
}

#[async_consumer(link)]
fn taken_apart(Job { headers: _, weight }: Job) -> usize {
    weight
}

#[async_consumer(link, fields(weight))]
fn looked_at(Job { headers, weight }: &Job) -> usize {
    headers.len() + weight
}

#[test]
fn a_message_taken_apart() {
    let (weight, traces) = call(|| taken_apart(Job { headers: from(SENDER), weight: 4 }));
    assert_eq!(weight, 4);
    traces.span("taken_apart").links_to(SENDER);
    let (sum, traces) = call(|| looked_at(&Job { headers: from(SENDER), weight: 4 }));
    assert_eq!(sum, 5);
    traces.span("looked_at").links_to(SENDER).has_attribute("weight", 4);
}
