//! A provider that is handed over makes the spans from then on, in place of the global one. A process of its
//! own, for it stays in use; one test, because it is handed over in the middle of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use opentelemetry::trace::{Span, SpanId, Tracer, TracerProvider};
use opentelemetry::{Context, InstrumentationScope, global};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracer, SdkTracerProvider, SpanData};
use throughline::{Traced, async_consumer, async_producer, async_task, diagnose, use_provider};
use throughline_tests::{Headers, SENDER, baggage, current, headers};
use tracing_subscriber::layer::SubscriberExt;

#[async_consumer(link, destination = "orders")]
async fn linked(message: Headers) -> Option<String> {
    tokio::task::yield_now().await;
    publish(Headers::new());
    called().await;
    current()
}

#[async_consumer(continue)]
async fn continued(message: Headers) -> (Option<String>, Option<String>) {
    (current(), baggage("tenant"))
}

#[async_producer]
fn publish(message: Headers) -> Headers {
    message
}

#[async_task(continue)]
async fn called() {}

fn message() -> Headers {
    headers(&[("traceparent", SENDER), ("baggage", "tenant=acme")])
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn provider() -> (SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    (SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build(), exporter)
}

static TRACERS: AtomicUsize = AtomicUsize::new(0);

/// Counts the tracers that are asked for.
struct Counting(SdkTracerProvider);

impl TracerProvider for Counting {
    type Tracer = SdkTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> SdkTracer {
        TRACERS.fetch_add(1, Ordering::Relaxed);
        self.0.tracer_with_scope(scope)
    }
}

/// Handles one more message as its thread ends, when what throughline keeps there is gone.
struct AtTheEnd;

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        throughline::consume("last").run_sync(&message(), || ());
    }
}

thread_local! {
    static AT_THE_END: AtTheEnd = const { AtTheEnd };
}

fn recorded(exporter: &InMemorySpanExporter) -> Vec<SpanData> {
    let spans = exporter.get_finished_spans().expect("not shut down");
    exporter.reset();
    spans
}

fn names(spans: &[SpanData]) -> Vec<&str> {
    spans.iter().map(|span| span.name.as_ref()).collect()
}

#[test]
fn what_is_handed_over_makes_the_spans_and_the_global_provider_none() {
    let (global, of_global) = provider();
    global::set_tracer_provider(global.clone());
    block_on(linked(message()));
    assert_eq!(names(&recorded(&of_global)), ["publish", "called", "process orders"]);

    let (handed_over, of_handed_over) = provider();
    use_provider(Counting(handed_over.clone())).expect("it is the first");
    assert_eq!(TRACERS.load(Ordering::Relaxed), 0, "there is no span yet");
    assert!(use_provider(global).is_err(), "and stays the only one");

    // Handlers, producers and tasks, from the next span on.
    let inside = block_on(linked(message())).expect("a span");
    assert_eq!(recorded(&of_global), []);
    let spans = recorded(&of_handed_over);
    assert_eq!(names(&spans), ["publish", "called", "process orders"]);
    let [publish, called, process] = &spans[..] else { unreachable!() };
    assert!(inside.contains(&process.span_context.span_id().to_string()), "{inside}");
    assert_eq!(process.parent_span_id, SpanId::INVALID);
    assert_eq!(process.links.len(), 1);
    assert_eq!(process.instrumentation_scope.name(), "throughline");
    for child in [publish, called] {
        assert_eq!(child.parent_span_id, process.span_context.span_id());
    }
    let (_, tenant) = block_on(continued(message()));
    assert_eq!(tenant.as_deref(), Some("acme"));
    let [continued] = &recorded(&of_handed_over)[..] else { panic!("one span") };
    assert!(SENDER.contains(&continued.span_context.trace_id().to_string()));

    // One tracer for each thread, however many spans: and one more where that is gone already.
    assert_eq!(TRACERS.load(Ordering::Relaxed), 1);
    let threads = thread::scope(|scope| {
        let threads = [(); 2].map(|()| {
            scope.spawn(|| {
                // What OpenTelemetry keeps there is to outlast it.
                let _ = Context::current();
                handed_over.tracer("application").start("first").end();
                AT_THE_END.with(|_| ());
                block_on(linked(message()));
                block_on(linked(message()));
            })
        });
        threads.map(|thread| thread.join().expect("it handles its messages")).len()
    });
    assert_eq!(recorded(&of_handed_over).len(), threads * (1 + 2 * 3 + 1));
    assert_eq!(TRACERS.load(Ordering::Relaxed), 1 + threads * 2);

    // A log formatter changes nothing; a bridge goes before it, for it has a provider of its own.
    let log = tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::sink));
    tracing::subscriber::with_default(log, || block_on(linked(message())));
    assert_eq!(recorded(&of_handed_over).len(), 3);
    let (of_bridge, in_bridge) = provider();
    let bridge = tracing_opentelemetry::layer().with_tracer(of_bridge.tracer("application"));
    let bridge = tracing_subscriber::registry().with(bridge);
    tracing::subscriber::with_default(bridge, || block_on(linked(message())));
    assert_eq!((recorded(&in_bridge).len(), recorded(&of_handed_over).len()), (3, 0));

    let diagnosis = diagnose();
    assert_eq!(diagnosis.faults(), [], "{diagnosis}");
    assert!(diagnosis.to_string().contains("one was handed to `use_provider`"), "{diagnosis}");

    // Shut down, it makes none, and contexts pass through.
    handed_over.shutdown().expect("it is not shut down yet");
    assert_eq!(block_on(continued_in(SENDER)), Some(SENDER.to_owned()));
    assert!(Traced::new(1).context().is_empty());
}

async fn continued_in(sender: &str) -> Option<String> {
    continued(headers(&[("traceparent", sender)])).await.0
}
