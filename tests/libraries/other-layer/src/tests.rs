//! One test, because what is counted is the process's.

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::SpanData;
use throughline::testing::Capture;
use throughline::{Diagnosis, Fault, diagnose};

use super::{Headers, charge_card, telemetry};

const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn order() -> Headers {
    vec![("traceparent".to_owned(), SENDER.to_owned())]
}

/// What the layer makes by itself knows nothing of the sender.
#[track_caller]
fn is_an_unrelated_root(handler: &SpanData) {
    assert_eq!(handler.parent_span_id, SpanId::INVALID);
    let sent = TraceId::from_hex(&SENDER[3..35]).expect("a trace id");
    assert_ne!(handler.span_context.trace_id(), sent);
    assert_eq!(handler.links.len(), 0);
}

/// The diagnosis can't be sure, so it says what to look for.
#[track_caller]
fn another_version_is_thought_of(diagnosis: &Diagnosis) {
    let text = diagnosis.to_string();
    assert!(
        text.contains("no OpenTelemetry layer of tracing-opentelemetry 0.34 answers"),
        "{text}"
    );
    assert!(
        text.contains("of another version: see `cargo tree -i tracing-opentelemetry`"),
        "{text}"
    );
    assert!(text.contains("has exported a span `throughline probe`"), "{text}");
}

#[test]
fn it_looks_like_no_layer_at_all() {
    let (subscriber, exporter) = telemetry();
    tracing::subscriber::with_default(subscriber, || {
        charge_card(&order());
        let diagnosis = diagnose();
        assert_eq!(diagnosis.faults(), [Fault::NothingRecords]);
        assert!(!Fault::NothingRecords.is_certain());
        another_version_is_thought_of(&diagnosis);

        let spans = exporter.get_finished_spans().expect("spans");
        let [handler, probe] = &spans[..] else { panic!("{spans:#?}") };
        assert_eq!((&*handler.name, &*probe.name), ("charge_card", "throughline probe"));
        is_an_unrelated_root(handler);
    });

    // Beside a provider of our version there are two spans, and no fault is known.
    let (subscriber, exporter) = telemetry();
    let capture = Capture::new().with_subscriber(|_| subscriber);
    let traces = capture.run_sync(|| {
        charge_card(&order());
        let diagnosis = diagnose();
        assert_eq!(diagnosis.faults(), []);
        another_version_is_thought_of(&diagnosis);
        is_an_unrelated_root(&exporter.get_finished_spans().expect("spans")[0]);
    });
    assert_eq!(traces.span("charge_card").trace_id().to_string(), SENDER[3..35]);
}
