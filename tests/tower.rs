//! The layer for workers that are built on `tower`: the same relations, around each call of the
//! service below it. Both worlds.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Future, Ready, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use ::tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use opentelemetry::{Array, Value};
use throughline::testing::{Capture, Traces};
use throughline::tower::{ConsumerLayer, ConsumerService};
use throughline::{Outcome, Relation, TraceContext, Traced, consume, outcome, produce};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, current, from, headers, in_span};

/// Runs `body` with an OpenTelemetry layer that listens to `tracing`, and with OpenTelemetry alone.
fn in_both_worlds(body: impl AsyncFn(), check: impl Fn(&Traces)) {
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        check(&runtime.block_on(capture.run(body())));
    }
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// A message, sent by a span of its own.
fn published() -> Traced<u32> {
    let mut order = Traced::new(7);
    produce("publish").destination("orders").run_sync(&mut order, |_| ());
    order
}

/// Sends a receipt, so that it shows which span the handler's work belongs to.
async fn charge(_request: impl Sized) -> Result<u32, Infallible> {
    tokio::task::yield_now().await;
    in_span("send receipt", || Ok(12))
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct CardRefused;

impl fmt::Display for CardRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bank said no")
    }
}

impl Error for CardRefused {}

// What the layer's span is related to.

#[test]
fn it_continues() {
    in_both_worlds(
        async || {
            let worker = ServiceBuilder::new()
                .layer(ConsumerLayer::new("charge_card").continue_().destination("orders"))
                .service(service_fn(charge));
            assert_eq!(worker.oneshot(published()).await, Ok(12));
        },
        |traces| {
            traces.assert_tree(
                "
                trace A
                  send orders                        producer
                    process orders                   consumer   continues A/send orders
                      send receipt                   producer
                ",
            );
        },
    );
}

#[test]
fn it_links() {
    in_both_worlds(
        async || {
            let worker = ServiceBuilder::new()
                .layer(ConsumerLayer::new("charge_card").link().destination("orders"))
                .service(service_fn(charge));
            assert_eq!(worker.oneshot(published()).await, Ok(12));
        },
        |traces| {
            traces.assert_tree(
                "
                trace A
                  send orders                        producer
                trace B
                  process orders                     consumer   links to A/send orders
                    send receipt                     producer
                ",
            );
        },
    );
}

#[test]
fn it_links_unless_told_otherwise_and_the_last_word_counts() {
    for layer in
        [ConsumerLayer::new("charge_card"), ConsumerLayer::new("charge_card").ignore().link()]
    {
        in_both_worlds(
            async || {
                let worker = layer.clone().layer(service_fn(charge));
                assert_eq!(worker.oneshot(from(SENDER)).await, Ok(12));
            },
            |traces| {
                traces.span("charge_card").is_root().links_to(SENDER);
            },
        );
    }
}

/// Calls the service and polls the response future, each inside a span.
fn call_and_poll(layer: &ConsumerLayer) {
    let mut worker = layer.layer(service_fn(charge_at_once));
    let mut charged = in_span("call", || Box::pin(worker.call(from(SENDER))));
    assert!(in_span("first poll", || poll_once(charged.as_mut())).is_ready());
}

#[test]
fn what_is_active_at_the_first_poll_is_the_ambient_span() {
    in_both_worlds(
        async || call_and_poll(&ConsumerLayer::new("charge_card").link_nested()),
        |traces| {
            traces.span("charge_card").is_child_of("first poll").links_to(SENDER).has_links(1);
        },
    );
    in_both_worlds(
        async || call_and_poll(&ConsumerLayer::new("charge_card").ignore()),
        |traces| {
            traces.span("charge_card").is_root().links_to("first poll").has_links(1);
        },
    );
}

#[test]
fn a_relation_can_be_chosen_at_run_time() {
    in_both_worlds(
        async || {
            let layer = ConsumerLayer::new("charge_card").relation(Relation::CONTINUE);
            let worker = layer.layer(service_fn(charge));
            assert_eq!(worker.oneshot(from(SENDER)).await, Ok(12));
        },
        |traces| {
            traces.span("charge_card").continues(SENDER);
        },
    );
}

// Where the message is in the request.

struct Job {
    metadata: HashMap<String, String>,
    queue: &'static str,
    nightly: bool,
}

impl Job {
    fn new(queue: &'static str, nightly: bool) -> Self {
        let metadata = HashMap::from([("traceparent".to_owned(), SENDER.to_owned())]);
        Self { metadata, queue, nightly }
    }
}

#[test]
fn the_message_can_be_a_part_of_the_request() {
    in_both_worlds(
        async || {
            let layer = ConsumerLayer::new("run_job").continue_().from(|job: &Job| &job.metadata);
            let worker = layer.layer(service_fn(charge));
            assert_eq!(worker.oneshot(Job::new("jobs", false)).await, Ok(12));
        },
        |traces| {
            traces.span("run_job").continues(SENDER);
        },
    );
}

