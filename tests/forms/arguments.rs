//! The message among other arguments, in every pattern, and under `#[cfg]`.

#![allow(clippy::non_minimal_cfg, reason = "always there, or never")]

use std::borrow::Cow;
use std::future::Future;

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

impl throughline::MessageMut for Job {
    fn set_header(&mut self, name: &str, value: &str) {
        self.headers.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.headers.remove_header(name);
    }
}

#[async_producer(destination = "orders")]
fn taken_apart_to_be_sent(Job { headers, weight }: Job) -> (Headers, usize) {
    (headers, weight)
}

#[async_producer(destination = "orders")]
fn changed_while_it_is_sent(mut message: Headers) -> Headers {
    message.push(("own".to_owned(), "header".to_owned()));
    message
}

fn doubled(weight: usize) -> usize {
    weight * 2
}

#[async_consumer(link, fields(doubled = doubled(weight)))]
fn looked_through(&Job { ref headers, weight }: &Job) -> usize {
    headers.len() + weight
}

#[async_consumer(link, fields(shown = format!("{weight} kg")))]
fn weighed(Job { headers: _, weight }: Job) -> usize {
    weight
}

struct Part<'a> {
    headers: Headers,
    number: &'a usize,
}

impl throughline::Message for Part<'_> {
    fn headers<'m>(&'m self, reader: &mut throughline::HeaderReader<'m>) {
        self.headers.headers(reader);
    }
}

#[async_consumer(link, fields(followed))]
fn followed_in_the_pattern(Part { headers: _, number: &followed }: Part<'_>) -> usize {
    followed
}

#[test]
fn options_see_the_names_of_every_pattern_and_a_producers_body_has_them_as_written() {
    let (sent, traces) =
        call(|| taken_apart_to_be_sent(Job { headers: Headers::new(), weight: 4 }));
    traces.span("send orders").is_kind("producer");
    assert!(TraceContext::read_from(&sent.0).traceparent().is_some() && sent.1 == 4);
    let (sent, traces) = call(|| changed_while_it_is_sent(Headers::new()));
    traces.span("send orders").is_kind("producer");
    assert!(sent.iter().any(|(name, _)| name == "own"));

    let job = || Job { headers: from(SENDER), weight: 4 };
    let (sum, traces) = call(|| looked_through(&job()));
    assert_eq!(sum, 5);
    traces.span("looked_through").links_to(SENDER).has_attribute("doubled", 8);
    let (weight, traces) = call(|| weighed(job()));
    assert_eq!(weight, 4);
    traces.span("weighed").links_to(SENDER).has_attribute("shown", "4 kg");
    let part = Part { headers: from(SENDER), number: &7 };
    let (number, traces) = call(|| followed_in_the_pattern(part));
    assert_eq!(number, 7);
    traces.span("followed_in_the_pattern").links_to(SENDER).has_attribute("followed", 7);
}

#[async_consumer(link)]
async fn said_to_be_unused(_message: Headers) {}

#[async_consumer(link)]
fn said_to_be_unused_later(_message: Headers) -> impl Future<Output = ()> {
    std::future::ready(())
}

#[test]
fn a_message_that_is_said_to_be_unused_is_read() {
    let ((), traces) = block_on(said_to_be_unused(from(SENDER)));
    traces.span("said_to_be_unused").links_to(SENDER);
    let ((), traces) = block_on(said_to_be_unused_later(from(SENDER)));
    traces.span("said_to_be_unused_later").links_to(SENDER);
}
