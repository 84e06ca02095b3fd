//! Functions that return a future without being an `async fn`.

use std::future::Future;
use std::pin::Pin;

use ::futures::future::{BoxFuture, FutureExt as _, LocalBoxFuture};
use throughline::{Outcome, TraceContext, Traced, async_consumer, async_producer};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, current, from, headers};

use crate::{block_on, call};

fn needs_send<T: Send>(value: T) -> T {
    value
}

fn needs_unpin<T: Unpin>(value: T) -> T {
    value
}

#[async_consumer(continue)]
fn opaque(message: Headers) -> impl Future<Output = Result<usize, String>> + Send {
    let size = message.len();
    async move { if size == 0 { Err("empty".to_owned()) } else { Ok(size) } }
}

#[async_consumer(continue)]
fn pinned<'a>(message: &'a Headers) -> Pin<Box<dyn Future<Output = &'a str> + Send + 'a>> {
    Box::pin(async move {
        tokio::task::yield_now().await;
        message.first().map_or("", |(name, _)| name)
    })
}

#[async_consumer(continue)]
fn elided(message: &Headers) -> Pin<Box<dyn Future<Output = usize> + Send + '_>> {
    if message.is_empty() {
        return Box::pin(async { 0 });
    }
    Box::pin(async move { message.len() })
}

#[async_consumer(link)]
fn named_box_future(message: Headers) -> BoxFuture<'static, Result<(), std::fmt::Error>> {
    async move { if message.is_empty() { Ok(()) } else { Err(std::fmt::Error) } }.boxed()
}

#[async_consumer(link)]
fn local(message: Headers) -> LocalBoxFuture<'static, usize> {
    let shared = std::rc::Rc::new(message);
    async move { shared.len() }.boxed_local()
}

#[async_consumer(link)]
fn unpin(message: Headers) -> impl Future<Output = usize> + Unpin {
    std::future::ready(message.len())
}

#[async_consumer(link)]
fn boxed_unpin(message: Headers) -> Box<dyn Future<Output = usize> + Unpin> {
    Box::new(std::future::ready(message.len()))
}

type Handling = Pin<Box<dyn Future<Output = usize>>>;

#[async_consumer(link)]
fn by_another_name(message: Headers) -> Handling {
    Box::pin(async move { message.len() })
}

#[allow(clippy::manual_async_fn, reason = "the form that is tried")]
#[async_consumer(link)]
fn generic<M: throughline::Message + Send + 'static>(
    message: M,
) -> impl Future<Output = impl std::fmt::Debug> {
    async move {
        drop(message);
        7
    }
}

#[test]
fn what_they_return_and_how_they_end_is_as_for_an_async_fn() {
    let (size, traces) = block_on(needs_send(opaque(from(SENDER))));
    assert_eq!(size, Ok(1));
    traces.span("opaque").continues(SENDER).status_is_unset();
    let (_, traces) = block_on(opaque(Headers::new()));
    traces.span("opaque").is_error_with("empty").has_attribute("error.type", "String");

    let message = from(SENDER);
    let (name, traces) = block_on(async { needs_send(pinned(&message)).await.to_owned() });
    assert_eq!(name, "traceparent");
    traces.span("pinned").continues(SENDER);

    let (size, traces) = block_on(elided(&message));
    assert_eq!(size, 1);
    traces.span("elided").continues(SENDER);
    let (size, traces) = block_on(async { elided(&Headers::new()).await });
    assert_eq!(size, 0);
    traces.span("elided").is_root();

    let (result, traces) = block_on(named_box_future(from(SENDER)));
    assert!(result.is_err());
    traces.span("named_box_future").links_to(SENDER).has_attribute("error.type", "Error");

    let (size, traces) = block_on(local(from(SENDER)));
    assert_eq!(size, 1);
    traces.span("local").links_to(SENDER);
}