#[test]
fn a_request_can_be_a_batch_or_have_one() {
    in_both_worlds(
        async || {
            let layer = ConsumerLayer::new("add_up").from(|batch: &Vec<Headers>| batch);
            let worker = layer.layer(service_fn(charge));
            let batch = vec![from(SENDER), from(OTHER_SENDER), from(SENDER)];
            assert_eq!(worker.oneshot(batch.clone()).await, Ok(12));

            let layer =
                ConsumerLayer::new("add_slice").from(|all: &(Vec<Headers>, u8)| &all.0[1..]);
            let worker = layer.layer(service_fn(charge));
            assert_eq!(worker.oneshot((batch, 0)).await, Ok(12));
        },
        |traces| {
            let whole = traces.span("add_up").is_root().has_links(2);
            whole.has_attribute("messaging.batch.message_count", 3);
            let part = traces.span("add_slice").is_root().has_links(2);
            part.has_attribute("messaging.batch.message_count", 2);
        },
    );
}

#[test]
fn the_whole_span_can_depend_on_the_request() {
    in_both_worlds(
        async || {
            let layer = ConsumerLayer::read_with(|job: &Job| {
                let relation = if job.nightly { Relation::LINK } else { Relation::CONTINUE };
                // A message that is there only while it is read.
                let context = TraceContext::read_from(&job.metadata);
                consume("run_job").relation(relation).destination(job.queue).read(&context)
            });
            let mut worker = layer.layer(service_fn(charge));
            assert_eq!(worker.call(Job::new("mails", true)).await, Ok(12));
            assert_eq!(worker.call(Job::new("cards", false)).await, Ok(12));
        },
        |traces| {
            traces.span("process mails").is_root().links_to(SENDER);
            traces.span("process cards").continues(SENDER);
        },
    );
}

#[test]
fn what_describes_the_handler_stands_on_its_span() {
    in_both_worlds(
        async || {
            let layer = ConsumerLayer::new("charge_card")
                .system("kafka")
                .destination("orders")
                .operation("consume")
                .capture_headers(&["tenant"])
                .link();
            let worker = layer.clone().layer(service_fn(charge));
            let message = headers(&[("traceparent", SENDER), ("Tenant", "acme")]);
            assert_eq!(worker.oneshot(message).await, Ok(12));

            let worker = layer.clone().name("charging").layer(service_fn(charge));
            assert_eq!(worker.oneshot(from(SENDER)).await, Ok(12));
            let worker = layer.clone().name("not made").enabled(false).layer(service_fn(charge));
            assert_eq!(worker.oneshot(from(SENDER)).await, Ok(12));
            let layer = layer.name("few links").max_links(1).from(|batch: &Vec<Headers>| batch);
            let worker = layer.layer(service_fn(charge));
            assert_eq!(worker.oneshot(vec![from(SENDER), from(OTHER_SENDER)]).await, Ok(12));
        },
        |traces| {
            let tenant = Array::String(vec!["acme".into()]);
            traces
                .span("consume orders")
                .is_kind("consumer")
                .has_attribute("messaging.system", "kafka")
                .has_attribute("messaging.destination.name", "orders")
                .has_attribute("messaging.operation.name", "consume")
                .has_attribute("throughline.message.header.tenant", Value::Array(tenant))
                .has_attribute("code.function.name", "charge_card");
            traces.span("charging").links_to(SENDER);
            assert!(traces.spans("not made").is_empty());
            traces.span("few links").has_links(1);
        },
    );
}

// When things happen.

#[test]
fn the_message_is_read_when_the_service_is_called() {
    in_both_worlds(
        async || {
            let layer = ConsumerLayer::new("charge_card").continue_();
            // The request is gone before the response future is polled.
            let mut worker = layer.layer(service_fn(|request: Headers| {
                drop(request);
                charge(())
            }));
            let charged = worker.call(from(SENDER));
            assert_eq!(charged.await, Ok(12));
        },
        |traces| {
            traces.span("charge_card").continues(SENDER);
        },
    );
}

#[test]
fn a_response_future_that_is_never_polled_leaves_no_trace() {
    in_both_worlds(
        async || {
            let mut worker = ConsumerLayer::new("charge_card").layer(service_fn(charge));
            drop(worker.call(from(SENDER)));
        },
        |traces| assert!(traces.is_empty(), "{traces}"),
    );
}

