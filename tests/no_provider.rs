//! Where the application has installed no provider nothing is recorded, and the context passes
//! through all the same. A process of its own, since the provider is global; one test, because the
//! provider is installed at the end of it.

use opentelemetry::global;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use throughline::{TraceContext, Traced, async_consumer, async_producer};
use throughline_tests::{Headers, SENDER, baggage, current, headers};
use tracing_subscriber::layer::SubscriberExt;

type Seen = (Option<String>, Option<String>);

#[async_consumer(link)]
async fn linked(message: Headers) -> Seen {
    tokio::task::yield_now().await;
    (current(), baggage("tenant"))
}

#[async_consumer(continue)]
async fn continued(message: Headers) -> Seen {
    tokio::task::yield_now().await;
    (current(), baggage("tenant"))
}

#[async_consumer(continue)]
fn forwarding(message: &Headers) -> Headers {
    publish(Headers::new())
}

#[async_producer]
fn publish(message: Headers) -> Headers {
    message
}

fn message() -> Headers {
    headers(&[("traceparent", SENDER), ("baggage", "tenant=acme")])
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn contexts_pass_through() {
    let acme = Some("acme".to_owned());
    assert_eq!(block_on(linked(message())), (None, acme.clone()));
    assert_eq!(block_on(continued(message())), (Some(SENDER.to_owned()), acme));
    // What is sent from there belongs to the sender's trace as well.
    let sent = TraceContext::read_from(&forwarding(&message()));
    assert_eq!(sent.traceparent().as_deref(), Some(SENDER));
    // Nothing around, nothing to send: the message stays as it is.
    assert_eq!(publish(headers(&[("own", "header")])), headers(&[("own", "header")]));
    assert!(Traced::new(1).context().is_empty());
    assert_eq!(current(), None);
}

fn recorded(exporter: &InMemorySpanExporter) -> Vec<String> {
    let spans = exporter.get_finished_spans().expect("not shut down");
    exporter.reset();
    spans.into_iter().map(|span| span.name.into_owned()).collect()
}

#[test]
fn without_a_provider_contexts_pass_through_and_a_later_provider_is_honoured() {
    contexts_pass_through();

    let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let log = tracing_subscriber::registry().with(log);
    tracing::subscriber::with_default(log, contexts_pass_through);

    // A bridge brings a tracer of its own.
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let bridge = tracing_opentelemetry::layer().with_tracer(provider.tracer("application"));
    let with_bridge = tracing_subscriber::registry().with(bridge);
    tracing::subscriber::with_default(with_bridge, || block_on(continued(message())));
    assert_eq!(recorded(&exporter), ["continued"]);

    global::set_tracer_provider(provider);
    let (seen, _) = block_on(continued(message()));
    assert_ne!(seen.as_deref(), Some(SENDER));
    assert_eq!(recorded(&exporter), ["continued"]);
}
