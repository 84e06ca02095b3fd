//! A producer's span is a child of the span around it, its context travels in the message, and a
//! context that somebody chose for the message stays.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;

use opentelemetry::trace::{Tracer, TracerProvider};
use throughline::testing::{self, Capture, Span, Traces};
use throughline::{
    Existing, HeaderReader, Message, MessageMut, Outcome, TraceContext, Traced, async_consumer,
    async_producer,
};

const CHOSEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const ANOTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

type Headers = HashMap<String, String>;

/// Runs `body` with an OpenTelemetry layer that listens to `tracing`, and with OpenTelemetry alone;
/// `check` gets what it returned.
fn in_both_worlds<R>(body: impl AsyncFn() -> R, check: impl Fn(&Traces, R)) {
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        let returned = RefCell::new(None);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let traces = runtime.block_on(capture.run(async { returned.replace(Some(body().await)) }));
        check(&traces, returned.into_inner().expect("the body has run"));
    }
}

/// A span around `body`, as a web framework makes it.
async fn in_request<F: Future>(body: F) -> F::Output {
    use opentelemetry::trace::FutureExt;

    let span = testing::provider().tracer("shop").start("POST /orders");
    let context =
        opentelemetry::trace::TraceContextExt::with_span(&opentelemetry::Context::current(), span);
    body.with_context(context).await
}

fn carrying(traceparent: &str) -> Headers {
    Headers::from([("traceparent".to_owned(), traceparent.to_owned())])
}

fn traceparent_of(span: Span<'_>) -> String {
    format!("00-{}-{}-01", span.trace_id(), span.span_id())
}

/// The message carries the span named `producer`, whose kind says so.
#[track_caller]
fn sent_by<M: Message + ?Sized>(traces: &Traces, producer: &str, message: &M) {
    let span = traces.span(producer).is_kind("producer").has_no_links();
    let carried = TraceContext::read_from(message).traceparent();
    assert_eq!(carried, Some(traceparent_of(span)), "{traces}");
}

/// The message carries the context it had, and the span links to it.
#[track_caller]
fn kept<M: Message + ?Sized>(traces: &Traces, producer: &str, message: &M, context: &str) {
    traces.span(producer).is_kind("client").has_links(1).links_to(context);
    assert_eq!(TraceContext::read_from(message).traceparent().as_deref(), Some(context));
}

#[derive(Debug)]
struct Unreachable;

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the broker does not answer")
    }
}

#[async_producer(destination = "orders")]
async fn publish(message: Headers) -> Headers {
    tokio::task::yield_now().await;
    message
}

#[async_producer(destination = "orders")]
fn publish_now(message: Headers) -> Headers {
    message
}

#[async_producer(destination = "orders", existing = keep)]
async fn publish_kept(message: Headers) -> Headers {
    message
}

#[async_producer(destination = "orders", existing = replace)]
async fn publish_replaced(message: Headers) -> Headers {
    message
}

#[async_producer(destination = "orders")]
async fn publish_traced(message: Traced<u8>) -> Traced<u8> {
    message
}

#[test]
fn the_span_is_a_producers_and_its_context_is_in_the_message() {
    in_both_worlds(
        async || publish(Headers::new()).await,
        |traces, message| {
            sent_by(traces, "send orders", &message);
            traces
                .span("send orders")
                .is_root()
                .status_is_unset()
                .has_attribute("messaging.operation.name", "send")
                .has_attribute("messaging.operation.type", "send")
                .has_attribute("messaging.destination.name", "orders");
            assert_eq!(traces.len(), 1, "{traces}");
        },
    );
}

#[test]
fn the_span_is_a_child_of_the_one_around_it() {
    in_both_worlds(
        async || in_request(publish(Headers::new())).await,
        |traces, message| {
            sent_by(traces, "send orders", &message);
            traces.span("send orders").is_child_of("POST /orders");
        },
    );
}

