//! The printed tree and the captures as a whole. What has a file of its own is tested there.

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SpanData, SpanEvents, SpanLinks};

use super::{Capture, Traces, capture_sync, provider};

/// A span by its numbers: (trace, span).
type Id = (u128, u64);

fn context((trace, span): Id) -> SpanContext {
    SpanContext::new(
        TraceId::from(trace),
        SpanId::from(span),
        TraceFlags::SAMPLED,
        true,
        TraceState::default(),
    )
}

fn span(id: Id, parent: u64, name: &'static str, kind: SpanKind, links: &[Id]) -> SpanData {
    let mut span_links = SpanLinks::default();
    let contexts = links.iter().map(|&link| Link::with_context(context(link)));
    span_links.links = contexts.collect();
    SpanData {
        span_context: context(id),
        parent_span_id: SpanId::from(parent),
        parent_span_is_remote: false,
        span_kind: kind,
        name: name.into(),
        start_time: UNIX_EPOCH,
        end_time: UNIX_EPOCH,
        attributes: Vec::new(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: span_links,
        status: Status::Unset,
        instrumentation_scope: InstrumentationScope::default(),
    }
}

fn role(mut span: SpanData, link: usize, role: &'static str) -> SpanData {
    let role = KeyValue::new("throughline.link.role", role);
    span.links.links[link].attributes.push(role);
    span
}

/// An order that is published, charged (continue) and reserved (link). Its traces are `ids`.
fn order(ids: [u128; 2]) -> Vec<SpanData> {
    let [request, other] = ids;
    vec![
        span((request, 1), 0, "POST /orders", SpanKind::Server, &[]),
        span((request, 2), 1, "publish orders", SpanKind::Producer, &[]),
        span((request, 3), 2, "process orders", SpanKind::Consumer, &[(request, 2)]),
        span((other, 4), 0, "process orders", SpanKind::Consumer, &[(request, 2)]),
    ]
}

/// A stable way of mixing, for tests that want many orders and the same ones each time.
fn shuffle<T>(items: &mut [T], seed: &mut u64) {
    for last in (1..items.len()).rev() {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let other = (*seed >> 33) % (last as u64 + 1);
        items.swap(last, usize::try_from(other).unwrap());
    }
}

/// Prints the same in every order of the input, and whatever the ids are.
fn assert_stable(spans: &[SpanData]) -> Traces {
    let printed = Traces::from_spans(spans.to_vec()).to_string();
    let traces: HashSet<_> = spans
        .iter()
        .flat_map(|span| {
            let links = span.links.iter().map(|link| link.span_context.trace_id());
            links.chain([span.span_context.trace_id()])
        })
        .collect();
    let mut seed = 1;
    for _ in 0..50 {
        let mut new_ids: Vec<_> = (1..=traces.len() as u128).map(TraceId::from).collect();
        shuffle(&mut new_ids, &mut seed);
        let renamed: HashMap<_, _> = traces.iter().zip(new_ids).collect();
        let rename = |it: &SpanContext| {
            let trace = renamed[&it.trace_id()];
            SpanContext::new(trace, it.span_id(), TraceFlags::SAMPLED, true, TraceState::NONE)
        };
        let mut spans = spans.to_vec();
        for span in &mut spans {
            span.span_context = rename(&span.span_context);
            for link in &mut span.links.links {
                link.span_context = rename(&link.span_context);
            }
            shuffle(&mut span.links.links, &mut seed);
        }
        shuffle(&mut spans, &mut seed);
        assert_eq!(Traces::from_spans(spans).to_string(), printed);
    }
    Traces::from_spans(spans.to_vec())
}

#[test]
fn the_tree_of_one_order() {
    assert_stable(&order([20, 10])).assert_tree(
        "
        trace A
          POST /orders                       server
            publish orders                   producer
              process orders                 consumer   continues A/publish orders
        trace B
          process orders                     consumer   links to A/publish orders
        ",
    );
}

#[test]
fn orders_that_are_alike_keep_their_handlers_beside_them() {
    let mut spans = [order([1, 2]), order([3, 4]), order([5, 6])].concat();
    let origins = [(1, 2), (3, 2), (5, 2)];
    spans.push(span((7, 1), 0, "archive orders", SpanKind::Consumer, &origins));
    assert_stable(&spans).assert_tree(
        "
        trace A
          POST /orders                       server
            publish orders                   producer
              process orders                 consumer   continues A/publish orders
        trace B
          process orders                     consumer   links to A/publish orders
        trace C
          POST /orders                       server
            publish orders                   producer
              process orders                 consumer   continues C/publish orders
        trace D
          process orders                     consumer   links to C/publish orders
        trace E
          POST /orders                       server
            publish orders                   producer
              process orders                 consumer   continues E/publish orders
        trace F
          archive orders                     consumer   links to A/publish orders, C/publish orders, E/publish orders
        trace G
          process orders                     consumer   links to E/publish orders
        ",
    );
}

#[test]
fn siblings_of_one_name_are_numbered_where_something_speaks_of_them() {
    let publish = |span_id| span((1, span_id), 9, "publish orders", SpanKind::Producer, &[]);
    let spans = [
        span((1, 9), 0, "import", SpanKind::Internal, &[]),
        publish(1),
        publish(2),
        publish(3),
        span((1, 4), 9, "query", SpanKind::Client, &[]),
        span((1, 5), 9, "query", SpanKind::Client, &[]),
        span((2, 1), 0, "process orders", SpanKind::Consumer, &[(1, 3)]),
        span((3, 1), 0, "process orders", SpanKind::Consumer, &[(1, 1)]),
    ];
    let traces = assert_stable(&spans);
    traces.assert_tree(
        "
        trace A
          import                             internal
            publish orders #1                producer
            publish orders #2                producer
            publish orders #3                producer
            query                            client
            query                            client
        trace B
          process orders                     consumer   links to A/publish orders #1
        trace C
          process orders                     consumer   links to A/publish orders #2
        ",
    );
    traces.span("C/process orders").links_to("A/publish orders #2");
}

#[test]
fn outside_ambient_failed_and_dropped() {
    let mut failed = span((1, 1), 7, "process orders", SpanKind::Consumer, &[(1, 7)]);
    failed.status = Status::error("card\nrefused");
    failed.attributes.push(KeyValue::new("error.type", "PaymentError"));
    let mut ok = span((2, 1), 8, "process orders", SpanKind::Consumer, &[(9, 9), (9, 8)]);
    ok.status = Status::Ok;
    ok.links.dropped_count = 2;
    let origins = [(9, 9), (4, 1)];
    let ambient = span((3, 1), 0, "process orders", SpanKind::Consumer, &origins);
    let poll = span((4, 1), 0, "poll", SpanKind::Internal, &[]);
    let traces = assert_stable(&[failed, ok, role(ambient, 1, "ambient"), poll]);
    traces.assert_tree(
        r"
        trace A
          poll                               internal
        trace B
          process orders                     consumer   links to a span outside; links to A/poll (ambient)
        trace C
          process orders                     consumer   child of a span outside; links to 2 spans outside; 2 links dropped; ok
        trace D
          process orders                     consumer   continues a span outside; error: PaymentError: card\nrefused
        ",
    );
}

#[test]
fn many_links_are_counted() {
    let mut spans: Vec<_> = (1..=100)
        .map(|trace| span((trace, 1), 0, "publish orders", SpanKind::Producer, &[]))
        .collect();
    let origins: Vec<_> = (1..=100).map(|trace| (trace, 1)).collect();
    spans.push(span((200, 1), 0, "process orders", SpanKind::Consumer, &origins));
    let printed = assert_stable(&spans).to_string();
    assert_eq!(
        printed.lines().last().unwrap(),
        "  process orders                     consumer   \
         links to A/publish orders, B/publish orders, C/publish orders and 97 more"
    );
    assert!(printed.contains("\ntrace Z\n") && printed.contains("\ntrace AA\n"));
    assert!(printed.contains("\ntrace CW\n"), "the hundred-and-first");
}

#[test]
fn links_in_a_circle_and_batches_that_overlap_have_an_order_too() {
    let circle = [
        span((1, 1), 0, "ping", SpanKind::Internal, &[(2, 1)]),
        span((2, 1), 0, "pong", SpanKind::Internal, &[(1, 1)]),
        span((3, 1), 0, "a late one", SpanKind::Internal, &[(2, 1)]),
    ];
    assert_stable(&circle).assert_tree(
        "
        trace A
          ping                               internal   links to B/pong
        trace B
          pong                               internal   links to A/ping
        trace C
          a late one                         internal   links to B/pong
        ",
    );

    // A process: the request links to the top-level trace, whose step links back.
    let process = [
        span((1, 1), 0, "sign-up", SpanKind::Internal, &[]),
        role(span((1, 2), 1, "confirm", SpanKind::Internal, &[(2, 1)]), 0, "ambient"),
        span((2, 1), 0, "GET /confirm", SpanKind::Server, &[(1, 1)]),
    ];
    assert_stable(&process).assert_tree(
        "
        trace A
          sign-up                            internal
            confirm                          internal   links to B/GET /confirm (ambient)
        trace B
          GET /confirm                       server     links to A/sign-up
        ",
    );

    // Each batch shares one origin with the next, the last one with the first.
    let mut ring: Vec<_> =
        (0..6).map(|trace| span((trace + 1, 1), 0, "publish", SpanKind::Producer, &[])).collect();
    ring.extend((0..6).map(|batch| {
        let origins = [(batch + 1, 1), ((batch + 1) % 6 + 1, 1)];
        span((batch + 11, 1), 0, "process", SpanKind::Consumer, &origins)
    }));
    assert_stable(&ring);
}

#[test]
fn times_stand_in_a_column_of_their_own() {
    let mut spans = order([1, 2]);
    for (span, millis) in spans.iter_mut().zip([0, 1, 12, 1200]) {
        span.start_time += Duration::from_millis(millis);
        span.end_time = span.start_time + Duration::from_micros(2_500);
    }
    assert_eq!(
        Traces::from_spans(spans).with_times().to_string(),
        "\
trace A
  POST /orders                       server        +0.00 ms  2.50 ms
    publish orders                   producer      +1.00 ms  2.50 ms
      process orders                 consumer     +12.00 ms  2.50 ms   continues A/publish orders
trace B
  process orders                     consumer   +1200.00 ms  2.50 ms   links to A/publish orders"
    );
}

#[test]
fn a_thousand_spans_print_in_no_time() {
    let spans: Vec<_> = (0..250).flat_map(|it| order([it * 2 + 1, it * 2 + 2])).collect();
    assert_eq!(Traces::from_spans(spans).len(), 1000);
}

fn tracer() -> SdkTracer {
    provider().tracer("test")
}

/// Sends and handles one order, in as many polls as it has steps.
async fn place_order() {
    let tracer = tracer();
    let request = tracer.span_builder("POST /orders").with_kind(SpanKind::Server);
    let request = Context::new().with_span(request.start_with_context(&tracer, &Context::new()));
    turn().await;
    let send = tracer.span_builder("publish orders").with_kind(SpanKind::Producer);
    let send = Context::new().with_span(send.start_with_context(&tracer, &request));
    turn().await;
    let origin = send.span().span_context().clone();
    for parent in [send, Context::new()] {
        let handle = tracer
            .span_builder("process orders")
            .with_kind(SpanKind::Consumer)
            .with_links(vec![Link::with_context(origin.clone())]);
        let mut handle = handle.start_with_context(&tracer, &parent);
        turn().await;
        handle.end();
    }
}

const ONE_ORDER: &str = "
    trace A
      POST /orders                       server
        publish orders                   producer
          process orders                 consumer   continues A/publish orders
    trace B
      process orders                     consumer   links to A/publish orders
    ";

/// Lets the others run.
async fn turn() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = TaskContext::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Polls all in turn until all are done.
async fn all<F: Future<Output = Traces>>(captures: impl Iterator<Item = F>) -> Vec<Traces> {
    let mut running: Vec<_> = captures.map(|it| (Box::pin(it), None)).collect();
    std::future::poll_fn(|context| {
        for (capture, traces) in &mut running {
            if traces.is_none() {
                if let Poll::Ready(ready) = capture.as_mut().poll(context) {
                    *traces = Some(ready);
                }
            }
        }
        if running.iter().all(|(_, traces)| traces.is_some()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    running.into_iter().filter_map(|(_, traces)| traces).collect()
}

fn both_worlds() -> [Capture; 2] {
    [Capture::new(), Capture::new().without_tracing()]
}

#[test]
fn captures_in_parallel_see_their_own_spans_only() {
    let twenty = || {
        let captures = (0..10).flat_map(|_| both_worlds());
        let traces = block_on(all(captures.map(|capture| capture.run(place_order()))));
        assert_eq!(traces.len(), 20);
        for traces in traces {
            traces.assert_tree(ONE_ORDER);
        }
    };
    twenty();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(twenty);
        }
    });
}

/// The same with throughline's own spans. The handlers run where nobody polls a capture, with
/// nothing but the message to tell whose they are.
#[test]
fn handlers_on_other_threads_are_seen_in_both_worlds() {
    let one_order = || {
        let mut order = crate::Traced::new("two lemons");
        crate::produce("publish").destination("orders").run_sync(&mut order, |_| {});
        let (charged, reserved) = (order.clone(), order);
        let charging = std::thread::spawn(move || {
            let charge = crate::consume("charge_card").continue_().destination("orders");
            block_on(charge.run(&charged, turn()));
        });
        let reserving = std::thread::spawn(move || {
            let reserve = crate::consume("reserve_stock").link().destination("orders");
            block_on(reserve.run(&reserved, turn()));
        });
        charging.join().unwrap();
        reserving.join().unwrap();
    };
    std::thread::scope(|scope| {
        for capture in (0..10).flat_map(|_| both_worlds()) {
            scope.spawn(move || {
                capture.run_sync(one_order).assert_tree(
                    "
                    trace A
                      send orders                        producer
                        process orders                   consumer   continues A/send orders
                    trace B
                      process orders                     consumer   links to A/send orders
                    ",
                );
            });
        }
    });
}

#[test]
fn captures_that_share_a_sample_context_do_not_steal_from_each_other() {
    let origin = context((0x5A4D, 0x5A4D));
    let handle = || async {
        let parent = Context::new().with_remote_span_context(origin.clone());
        let tracer = tracer();
        turn().await;
        let mut handle = tracer.start_with_context("process orders", &parent);
        turn().await;
        handle.end();
    };
    let captures = (0..10).flat_map(|_| both_worlds());
    for traces in block_on(all(captures.map(|capture| capture.run(handle())))) {
        assert_eq!(traces.len(), 1, "{traces}");
        let sample = "00-00000000000000000000000000005a4d-0000000000005a4d-01";
        let handle = traces.span("process orders");
        handle.is_child_of(sample).is_in_same_trace_as(sample);
        assert_eq!(handle.parent_outside(), Some(SpanId::from(0x5A4D)));
    }
}

#[test]
fn work_on_another_thread_is_claimed_by_what_it_continues_or_links_to() {
    for capture in both_worlds() {
        let others = Capture::new().without_tracing();
        let mut other = pin!(others.run(std::future::pending::<()>()));
        let mut idle = TaskContext::from_waker(Waker::noop());
        assert!(other.as_mut().poll(&mut idle).is_pending());

        let traces = capture.run_sync(|| {
            let tracer = tracer();
            let send = tracer.start_with_context("publish orders", &Context::new());
            let send = Context::new().with_span(send);
            let origin = send.span().span_context().clone();
            let worker = std::thread::spawn(move || {
                tracer.start_with_context("continued", &send);
                let links = vec![Link::with_context(origin)];
                let linked = tracer.span_builder("linked").with_links(links);
                linked.start_with_context(&tracer, &Context::new());
                tracer.start_with_context("nobody's", &Context::new());
            });
            worker.join().unwrap();
        });
        assert_eq!(traces.len(), 3, "{traces}");
        traces.span("continued").is_child_of("publish orders");
        traces.span("linked").is_root().links_to("publish orders");
    }
}

#[test]
fn a_task_beside_the_capture_is_its_own_while_it_is_the_only_one_here() {
    std::thread::spawn(|| {
        let mut capture = pin!(Capture::new().run(turn()));
        let mut context = TaskContext::from_waker(Waker::noop());
        assert!(capture.as_mut().poll(&mut context).is_pending());
        // As a task on a current-thread runtime would be polled.
        tracer().start_with_context("spawned", &Context::new());
        let Poll::Ready(traces) = capture.as_mut().poll(&mut context) else {
            panic!("the capture has one turn to wait for");
        };
        traces.span("spawned").is_root();
    })
    .join()
    .unwrap();
}

#[test]
fn a_capture_in_a_capture_keeps_its_spans() {
    let mut inner = None;
    let outer = capture_sync(|| {
        tracer().start("before");
        inner = Some(capture_sync(|| tracer().start("inside")));
        tracer().start("after");
    });
    assert_eq!(outer.len(), 2, "{outer}");
    assert_eq!(inner.unwrap().len(), 1);
}

#[test]
fn each_capture_has_its_own_sampler() {
    let none = Capture::new().sampler(Sampler::AlwaysOff);
    let captures = [none, Capture::new()].map(|capture| capture.run(place_order()));
    let counts: Vec<_> = block_on(all(captures.into_iter())).iter().map(Traces::len).collect();
    assert_eq!(counts, [0, 4]);
}

#[test]
fn a_future_ends_inside_its_capture() {
    let held = || {
        let span = tracer().start_with_context("held to the end", &Context::new());
        let mut polls = 0;
        std::future::poll_fn(move |context| {
            let _held = &span;
            polls += 1;
            context.waker().wake_by_ref();
            if polls < 3 { Poll::Pending } else { Poll::Ready(()) }
        })
    };
    let traces = block_on(Capture::new().run(async { held().await }));
    assert_eq!(traces.len(), 1);
    // The span of a future that was made outside is not the capture's, whoever polls it.
    assert!(block_on(Capture::new().run(held())).is_empty());
}

#[cfg(feature = "tracing")]
#[test]
fn tracing_is_heard_or_not_as_asked() {
    let body = || tracing::info_span!("heard", otel.kind = "consumer", x = 1).in_scope(|| {});
    let traces = capture_sync(body);
    let heard = traces.span("heard").is_kind("consumer").has_attribute("x", 1);
    assert_eq!(heard.data().attributes.len(), 1, "{:?}", heard.data().attributes);
    assert!(Capture::new().without_tracing().run_sync(body).is_empty());
}

fn message_of<R>(assertion: impl FnOnce() -> R) -> String {
    let assertion = || drop(assertion());
    let panic = catch_unwind(AssertUnwindSafe(assertion)).unwrap_err();
    *panic.downcast::<String>().unwrap()
}

#[test]
fn what_holds_can_be_asserted() {
    let mut spans = order([1, 2]);
    spans[3].status = Status::error("card refused");
    spans[3].attributes.push(KeyValue::new("error.type", "PaymentError"));
    spans[3].links.links[0].attributes.push(KeyValue::new("messaging.message.id", "m-1"));
    let traces = Traces::from_spans(spans);

    traces.span("POST /orders").is_root().has_no_links().is_kind("server").is_ok();
    traces
        .span("A/process orders")
        .continues("publish orders")
        .is_child_of("A/publish orders")
        .is_in_same_trace_as("POST /orders")
        .status_is_unset();
    traces
        .span("B/process orders")
        .is_root()
        .has_links(1)
        .links_to("publish orders")
        .links_to("00-00000000000000000000000000000001-0000000000000002-01")
        .has_link_attribute("publish orders", "messaging.message.id", "m-1")
        .is_error()
        .is_error_with("card refused")
        .has_attribute("error.type", "PaymentError")
        .has_no_attribute("order.id");
    assert_eq!(traces.roots().len(), 2);
    assert_eq!(traces.span("POST /orders").children()[0].name(), "publish orders");
}

#[test]
fn what_does_not_hold_is_said_with_the_tree() {
    let traces = Traces::from_spans(order([1, 2]));
    let continued = traces.span("A/process orders");
    let linked = traces.span("B/process orders");
    let publish = traces.span("publish orders");
    let message = message_of(|| linked.is_child_of("publish orders"));
    assert_eq!(
        message,
        format!(
            "B/process orders should be a child of \"publish orders\", but is a root\n\n{traces}\n"
        )
    );
    for (what, message) in [
        ("no span \"x\"", message_of(|| traces.span("x"))),
        (
            "2 spans \"process orders\" (A/process orders, B/process orders)",
            message_of(|| traces.span("process orders")),
        ),
        ("but is a child of A/publish orders", message_of(|| continued.is_root())),
        ("without a link", message_of(|| publish.continues("POST /orders"))),
        ("does not", message_of(|| publish.links_to("POST /orders"))),
        ("has 1", message_of(|| linked.has_no_links())),
        ("is not", message_of(|| linked.is_in_same_trace_as("publish orders"))),
        ("does not have it", message_of(|| linked.has_attribute("x", 1))),
        ("is \"consumer\"", message_of(|| linked.is_kind("server"))),
        ("has the status Unset", message_of(|| linked.is_error())),
        ("should print as", message_of(|| traces.assert_tree("trace A"))),
    ] {
        assert!(message.contains(what), "{message}");
        assert!(message.contains(&traces.to_string()), "{message}");
    }
}

#[test]
fn an_attribute_has_to_be_there_once_and_with_its_type() {
    let mut spans = order([1, 2]);
    let attributes = [KeyValue::new("x", 1), KeyValue::new("y", "1"), KeyValue::new("y", "1")];
    spans[0].attributes.extend(attributes);
    let traces = Traces::from_spans(spans);
    let span = traces.span("POST /orders").has_attribute("x", 1);
    message_of(|| span.has_attribute("x", "1"));
    assert!(message_of(|| span.has_attribute("y", "1")).contains("2 times"));
}

#[test]
fn a_span_that_is_still_open_is_named_where_it_is_missed() {
    let mut open = None;
    let traces = capture_sync(|| open = Some(tracer().start("process orders")));
    let message = message_of(|| traces.span("process orders"));
    assert!(message.contains("not ended when the capture was: process orders"), "{message}");
}
