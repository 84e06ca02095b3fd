//! A service whose OpenTelemetry layer is of another version than the one that throughline knows,
//! and what can be known of that.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider};
use throughline::async_consumer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::{Layered, SubscriberExt as _};

/// A message's headers.
pub type Headers = Vec<(String, String)>;

type OtherLayer =
    tracing_opentelemetry::OpenTelemetryLayer<Registry, opentelemetry_sdk::trace::SdkTracer>;

/// What the service sets up, and what its layer exports.
#[must_use]
pub fn telemetry() -> (Layered<OtherLayer, Registry>, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
    (tracing_subscriber::registry().with(layer), exporter)
}

/// Handles an order.
#[async_consumer(continue)]
pub fn charge_card(order: &Headers) {}

#[cfg(test)]
mod tests;