#[test]
fn the_span_is_a_child_of_the_current_tracing_span() {
    let mut sent = None;
    let traces = testing::capture_sync(|| {
        let _request = tracing::info_span!("POST /orders").entered();
        sent = Some(publish_now(Headers::new()));
    });
    traces.span("send orders").is_child_of("POST /orders");
    sent_by(&traces, "send orders", &sent.expect("it was sent"));
}

#[test]
fn a_producer_that_is_not_async_does_the_same() {
    in_both_worlds(
        async || in_request(async { publish_now(Headers::new()) }).await,
        |traces, message| {
            sent_by(traces, "send orders", &message);
            traces.span("send orders").is_child_of("POST /orders");
        },
    );
}

#[test]
fn the_work_of_the_producer_is_under_its_span() {
    #[async_producer(destination = "orders", into = headers)]
    async fn looks(headers: &mut Headers) -> TraceContext {
        tokio::task::yield_now().await;
        TraceContext::current()
    }
    in_both_worlds(
        async || {
            let mut headers = Headers::new();
            let seen = looks(&mut headers).await;
            (headers, seen)
        },
        |traces, (headers, seen)| {
            sent_by(traces, "send orders", &headers);
            sent_by(traces, "send orders", &seen);
        },
    );
}

#[test]
fn a_context_that_somebody_chose_is_kept_and_linked() {
    in_both_worlds(
        async || in_request(publish(carrying(CHOSEN))).await,
        |traces, message| {
            kept(traces, "send orders", &message, CHOSEN);
            traces.span("send orders").is_child_of("POST /orders");
        },
    );
    in_both_worlds(
        async || publish_now(carrying(CHOSEN)),
        |traces, message| kept(traces, "send orders", &message, CHOSEN),
    );
    in_both_worlds(
        async || {
            let context = TraceContext::read_from(&carrying(CHOSEN));
            publish_traced(Traced::with_context(7, context)).await
        },
        |traces, message| kept(traces, "send orders", &message, CHOSEN),
    );
}

#[test]
fn a_context_that_cannot_be_read_was_chosen_by_nobody() {
    in_both_worlds(
        async || publish(carrying("00-nonsense")).await,
        |traces, message| sent_by(traces, "send orders", &message),
    );
}

#[test]
fn the_context_of_the_span_around_it_was_captured_and_is_replaced() {
    in_both_worlds(
        async || {
            in_request(async {
                let mut message = Headers::new();
                TraceContext::current().write_to(&mut message);
                publish(message).await
            })
            .await
        },
        |traces, message| {
            sent_by(traces, "send orders", &message);
            traces.span("send orders").is_child_of("POST /orders");
        },
    );
    in_both_worlds(
        async || in_request(async { publish_traced(Traced::new(7)).await }).await,
        |traces, message| sent_by(traces, "send orders", &message),
    );
}

#[async_consumer(continue, destination = "orders")]
async fn forwards_what_it_continues(message: Headers) -> Headers {
    publish(message).await
}

#[async_consumer(link, destination = "orders")]
async fn forwards_what_it_links(message: Headers) -> Headers {
    tokio::task::yield_now().await;
    publish(message).await
}

#[async_consumer(ignore, destination = "orders")]
async fn forwards_what_it_ignores(message: Headers) -> Headers {
    publish(message).await
}

#[async_consumer(link, destination = "orders", from = messages)]
async fn forwards_each(messages: Vec<Traced<u8>>) -> Vec<Traced<u8>> {
    let mut forwarded = Vec::new();
    for message in messages {
        forwarded.push(publish_traced(message).await);
    }
    forwarded
}