#[test]
fn what_the_service_does_in_its_call_is_outside_the_span() {
    in_both_worlds(
        async || {
            let worker = service_fn(|message: Headers| {
                in_span("in call", || charge(message)) // as a layer does that traces by itself
            });
            let worker = ConsumerLayer::new("charge_card").continue_().layer(worker);
            assert_eq!(worker.oneshot(from(SENDER)).await, Ok(12));
        },
        |traces| {
            traces.span("in call").is_root();
            traces.span("send receipt").is_child_of("charge_card");
        },
    );
}

#[test]
fn the_span_ends_with_the_response_and_not_when_its_future_is_dropped() {
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        let mut worker = ConsumerLayer::new("charge_card").layer(service_fn(charge_at_once));
        let mut charged = pin!(worker.call(from(SENDER)));
        let traces = capture.run_sync(|| assert!(poll_once(charged.as_mut()).is_ready()));
        traces.span("charge_card").status_is_unset();
        // And it does nothing more.
        assert!(poll_once(charged.as_mut()).is_pending());
    }
}

fn charge_at_once(_request: Headers) -> Ready<Result<u32, Infallible>> {
    ready(Ok(12))
}

#[test]
fn each_call_has_its_own_span_however_they_are_mixed() {
    in_both_worlds(
        async || {
            let layer = ConsumerLayer::new("charge_card").continue_();
            let mut worker = layer.layer(service_fn(async |message: Headers| {
                tokio::task::yield_now().await;
                let sender = message[0].1.clone();
                let own = current().expect("a span");
                assert_eq!(own[3..35], sender[3..35], "of the sender's trace");
                Ok::<_, Infallible>(())
            }));
            let both = futures::join!(worker.call(from(SENDER)), worker.call(from(OTHER_SENDER)));
            assert_eq!(both, (Ok(()), Ok(())));
        },
        |traces| assert_eq!(traces.spans("charge_card").len(), 2),
    );
}

// How it ended.

async fn refuse(_request: Headers) -> Result<u32, CardRefused> {
    Err(CardRefused)
}

#[test]
fn an_error_is_named_after_its_type() {
    in_both_worlds(
        async || {
            let worker = ConsumerLayer::new("charge_card").layer(service_fn(refuse));
            assert_eq!(worker.oneshot(from(SENDER)).await, Err(CardRefused));
        },
        |traces| {
            let span = traces.span("charge_card").is_error_with("the bank said no");
            span.has_attribute("error.type", "CardRefused");
        },
    );
}

type Boxed = Box<dyn Error + Send + Sync>;

#[test]
fn a_boxed_error_can_be_any_and_is_told_by_its_words() {
    in_both_worlds(
        async || {
            let worker = service_fn(refuse).map_err(Boxed::from);
            let worker = ConsumerLayer::new("charge_card").layer(worker);
            assert!(worker.oneshot(from(SENDER)).await.is_err());
        },
        |traces| {
            let span = traces.span("charge_card").is_error_with("the bank said no");
            span.has_attribute("error.type", "_OTHER");
        },
    );
}

#[test]
fn how_it_ended_can_be_said_by_a_closure() {
    in_both_worlds(
        async || {
            let layer = ConsumerLayer::new("boxed").outcome(|result: &Result<u32, Boxed>| {
                let refused = result.as_ref().err().and_then(|error| error.downcast_ref());
                refused.map_or_else(|| outcome!(result), Outcome::of_error::<CardRefused>)
            });
            let worker = layer.layer(service_fn(refuse).map_err(Boxed::from));
            assert!(worker.oneshot(from(SENDER)).await.is_err());

            let layer = ConsumerLayer::new("response").outcome(|result: &Result<u32, _>| {
                if *result == Ok(12) { Outcome::error("unlucky") } else { Outcome::ok() }
            });
            let worker = layer.clone().layer(service_fn(charge));
            assert_eq!(worker.oneshot(from(SENDER)).await, Ok(12));
        },
        |traces| {
            traces.span("boxed").is_error().has_attribute("error.type", "CardRefused");
            traces.span("response").is_error().has_attribute("error.type", "unlucky");
        },
    );
}

/// An error that cannot be displayed.
struct Silent;

async fn fail_silently(_request: Headers) -> Result<(), Silent> {
    Err(Silent)
}

#[test]
fn an_error_of_any_kind_can_be_told_by_a_closure() {
    in_both_worlds(
        async || {
            let layer = ConsumerLayer::new("charge_card")
                .outcome(|result: &Result<(), Silent>| outcome!(result));
            let worker = layer.layer(service_fn(fail_silently));
            assert!(worker.oneshot(from(SENDER)).await.is_err());
        },
        |traces| {
            traces.span("charge_card").is_error().has_attribute("error.type", "Silent");
        },
    );
}

