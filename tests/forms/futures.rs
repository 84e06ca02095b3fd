//! Functions that return a future without being an `async fn`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use ::futures::future::{BoxFuture, FutureExt as _, LocalBoxFuture};
use throughline::{Outcome, TraceContext, Traced, async_consumer, async_producer};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, baggage, current, from, headers};

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

#[test]
fn the_synchronous_part_of_a_producer_runs_inside_its_span() {
    #[async_producer(destination = "orders")]
    fn publish(message: &mut Headers) -> impl Future<Output = Option<String>> + use<> {
        let before = current();
        drop(TraceContext::read_from(message));
        async move { before }
    }

    let mut message = Headers::new();
    let (before, traces) = block_on(async { publish(&mut message).await });
    traces.span("send orders").is_kind("producer");
    assert!(before.is_some());
    assert_eq!(before, TraceContext::read_from(&message).traceparent());
}

#[async_consumer(link)]
fn taken_by_a_match(message: Option<Headers>) -> BoxFuture<'static, usize> {
    match message {
        Some(message) => async move { message.len() }.boxed(),
        None => std::future::ready(0).boxed(),
    }
}

#[async_consumer(link)]
fn mapped(message: Headers) -> Pin<Box<dyn Future<Output = usize>>> {
    Box::pin(async move { message.len() }.map(|size| size + 1))
}

#[async_consumer(link)]
fn by_another_name_and_nothing_moved(message: Headers) -> Handling {
    drop(message);
    Box::pin(async { 7 })
}

#[test]
fn a_body_that_only_looks_like_an_async_block_is_run_as_it_is_written() {
    let (size, traces) = block_on(taken_by_a_match(Some(from(SENDER))));
    assert_eq!(size, 1);
    traces.span("taken_by_a_match").links_to(SENDER);
    let (size, traces) = block_on(mapped(from(SENDER)));
    assert_eq!(size, 2);
    traces.span("mapped").links_to(SENDER);
    let (seven, traces) = block_on(by_another_name_and_nothing_moved(from(SENDER)));
    assert_eq!(seven, 7);
    traces.span("by_another_name_and_nothing_moved").links_to(SENDER);
}

#[test]
fn what_is_pinned_and_no_future_is_a_value_like_any_other() {
    type Kept = Pin<Box<usize>>;

    #[async_consumer(link)]
    fn kept(message: Headers) -> Kept {
        let size = message.len();
        Box::pin(size)
    }

    #[async_consumer(link)]
    fn shared(message: Headers) -> Pin<Arc<dyn Future<Output = usize>>> {
        Arc::pin(async move { message.len() })
    }

    let (size, traces) = call(|| kept(from(SENDER)));
    assert_eq!(*size, 1);
    traces.span("kept").links_to(SENDER).status_is_unset();
    let (_, traces) = call(|| shared(from(SENDER)));
    traces.span("shared").links_to(SENDER).status_is_unset();
}

#[test]
fn an_async_fn_that_yields_a_future_ends_before_that_future_runs() {
    #[async_consumer(link)]
    async fn two_steps(message: Headers) -> Pin<Box<dyn Future<Output = Option<String>>>> {
        drop(message);
        Box::pin(async move { current() })
    }

    let (second, traces) = block_on(two_steps(from(SENDER)));
    traces.span("two_steps").links_to(SENDER).status_is_unset();
    let (inside, traces) = block_on(second);
    assert_eq!(inside, None);
    assert!(traces.is_empty());
}

struct Record {
    headers: Headers,
    id: &'static str,
    topic: &'static str,
}

impl throughline::Message for Record {
    fn headers<'m>(&'m self, reader: &mut throughline::HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut throughline::Facts<'m>) {
        facts.system("kafka").destination(self.topic).id(self.id);
    }
}

#[test]
fn a_span_tells_the_same_of_its_messages_when_they_are_gone() {
    #[async_consumer(link, capture_headers = ["tenant"])]
    async fn there(batch: &[Record]) -> Option<String> {
        assert!(!batch.is_empty());
        baggage("customer")
    }

    #[async_consumer(link, capture_headers = ["tenant"])]
    fn gone(batch: Vec<Record>) -> impl Future<Output = Option<String>> {
        drop(batch);
        async { baggage("customer") }
    }

    let batch = || {
        let record = |sender, tenant, id, topic| Record {
            headers: headers(&[
                ("traceparent", sender),
                ("tenant", tenant),
                ("baggage", "customer=ann"),
            ]),
            id,
            topic,
        };
        vec![
            record(SENDER, "acme", "1", "orders"),
            record(SENDER, "acme", "2", "orders"),
            record(OTHER_SENDER, "initech", "3", "returns"),
            record("unreadable", "acme", "4", "orders"),
        ]
    };
    let (expected_baggage, expected) = block_on(async { there(&batch()).await });
    let (gone_baggage, traces) = block_on(gone(batch()));
    assert_eq!((gone_baggage.as_deref(), expected_baggage.as_deref()), (Some("ann"), Some("ann")));

    let (expected, gone) = (expected.span("there"), traces.span("gone"));
    let all_but_the_name = |span: throughline::testing::Span<'_>| -> Vec<_> {
        let attributes = span.data().attributes.iter();
        attributes
            .filter(|it| {
                !matches!(it.key.as_str(), "code.function.name" | "messaging.operation.name")
            })
            .cloned()
            .collect()
    };
    assert_eq!(all_but_the_name(gone), all_but_the_name(expected));
    assert_eq!(gone.links(), expected.links());
    gone.has_attribute("throughline.relation.reason", "unreadable")
        .has_link_attribute(SENDER, "throughline.link.message_count", 2)
        .has_link_attribute(OTHER_SENDER, "messaging.message.id", "3");
}

#[async_consumer(link, destination = topic)]
fn outlives_what_it_is_lent(
    #[message] message: &Headers,
    topic: &str,
    body: Vec<u8>,
) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move { body.len() })
}

#[async_consumer(link)]
fn captures_nothing(
    #[message] message: &Headers,
    body: Vec<u8>,
) -> impl Future<Output = usize> + use<> {
    async move { body.len() }
}

#[async_producer(destination = "orders")]
fn sends_and_outlives(message: &mut Headers) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move { 7 })
}

#[test]
fn a_future_may_outlive_the_message_that_was_only_lent() {
    let future = outlives_what_it_is_lent(&from(SENDER), &String::from("orders"), vec![1, 2]);
    let (size, traces) = block_on(future);
    assert_eq!(size, 2);
    traces.span("process orders").links_to(SENDER);
    let (size, traces) = block_on(captures_nothing(&from(SENDER), vec![1]));
    assert_eq!(size, 1);
    traces.span("captures_nothing").links_to(SENDER);
    let ((), traces) = block_on(async {
        let mut message = Headers::new();
        let sending = sends_and_outlives(&mut message);
        assert!(!message.is_empty(), "its context is there before it is polled");
        assert_eq!(sending.await, 7);
    });
    traces.span("send orders").is_kind("producer");
}