#[test]
fn what_a_handler_forwards_was_not_chosen_and_is_replaced() {
    in_both_worlds(
        async || forwards_what_it_continues(carrying(CHOSEN)).await,
        |traces, message| {
            sent_by(traces, "send orders", &message);
            traces.span("process orders").continues(CHOSEN);
            traces.span("send orders").is_child_of("process orders");
        },
    );
    in_both_worlds(
        async || forwards_what_it_links(carrying(CHOSEN)).await,
        |traces, message| {
            sent_by(traces, "send orders", &message);
            traces.span("process orders").is_root().links_to(CHOSEN);
            traces.span("send orders").is_child_of("process orders");
        },
    );
}

#[test]
fn what_a_handler_does_not_trust_does_not_leak_through_it() {
    in_both_worlds(
        async || {
            let mut message = carrying(CHOSEN);
            message.insert("tracestate".to_owned(), "untrusted=1".to_owned());
            message.insert("baggage".to_owned(), "untrusted=1".to_owned());
            forwards_what_it_ignores(message).await
        },
        |traces, message| {
            sent_by(traces, "send orders", &message);
            traces.span("process orders").is_root().has_no_links();
            traces.span("send orders").is_child_of("process orders");
            let mut names: Vec<_> = message.keys().collect();
            names.sort();
            assert_eq!(names, ["throughline-sent", "traceparent"]);
        },
    );
}

#[test]
fn what_a_handler_forwards_of_a_batch_is_replaced_for_each_message() {
    in_both_worlds(
        async || {
            let contexts = [CHOSEN, ANOTHER].map(|it| TraceContext::read_from(&carrying(it)));
            forwards_each(contexts.map(|it| Traced::with_context(7, it)).into()).await
        },
        |traces, forwarded| {
            let producers = traces.spans("send orders");
            assert_eq!((producers.len(), forwarded.len()), (2, 2), "{traces}");
            for producer in &producers {
                producer.is_kind("producer").has_no_links().is_child_of("process orders");
                let carried = Some(traceparent_of(*producer));
                let carriers =
                    forwarded.iter().filter(|it| it.context().traceparent() == carried).count();
                assert_eq!(carriers, 1, "{traces}");
            }
        },
    );
}

#[test]
fn what_a_handler_chose_itself_is_kept() {
    #[async_consumer(link, from = &received, destination = "orders")]
    async fn handler(received: Headers, chosen: Headers) -> Headers {
        drop(received);
        publish(chosen).await
    }
    in_both_worlds(
        async || handler(carrying(CHOSEN), carrying(ANOTHER)).await,
        |traces, message| kept(traces, "send orders", &message, ANOTHER),
    );
}

#[test]
fn a_handler_that_has_ended_forwards_nothing_any_more() {
    in_both_worlds(
        async || {
            forwards_what_it_links(Headers::new()).await;
            throughline::consume("over").link().run_sync(&carrying(CHOSEN), || ());
            publish_kept(carrying(ANOTHER)).await;
            publish_traced(Traced::with_context(7, TraceContext::read_from(&carrying(CHOSEN))))
                .await
        },
        |traces, message| {
            assert_eq!(message.context().traceparent().as_deref(), Some(CHOSEN));
            let clients = traces.spans("send orders").into_iter();
            assert_eq!(clients.filter(|span| span.kind() == "client").count(), 2, "{traces}");
        },
    );
}

#[test]
fn existing_keep_keeps_even_what_was_forwarded_or_captured() {
    #[async_consumer(link, destination = "orders")]
    async fn handler(message: Headers) -> Headers {
        publish_kept(message).await
    }
    in_both_worlds(
        async || handler(carrying(CHOSEN)).await,
        |traces, message| kept(traces, "send orders", &message, CHOSEN),
    );
    in_both_worlds(
        async || {
            in_request(async {
                let mut message = Headers::new();
                TraceContext::current().write_to(&mut message);
                publish_kept(message).await
            })
            .await
        },
        |traces, message| {
            let around = traceparent_of(traces.span("POST /orders"));
            kept(traces, "send orders", &message, &around);
        },
    );
    in_both_worlds(
        async || publish_kept(Headers::new()).await,
        |traces, message| sent_by(traces, "send orders", &message),
    );
}