#[test]
fn a_panic_is_told_and_reaches_the_caller() {
    in_both_worlds(
        async || {
            let worker = service_fn(async |_: Headers| -> Result<(), Infallible> {
                let _receipt = SentWhenDropped;
                tokio::task::yield_now().await;
                resume_unwind(Box::new("no stock")) // without the hook's words in the output
            });
            let mut worker = ConsumerLayer::new("charge_card").continue_().layer(worker);
            let mut charged = Box::pin(worker.call(from(SENDER)));
            assert!(poll_once(charged.as_mut()).is_pending());
            let panicked = catch_unwind(AssertUnwindSafe(|| poll_once(charged.as_mut())));
            assert_eq!(panicked.unwrap_err().downcast_ref(), Some(&"no stock"));
        },
        |traces| {
            traces.span("charge_card").is_error().has_attribute("error.type", "panic");
            traces.span("send receipt").is_child_of("charge_card");
        },
    );
}

/// What still happens when a future is dropped belongs to its span.
struct SentWhenDropped;

impl Drop for SentWhenDropped {
    fn drop(&mut self) {
        in_span("send receipt", || ());
    }
}

#[test]
fn a_call_that_is_dropped_before_its_end_was_cancelled() {
    in_both_worlds(
        async || {
            let worker = service_fn(async |_: Headers| {
                let _receipt = SentWhenDropped;
                pending::<Result<(), Infallible>>().await
            });
            let mut worker = ConsumerLayer::new("charge_card").continue_().layer(worker);
            let mut charged = Box::pin(worker.call(from(SENDER)));
            assert!(poll_once(charged.as_mut()).is_pending());
        },
        |traces| {
            traces.span("charge_card").is_error().has_attribute("error.type", "cancelled");
            traces.span("send receipt").is_child_of("charge_card");
        },
    );
}

// A good citizen of the stack.

/// Ready when asked for the second time, and after that broken.
#[derive(Debug, Clone, Default)]
struct Slow {
    asked: u32,
}

impl Service<Headers> for Slow {
    type Response = u32;
    type Error = CardRefused;
    type Future = Ready<Result<u32, CardRefused>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), CardRefused>> {
        self.asked += 1;
        match self.asked {
            1 => Poll::Pending,
            2 => Poll::Ready(Ok(())),
            _ => Poll::Ready(Err(CardRefused)),
        }
    }

    fn call(&mut self, _: Headers) -> Self::Future {
        ready(Ok(12))
    }
}

#[test]
fn it_is_ready_when_the_service_below_is() {
    let mut worker = ConsumerLayer::new("charge_card").layer(Slow::default());
    let task = &mut Context::from_waker(Waker::noop());
    assert!(worker.poll_ready(task).is_pending());
    assert_eq!(worker.poll_ready(task), Poll::Ready(Ok(())));
    assert_eq!(worker.poll_ready(task), Poll::Ready(Err(CardRefused)));
    assert_eq!(worker.get_ref().asked, 3);
    worker.get_mut().asked = 1;
    assert_eq!(worker.into_inner().asked, 1);
}

#[test]
fn it_can_be_cloned_sent_and_shared_where_the_service_can() {
    fn all_of_it<T: Clone + Send + Sync + fmt::Debug + 'static>(value: T) -> T {
        value
    }
    fn can_be_sent<T: Send + 'static>(value: T) -> T {
        value
    }
    let layer = all_of_it(ConsumerLayer::new("charge_card").continue_().destination("orders"));
    let mut worker = all_of_it(layer.layer(Slow::default()));
    drop(can_be_sent(worker.call(from(SENDER))));

    let layer = all_of_it(layer.from(|message: &Headers| message));
    let layer = all_of_it(layer.outcome(|_: &Result<u32, CardRefused>| Outcome::ok()));
    let mut worker = all_of_it(layer.layer(Slow::default()));
    drop(can_be_sent(worker.call(from(SENDER))));
    assert!(format!("{worker:?}").starts_with("ConsumerService { inner: Slow { asked: 0 }"));
}

#[test]
fn a_service_that_cannot_be_sent_works_as_well() {
    in_both_worlds(
        async || {
            let shared = Rc::new(12);
            let worker = service_fn(|_: Headers| {
                let shared = Rc::clone(&shared);
                async move { Ok::<_, Infallible>(*shared) }
            });
            let worker = ConsumerLayer::new("charge_card").layer(worker);
            assert_eq!(worker.oneshot(from(SENDER)).await, Ok(12));
        },
        |traces| {
            traces.span("charge_card").links_to(SENDER);
        },
    );
}

/// A worker can name the type of its stack.
struct Worker {
    service: ConsumerService<Slow>,
}

#[test]
fn its_type_can_be_named() {
    let mut worker = Worker { service: ConsumerLayer::new("charge_card").layer(Slow::default()) };
    let charged = pin!(worker.service.call(from(SENDER)));
    assert_eq!(poll_once(charged), Poll::Ready(Ok(12)));
}
