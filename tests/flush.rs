//! Short-lived workers: what a batch exporter still holds is sent before the worker answers, by the
//! ways that the README and the docs of `throughline::tower` show.

use std::convert::Infallible;
use std::sync::LazyLock;
use std::time::Duration;

use ::tower::{ServiceBuilder, ServiceExt, service_fn};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, InMemorySpanExporter, SdkTracerProvider,
};
use throughline::async_consumer;
use throughline::tower::ConsumerLayer;
use throughline_tests::{Headers, SENDER, from, in_span};
use tokio::sync::Mutex;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::layer::SubscriberExt as _;

/// A provider that sends nothing by itself while the tests run.
fn batching() -> (SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let patient =
        BatchConfigBuilder::default().with_scheduled_delay(Duration::from_secs(3600)).build();
    let processor =
        BatchSpanProcessor::builder(exporter.clone()).with_batch_config(patient).build();
    (SdkTracerProvider::builder().with_span_processor(processor).build(), exporter)
}

/// The provider of the world without a layer. There is one for all tests of this file, and each has
/// it to itself while it runs: another's flush would send its spans too.
static GLOBAL: LazyLock<Mutex<(SdkTracerProvider, InMemorySpanExporter)>> = LazyLock::new(|| {
    let (provider, exporter) = batching();
    opentelemetry::global::set_tracer_provider(provider.clone());
    Mutex::new((provider, exporter))
});

/// Runs `body` with an OpenTelemetry layer that listens to `tracing`, and with OpenTelemetry alone;
/// it is given the provider, and how to see what was sent.
async fn in_both_worlds(body: impl AsyncFn(SdkTracerProvider, &dyn Fn() -> Vec<String>)) {
    let (provider, exporter) = batching();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
    body(provider, &|| names_of(&exporter))
        .with_subscriber(tracing_subscriber::registry().with(layer))
        .await;
    let global = GLOBAL.lock().await;
    let (provider, exporter) = &*global;
    body(provider.clone(), &|| names_of(exporter)).await;
}

fn names_of(exporter: &InMemorySpanExporter) -> Vec<String> {
    let spans = exporter.get_finished_spans().expect("not shut down");
    spans.into_iter().map(|span| span.name.into_owned()).collect()
}

/// As the README has it.
async fn flush(provider: SdkTracerProvider) {
    let flushed = tokio::task::spawn_blocking(move || provider.force_flush()).await;
    assert!(matches!(flushed, Ok(Ok(()))), "{flushed:?}");
}

async fn charge(_order: Headers) -> Result<(), Infallible> {
    tokio::task::yield_now().await;
    in_span("send receipt", || Ok(()))
}

#[tokio::test]
async fn a_flush_after_the_handler_sends_its_spans_before_the_answer() {
    #[async_consumer(continue)]
    async fn charge_card(order: Headers) -> Result<(), Infallible> {
        charge(order).await
    }
    async fn on_event(order: Headers, provider: SdkTracerProvider) -> Result<(), Infallible> {
        let charged = charge_card(order).await;
        flush(provider).await;
        charged
    }
    in_both_worlds(async |provider, sent| {
        assert_eq!(charge_card(from(SENDER)).await, Ok(()));
        assert!(!sent().contains(&"charge_card".to_owned()), "nobody has to flush");

        assert_eq!(on_event(from(SENDER), provider).await, Ok(()));
        assert!(sent().contains(&"charge_card".to_owned()));
        assert!(sent().contains(&"send receipt".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_flush_inside_the_handler_is_too_early_for_its_own_span() {
    #[async_consumer(continue, from = order)]
    async fn flushes_itself(order: Headers, provider: SdkTracerProvider) {
        charge(order).await.expect("no error");
        flush(provider).await;
    }
    in_both_worlds(async |provider, sent| {
        flushes_itself(from(SENDER), provider).await;
        assert!(sent().contains(&"send receipt".to_owned()));
        assert!(!sent().contains(&"flushes_itself".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_layer_can_flush_outside_of_ours() {
    in_both_worlds(async |provider, sent| {
        let worker = ServiceBuilder::new()
            .then(move |charged: Result<(), Infallible>| async move {
                flush(provider).await;
                charged
            })
            .layer(ConsumerLayer::new("charge_under_a_layer").continue_())
            .service(service_fn(charge));
        assert_eq!(worker.oneshot(from(SENDER)).await, Ok(()));
        assert!(sent().contains(&"charge_under_a_layer".to_owned()));
    })
    .await;
}