#[test]
fn existing_replace_replaces_even_what_was_chosen() {
    in_both_worlds(
        async || publish_replaced(carrying(CHOSEN)).await,
        |traces, message| {
            sent_by(traces, "send orders", &message);
            assert!(!traces.to_string().contains("links to"), "{traces}");
        },
    );
}

#[test]
fn no_stale_state_or_baggage_stays_beside_the_new_context() {
    in_both_worlds(
        async || {
            let mut message = carrying(CHOSEN);
            message.insert("Tracestate".to_owned(), "stale=1".to_owned());
            message.insert("baggage".to_owned(), "stale=1".to_owned());
            message.insert("order".to_owned(), "7".to_owned());
            publish_replaced(message).await
        },
        |traces, message| {
            sent_by(traces, "send orders", &message);
            let mut names: Vec<_> = message.keys().collect();
            names.sort();
            assert_eq!(names, ["order", "throughline-sent", "traceparent"]);
        },
    );
}

/// What a message carries and nobody chose goes also where there is nothing to be written in its place.
#[test]
fn stale_baggage_does_not_stay_where_nothing_is_sent() {
    in_both_worlds(
        async || {
            let mut headers = Headers::from([("Baggage".to_owned(), "tenant=acme".to_owned())]);
            throughline::produce("publish").enabled(false).run_sync(&mut headers, |_| ());
            headers
        },
        |traces, headers| {
            assert_eq!(traces.len(), 0, "{traces}");
            assert_eq!(headers, Headers::new());
        },
    );
}

#[test]
fn a_send_that_fails_sets_the_error_and_leaves_the_context_in_the_message() {
    #[async_producer(destination = "orders")]
    async fn fails(message: &mut Headers) -> Result<(), Unreachable> {
        message.insert("tried".to_owned(), "1".to_owned());
        Err(Unreachable)
    }
    #[async_producer(destination = "orders")]
    fn fails_now(message: &mut Headers) -> Result<(), Unreachable> {
        message.insert("tried".to_owned(), "1".to_owned());
        Err(Unreachable)
    }
    let check = |traces: &Traces, message: Headers| {
        assert_eq!(message["tried"], "1");
        sent_by(traces, "send orders", &message);
        traces
            .span("send orders")
            .is_error_with("the broker does not answer")
            .has_attribute("error.type", "Unreachable");
    };
    in_both_worlds(
        async || {
            let mut message = Headers::new();
            assert!(fails(&mut message).await.is_err());
            message
        },
        check,
    );
    in_both_worlds(
        async || {
            let mut message = Headers::new();
            assert!(fails_now(&mut message).is_err());
            message
        },
        check,
    );
}

#[derive(Default)]
struct Record {
    headers: Headers,
    _payload: Vec<u8>,
}

impl Record {
    fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }
}

#[test]
fn the_context_is_written_where_into_says() {
    #[async_producer(destination = "orders", into = headers)]
    async fn borrowed(_payload: &[u8], headers: &mut Headers) -> Headers {
        headers.clone()
    }
    #[async_producer(destination = "orders", into = headers)]
    async fn owned(_payload: &[u8], headers: Headers) -> Headers {
        headers
    }
    #[async_producer(destination = "orders", into = record.headers)]
    async fn a_field(record: Record) -> Headers {
        record.headers
    }
    #[async_producer(destination = "orders", into = record.headers)]
    async fn a_field_behind_a_reference(record: &mut Record) -> Headers {
        record.headers.clone()
    }
    #[async_producer(destination = "orders", into = record.headers_mut())]
    async fn a_call(record: Record) -> Headers {
        record.headers
    }
    #[async_producer(destination = "orders", into = &mut record.headers)]
    async fn a_reference(record: Record) -> Headers {
        record.headers
    }
    #[async_producer(destination = "orders", into = records[0].headers)]
    fn an_element(records: Vec<Record>) -> Headers {
        records.into_iter().next().map(|record| record.headers).unwrap_or_default()
    }
    #[async_producer(destination = "orders")]
    async fn marked(_key: &str, #[message] message: Headers) -> Headers {
        message
    }
    let check = |traces: &Traces, headers: Headers| sent_by(traces, "send orders", &headers);

    in_both_worlds(async || borrowed(b"", &mut Headers::new()).await, check);
    in_both_worlds(async || owned(b"", Headers::new()).await, check);
    in_both_worlds(async || a_field(Record::default()).await, check);
    in_both_worlds(async || a_field_behind_a_reference(&mut Record::default()).await, check);
    in_both_worlds(async || a_call(Record::default()).await, check);
    in_both_worlds(async || a_reference(Record::default()).await, check);
    in_both_worlds(async || an_element(vec![Record::default()]), check);
    in_both_worlds(async || marked("key", Headers::new()).await, check);
}

