//! The telemetry around the handler. A processor that throws every span away, and the global tracer for
//! all, which is boxed.

use opentelemetry::global;
use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanProcessor};
use tracing_subscriber::layer::SubscriberExt as _;

/// Throws every span away.
#[derive(Debug)]
struct Discard;

impl SpanProcessor for Discard {
    fn on_start(&self, _: &mut Span, _: &opentelemetry::Context) {}

    fn on_end(&self, span: SpanData) {
        std::hint::black_box(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: std::time::Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Whether roots are sampled.
pub fn provider(sampled: bool) -> SdkTracerProvider {
    let root = if sampled { Sampler::AlwaysOn } else { Sampler::AlwaysOff };
    SdkTracerProvider::builder()
        .with_span_processor(Discard)
        .with_sampler(Sampler::ParentBased(Box::new(root)))
        .build()
}

/// What stands around the handler, by name: the program's for good.
pub fn set_up(how: &str) {
    match how {
        "nothing" => {}
        "alone" => install(true),
        "alone-unsampled" => install(false),
        "stock" => {
            install(true);
            install_the_stock_propagator();
        }
        "layer" => install_a_layer(true),
        "layer-unsampled" => install_a_layer(false),
        "fastrace" => install_fastrace(),
        other => panic!("no set-up {other}"),
    }
}

/// OpenTelemetry alone.
fn install(sampled: bool) {
    global::set_tracer_provider(provider(sampled));
}

/// The propagators that OpenTelemetry's own documentation sets.
fn install_the_stock_propagator() {
    global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]));
}

/// A layer for `tracing`, without its optional attributes.
fn install_a_layer(sampled: bool) {
    let layer = tracing_opentelemetry::layer()
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
        .with_tracer(provider(sampled).tracer("bench"));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("set once");
}

/// fastrace, with a reporter that throws every span away.
fn install_fastrace() {
    struct Discard;
    impl fastrace::collector::Reporter for Discard {
        fn report(&mut self, spans: Vec<fastrace::collector::SpanRecord>) {
            std::hint::black_box(spans);
        }
    }
    fastrace::set_reporter(Discard, fastrace::collector::Config::default());
}
