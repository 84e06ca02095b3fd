//! What a service really sends, from its exporters to the findings.

use std::process::Command;

use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::{SpanKind, Tracer, TracerProvider};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use throughline_test_linter::{Level, Receiver, Registry, lint_metrics, lint_spans};

/// Sends a span and a metric, each with one thing wrong.
fn send(endpoint: &str) {
    let resource = Resource::builder().with_service_name("shop").build();
    let scope = InstrumentationScope::builder("shop")
        .with_schema_url("https://opentelemetry.io/schemas/1.44.0")
        .build();

    let url = format!("{endpoint}/v1/traces");
    let exporter =
        SpanExporter::builder().with_http().with_endpoint(url).build().expect("a client");
    let provider = SdkTracerProvider::builder()
        .with_resource(resource.clone())
        .with_batch_exporter(exporter)
        .build();
    let span = provider.tracer_with_scope(scope.clone()).span_builder("ack orders");
    let attributes = [
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.name", "ack"),
        KeyValue::new("messaging.operation.type", "settle"),
        KeyValue::new("messaging.destination.name", "orders"),
        KeyValue::new("messaging.kafka.offset", "42"),
    ];
    let span = span.with_kind(SpanKind::Client).with_attributes(attributes);
    drop(provider.tracer_with_scope(scope.clone()).build(span));
    provider.shutdown().expect("it was received");

    let url = format!("{endpoint}/v1/metrics");
    let exporter =
        MetricExporter::builder().with_http().with_endpoint(url).build().expect("a client");
    let provider = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_periodic_exporter(exporter)
        .build();
    let meter = provider.meter_with_scope(scope);
    let sent = meter.u64_counter("messaging.client.sent.messages").with_unit("1").build();
    let attributes = [
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.operation.name", "send"),
    ];
    sent.add(1, &attributes);
    provider.shutdown().expect("it was received");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_by_otlp_is_linted() {
    let receiver = Receiver::start().await.expect("a port");
    let endpoint = receiver.endpoint();
    tokio::task::spawn_blocking(move || send(&endpoint)).await.expect("no panic");
    let sent = receiver.stop().await.expect("it served");

    let registry = Registry::conventions();
    assert_eq!((sent.spans_in_all(), sent.metrics_in_all()), (1, 1));
    let spans = lint_spans(&registry, &sent.spans);
    let violations: Vec<_> = spans.all(Level::Violation).map(ToString::to_string).collect();
    assert_eq!(
        violations,
        [
            "violation    span `ack orders`: `messaging.kafka.offset` is of type string, and should be int \
             [type_mismatch]"
        ]
    );
    let metrics = lint_metrics(&registry, &sent.metrics);
    let violations: Vec<_> = metrics.all(Level::Violation).map(ToString::to_string).collect();
    assert_eq!(
        violations,
        [
            "violation    metric `messaging.client.sent.messages`: its unit is `1`, and should be `{message}` \
             [unit_mismatch]"
        ]
    );
}

#[test]
fn a_command_that_sends_nothing_has_not_passed() {
    for (arguments, words) in [
        (&["cargo", "--version"][..], "0 spans and 0 metrics came"),
        (&["cargo", "no-such-subcommand"], "cargo: exit status"),
        (&["no-such-command"], "no-such-command: "),
        (&["--registry", "no-such-file", "cargo", "--version"], "no-such-file: "),
        (&["--registry", "Cargo.toml", "cargo", "--version"], "Cargo.toml: "),
        (&["--no-such-option", "cargo"], "usage: "),
        (&[], "usage: "),
    ] {
        let mut linter = Command::new(env!("CARGO_BIN_EXE_throughline-test-linter"));
        let output = linter.args(arguments).output().expect("it is built");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(words), "{arguments:?}: {said}");
    }
}