/// A message that says how often it was written to.
#[derive(Default)]
struct Counting {
    headers: Headers,
    writes: usize,
}

impl Message for Counting {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }
}

impl MessageMut for Counting {
    fn set_header(&mut self, name: &str, value: &str) {
        self.writes += 1;
        self.headers.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.headers.remove_header(name);
    }
}

#[test]
fn the_builder_does_the_same() {
    in_both_worlds(
        async || {
            let mut message = Counting::default();
            let produce = throughline::produce("publish").destination("orders");
            let sent: Result<(), Unreachable> =
                produce.run(&mut message, |_| async { Err(Unreachable) }).await;
            assert!(sent.is_err());
            message
        },
        |traces, message| {
            sent_by(traces, "send orders", &message);
            assert_eq!(message.writes, 2, "the context, and when it was sent");
            traces.span("send orders").is_error_with("the broker does not answer");
        },
    );
    in_both_worlds(
        async || {
            let mut message = Counting { headers: carrying(CHOSEN), writes: 0 };
            let produce = throughline::produce("publish").destination("orders");
            produce.existing(Existing::Keep).start(&mut message).finish(Outcome::ok());
            message
        },
        |traces, message| {
            kept(traces, "send orders", &message, CHOSEN);
            assert_eq!(message.writes, 0, "what is kept is not touched");
        },
    );
}

#[test]
fn a_producer_that_is_filtered_out_writes_the_context_of_the_span_around_it() {
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::layer::SubscriberExt;

    let capture = Capture::new().with_subscriber(|tracer| {
        tracing_subscriber::registry()
            .with(LevelFilter::WARN)
            .with(tracing_opentelemetry::layer().with_tracer(tracer))
    });
    let mut sent = None;
    let traces = capture.run_sync(|| {
        let _request = tracing::warn_span!("POST /orders").entered();
        sent = Some(publish_now(Headers::new()));
    });
    assert_eq!(traces.len(), 1, "{traces}");
    let carried = sent.and_then(|sent| TraceContext::read_from(&sent).traceparent());
    assert_eq!(carried, Some(traceparent_of(traces.span("POST /orders"))));
}

#[test]
fn the_builders_futures_can_be_sent_to_another_thread() {
    fn needs_send<F: Future + Send>(future: F) -> F {
        future
    }

    in_both_worlds(
        async || {
            let mut message = Headers::new();
            let size = [("size", throughline::field::value(&7))];
            let sending = throughline::produce("publish")
                .fields(&size)
                .run(&mut message, |message| std::future::ready(Ok::<_, String>(message.len())));
            assert_eq!(needs_send(sending).await, Ok(2));
            let handling = throughline::consume("handle")
                .fields(&size)
                .run(&message, async { Ok::<_, String>(()) });
            needs_send(handling).await.expect("it does nothing");
        },
        |traces, ()| {
            traces.span("publish").has_attribute("size", 7);
            traces.span("handle").links_to("publish").has_attribute("size", 7);
        },
    );
}