#[test]
fn what_else_is_asked_of_the_future_holds() {
    let (size, traces) = block_on(needs_unpin(unpin(from(SENDER))));
    assert_eq!(size, 1);
    traces.span("unpin").links_to(SENDER);
    let (size, traces) = block_on(needs_unpin(boxed_unpin(from(SENDER))));
    assert_eq!(size, 1);
    traces.span("boxed_unpin").links_to(SENDER);
    let (size, traces) = block_on(by_another_name(from(SENDER)));
    assert_eq!(size, 1);
    traces.span("by_another_name").links_to(SENDER);
    let (shown, traces) = block_on(generic(from(SENDER)));
    assert_eq!(format!("{shown:?}"), "7");
    traces.span("generic").links_to(SENDER);
}

#[test]
fn the_span_starts_at_the_first_poll_and_the_ambient_span_is_the_one_there() {
    let (future, traces) = call(|| opaque(from(SENDER)));
    assert!(traces.is_empty());
    let ((), traces) = block_on(async move {
        let ambient = throughline::produce("poll loop").start(&mut TraceContext::default());
        let mut ambient = ambient;
        let size = ambient.run(future).await;
        assert_eq!(size, Ok(1));
        ambient.finish(Outcome::ok());
    });
    traces.span("opaque").continues(SENDER).links_to("poll loop");
}

#[test]
fn a_future_that_is_never_polled_makes_no_span_and_one_that_is_dropped_is_cancelled() {
    let ((), traces) = call(|| drop(pinned(&from(SENDER))));
    assert!(traces.is_empty());

    let ((), traces) = block_on(async {
        let message = from(SENDER);
        let mut future = pinned(&message);
        assert!(::futures::poll!(&mut future).is_pending());
    });
    traces.span("pinned").is_error().has_attribute("error.type", "cancelled");
}

#[test]
fn the_synchronous_part_runs_outside_the_span_and_the_future_inside() {
    #[async_consumer(continue)]
    fn two_parts(message: Headers) -> impl Future<Output = (Option<String>, Option<String>)> {
        drop(message);
        let before = current();
        async move { (before, current()) }
    }

    let ((before, inside), _) = block_on(two_parts(from(SENDER)));
    assert_eq!(before, None);
    assert_eq!(inside.as_deref().map(|inside| &inside[3..35]), Some(&SENDER[3..35]));
}

#[test]
fn fields_and_texts_are_those_of_the_call() {
    #[async_consumer(link, destination = topic, fields(first = %message[0].0, size = message.len(), later = Empty))]
    fn described(#[message] message: Headers, topic: &str) -> impl Future<Output = ()> + use<> {
        let _ = topic;
        drop(message);
        async { throughline::record("later", true) }
    }

    let ((), traces) = block_on(described(from(SENDER), &String::from("orders")));
    traces
        .span("process orders")
        .has_attribute("first", "traceparent")
        .has_attribute("size", 1)
        .has_attribute("later", true);
}

#[test]
fn a_batch_may_be_gone_when_its_span_starts() {
    #[async_consumer(link)]
    fn all(batch: Vec<Headers>) -> impl Future<Output = usize> {
        let size = batch.len();
        drop(batch);
        async move { size }
    }

    let (size, traces) = block_on(all(vec![from(SENDER), from(OTHER_SENDER)]));
    assert_eq!(size, 2);
    traces
        .span("all")
        .links_to(SENDER)
        .links_to(OTHER_SENDER)
        .has_attribute("messaging.batch.message_count", 2);
}

#[test]
fn a_producer_writes_its_context_before_the_body_takes_the_message() {
    #[async_producer(destination = "orders")]
    fn publish(message: Headers) -> impl Future<Output = Headers> {
        let taken = message;
        async move { taken }
    }

    #[async_producer(destination = "orders")]
    fn publish_boxed(
        message: &mut Traced<u8>,
    ) -> Pin<Box<dyn Future<Output = Result<u8, String>> + Send + '_>> {
        Box::pin(async move { Err(message.to_string()) })
    }

    let (sent, traces) = block_on(async { needs_send(publish(headers(&[]))).await });
    let sent = TraceContext::read_from(&sent).traceparent().expect("it was written");
    let span = traces.span("send orders").is_kind("producer").status_is_unset();
    assert!(sent.contains(&span.span_id().to_string()));

    let mut message = Traced::new(7);
    let (result, traces) = block_on(async { publish_boxed(&mut message).await });
    assert_eq!(result, Err("7".to_owned()));
    traces.span("send orders").is_error_with("7");
}
