//! With `WithTraceIds` each log line inside a span carries its ids, in text and in JSON, with an
//! OpenTelemetry layer and without one.

use throughline::async_consumer;
use throughline::fmt::WithTraceIds;
use throughline::testing::{Capture, Traces};
use throughline_tests::{Headers, Log, SENDER, from};
use tracing_subscriber::fmt::format;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry;

#[async_consumer(continue)]
fn handle(message: &Headers) {
    tracing::info!(size = message.len(), "inside");
    tracing::info_span!("deeper").in_scope(|| tracing::info!("deeper"));
}

fn captured(json: bool, bridged: bool) -> (Traces, Vec<String>) {
    let log = Log::default();
    let capture = Capture::new().with_subscriber(|tracer| {
        let bridge = bridged.then(|| tracing_opentelemetry::layer().with_tracer(tracer));
        let writer = log.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
        let text = (!json).then(|| layer.event_format(WithTraceIds::text(format().without_time())));
        let layer = tracing_subscriber::fmt::layer().with_writer(log.clone()).json();
        let json =
            json.then(|| layer.event_format(WithTraceIds::json(format().json().without_time())));
        registry().with(bridge).with(text).with(json)
    });
    let traces = capture.run_sync(|| {
        tracing::info!("outside");
        handle(&from(SENDER));
    });
    (traces, log.lines())
}

#[test]
fn lines_of_text_begin_with_the_ids() {
    for bridged in [true, false] {
        let (traces, lines) = captured(false, bridged);
        let span = traces.span("handle");
        let ids = format!("trace_id={} span_id={} ", span.trace_id(), span.span_id());
        assert!(lines[0].trim_start().starts_with("INFO"), "nothing is active: {}", lines[0]);
        assert!(lines[1].starts_with(&ids) && lines[1].ends_with("inside size=1"), "{}", lines[1]);
        // Where `tracing`'s spans are OpenTelemetry's, the line is the inner span's.
        let inner = if bridged { traces.span("deeper").span_id() } else { span.span_id() };
        assert!(lines[2].contains(&format!("span_id={inner} ")), "{}", lines[2]);
    }
}

#[test]
fn lines_of_json_have_the_ids_as_members() {
    for bridged in [true, false] {
        let (traces, lines) = captured(true, bridged);
        let lines: Vec<serde_json::Value> =
            lines.iter().map(|line| serde_json::from_str(line).expect("an object")).collect();
        let span = traces.span("handle");
        assert_eq!(lines[0].get("trace_id"), None);
        assert_eq!(lines[1]["trace_id"], span.trace_id().to_string());
        assert_eq!(lines[1]["span_id"], span.span_id().to_string());
        assert_eq!(lines[1]["fields"]["message"], "inside");
    }
}