#[test]
fn the_builders_futures_start_their_spans_when_they_are_polled() {
    in_both_worlds(
        async || {
            let mut message = Headers::new();
            drop(throughline::produce("never sent").run(&mut message, |_| async {}));
            assert_eq!(message, Headers::new());
            drop(throughline::consume("never handled").run(&message, async {}));

            let sending = throughline::produce("publish").run(&mut message, |_| async {});
            in_request(sending).await;
            let handling = throughline::consume("handle").link_nested().run(&message, async {});
            in_request(handling).await;
        },
        |traces, ()| {
            assert_eq!(traces.len(), 4, "{traces}");
            traces.span("publish").is_child_of("POST /orders");
            traces.span("handle").is_child_of("POST /orders").links_to("publish");
        },
    );
}

#[test]
fn the_builder_makes_the_future_that_sends_inside_the_span() {
    in_both_worlds(
        async || {
            let mut message = Headers::new();
            let produce = throughline::produce("publish");
            let seen = produce.run(&mut message, |_| {
                let seen = TraceContext::current();
                async move { Some(seen) }
            });
            let seen = seen.await;
            (message, seen.expect("it ran"))
        },
        |traces, (message, seen)| {
            sent_by(traces, "publish", &message);
            sent_by(traces, "publish", &seen);
        },
    );
}

impl Record {
    #[async_producer(destination = "orders", into = self.headers)]
    fn sent(self) -> Headers {
        self.headers
    }
}

#[test]
fn the_context_is_written_into_a_part_of_what_the_method_is_called_on() {
    in_both_worlds(
        async || Record::default().sent(),
        |traces, headers| sent_by(traces, "send orders", &headers),
    );
}

#[test]
fn a_field_may_be_a_part_of_what_the_context_is_written_into() {
    #[async_producer(destination = "orders", into = record.headers, fields(%shop = record.headers["shop"]))]
    fn publish(record: Record) -> Headers {
        record.headers
    }

    in_both_worlds(
        async || {
            let headers = Headers::from([("shop".to_owned(), "tea".to_owned())]);
            publish(Record { headers, ..Record::default() })
        },
        |traces, headers| {
            sent_by(traces, "send orders", &headers);
            traces.span("send orders").has_attribute("shop", "tea");
        },
    );
}

#[test]
fn what_a_handler_forwards_of_a_batch_is_replaced_also_where_it_has_no_room_for_the_link() {
    #[async_consumer(link, max_links = 1)]
    fn each(batch: Vec<Headers>) -> Vec<Headers> {
        let forward = |mut message: Headers| {
            throughline::produce("forward").run_sync(&mut message, |_| ());
            message
        };
        batch.into_iter().map(forward).collect()
    }

    in_both_worlds(
        async || each(vec![carrying(CHOSEN), carrying(ANOTHER)]),
        |traces, forwarded| {
            for span in traces.spans("forward") {
                assert_eq!(span.kind(), "producer");
            }
            for message in &forwarded {
                let sent = TraceContext::read_from(message).traceparent();
                assert!(sent.is_some_and(|sent| sent != CHOSEN && sent != ANOTHER));
            }
        },
    );
}

/// Nothing is known of a handler where telemetry is suppressed, nor is an earlier one taken for it.
#[test]
fn where_telemetry_is_suppressed_a_message_goes_on_as_it_came() {
    #[async_consumer(link)]
    fn forward(message: Headers) -> Headers {
        publish_now(message)
    }

    for capture in [Capture::new(), Capture::new().without_tracing()] {
        capture.run_sync(|| {
            let replaced = forward(carrying(CHOSEN));
            assert_ne!(TraceContext::read_from(&replaced).traceparent().as_deref(), Some(CHOSEN));
            let _suppressed = opentelemetry::Context::enter_telemetry_suppressed_scope();
            for sent in [CHOSEN, ANOTHER] {
                assert_eq!(forward(carrying(sent)), carrying(sent));
            }
        });
    }
}
