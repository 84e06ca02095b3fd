//! A `TraceContext` is what was active where it was taken, holds nothing open, and comes through
//! JSON as it went in; what cannot be read is no context and never a failure.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, Sampler, SdkTracerProvider, Span as SdkSpan, SpanData, SpanProcessor,
};
use serde_json::{Value, json};
use throughline::testing::{self, Capture, Span};
use throughline::{HeaderReader, Message, MessageMut, TraceContext, Traced};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn read(traceparent: &str) -> TraceContext {
    TraceContext::read_from(&[("traceparent", traceparent)])
}

/// As its work sees the span, when it is the current one.
fn traceparent_of(span: Span<'_>) -> String {
    format!("00-{}-{}-01", span.trace_id(), span.span_id())
}

#[test]
fn the_traceparent_is_the_one_that_was_read() {
    assert_eq!(read(SENT).traceparent().as_deref(), Some(SENT));
    assert_eq!(read(UNSAMPLED).traceparent().as_deref(), Some(UNSAMPLED));
    assert_eq!(TraceContext::default().traceparent(), None);
}

#[test]
fn a_context_is_empty_when_it_names_no_span_and_holds_no_baggage() {
    assert!(TraceContext::default().is_empty());
    assert!(read("nonsense").is_empty());
    assert!(!read(SENT).is_empty());
    assert!(!TraceContext::read_from(&[("baggage", "a=1")]).is_empty());
    assert!(TraceContext::read_from(&[("tracestate", "a=1")]).is_empty());
}

#[test]
fn contexts_are_equal_when_span_flags_state_and_baggage_are() {
    let context = |state: &str, baggage: &str| {
        TraceContext::read_from(&[
            ("traceparent", SENT),
            ("tracestate", state),
            ("baggage", baggage),
        ])
    };
    assert_eq!(context("a=1", "x=1"), context("a=1", "x=1").clone());
    assert_eq!(context("a=1", "x=1,y=2"), context("a=1", "y=2,x=1"));
    assert_ne!(context("a=1", "x=1"), context("a=2", "x=1"));
    assert_ne!(context("a=1", "x=1"), context("a=1", "x=2"));
    assert_ne!(context("a=1", "x=1"), context("a=1", "x=1;hidden"));
    assert_ne!(context("a=1", "x=1"), context("a=1", "x=1,y=2"));
    assert_ne!(read(SENT), read(UNSAMPLED));
    assert_ne!(read(SENT), read(OTHER));
    assert_ne!(read(SENT), TraceContext::default());
}

#[test]
fn it_says_in_debug_what_it_holds() {
    let context = TraceContext::read_from(&[("traceparent", SENT), ("baggage", "tenant=acme")]);
    let shown = format!("{context:?}");
    assert!(shown.contains(SENT), "{shown}");
    assert!(shown.contains("tenant=acme"), "{shown}");
}

#[test]
fn nothing_is_active_outside_of_any_span() {
    assert_eq!(TraceContext::current(), TraceContext::default());
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        let traces = capture.run_sync(|| assert!(TraceContext::current().is_empty()));
        assert!(traces.is_empty());
    }
}

#[test]
fn the_current_context_is_that_of_the_span_around_it_in_both_worlds() {
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        let mut seen = None;
        let traces = capture.run_sync(|| {
            let attached = Context::new().with_baggage([KeyValue::new("tenant", "acme")]).attach();
            testing::provider().tracer("shop").in_span("outer", |_| {
                seen = Some(TraceContext::current());
            });
            drop(attached);
            assert!(TraceContext::current().is_empty());
        });
        let seen = seen.expect("the span's body ran");
        assert_eq!(seen.traceparent(), Some(traceparent_of(traces.span("outer"))));
        assert_eq!(serde_json::to_value(&seen).expect("JSON")["baggage"], "tenant=acme");
    }
}

#[test]
fn the_current_context_is_that_of_the_current_tracing_span() {
    let mut seen = None;
    let traces = testing::capture_sync(|| {
        tracing::info_span!("outer").in_scope(|| seen = Some(TraceContext::current()));
    });
    let seen = seen.expect("the span's body ran");
    assert_eq!(seen.traceparent(), Some(traceparent_of(traces.span("outer"))));
}

#[test]
fn the_current_context_is_that_of_the_current_tracing_span_without_context_activation() {
    let capture = Capture::new().with_subscriber(|tracer| {
        let bridge = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing_subscriber::registry().with(bridge.with_context_activation(false))
    });
    let mut seen = None;
    let traces = capture.run_sync(|| {
        tracing::info_span!("outer").in_scope(|| seen = Some(TraceContext::current()));
    });
    let seen = seen.expect("the span's body ran");
    assert_eq!(seen.traceparent(), Some(traceparent_of(traces.span("outer"))));
}

#[test]
fn a_span_that_is_filtered_out_does_not_hide_the_one_around_it() {
    let capture = Capture::new().with_subscriber(|tracer| {
        tracing_subscriber::registry()
            .with(LevelFilter::INFO)
            .with(tracing_opentelemetry::layer().with_tracer(tracer))
    });
    let mut seen = None;
    let traces = capture.run_sync(|| {
        let _outer = tracing::info_span!("outer").entered();
        tracing::debug_span!("filtered out").in_scope(|| seen = Some(TraceContext::current()));
    });
    assert_eq!(traces.len(), 1);
    let seen = seen.expect("the span's body ran");
    assert_eq!(seen.traceparent(), Some(traceparent_of(traces.span("outer"))));
}

#[test]
fn a_span_hidden_from_the_bridge_alone_does_not_hide_the_one_around_it() {
    use tracing_subscriber::Layer;

    let capture = Capture::new().with_subscriber(|tracer| {
        let bridge = tracing_opentelemetry::layer().with_tracer(tracer);
        let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
        tracing_subscriber::registry().with(bridge.with_filter(LevelFilter::INFO)).with(log)
    });
    let mut seen = None;
    let traces = capture.run_sync(|| {
        let _outer = tracing::info_span!("outer").entered();
        tracing::debug_span!("hidden").in_scope(|| seen = Some(TraceContext::current()));
    });
    assert_eq!(traces.len(), 1);
    let seen = seen.expect("the span's body ran");
    assert_eq!(seen.traceparent(), Some(traceparent_of(traces.span("outer"))));
}

#[test]
fn a_kept_context_does_not_keep_a_span_open() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let ended = || exporter.get_finished_spans().expect("the exporter lives").len();

    let attached = Context::current_with_span(provider.tracer("shop").start("outer")).attach();
    let kept = TraceContext::current();
    let wrapped = Traced::new("two lemons");
    assert_eq!(ended(), 0);
    drop(attached);

    assert_eq!(ended(), 1, "the span ended with its scope");
    assert!(kept.traceparent().is_some());
    assert_eq!(wrapped.context(), &kept);
}

#[test]
fn a_tracestate_goes_nowhere_without_a_traceparent() {
    let state = opentelemetry::trace::TraceState::from_key_value([("vendor", "1")]);
    let nobody = opentelemetry::trace::SpanContext::new(
        opentelemetry::trace::TraceId::INVALID,
        opentelemetry::trace::SpanId::INVALID,
        opentelemetry::trace::TraceFlags::SAMPLED,
        true,
        state.expect("a state"),
    );
    let _attached = Context::new()
        .with_remote_span_context(nobody)
        .with_baggage([KeyValue::new("tenant", "acme")])
        .attach();
    let mut headers = std::collections::HashMap::<String, String>::new();
    TraceContext::current().write_to(&mut headers);
    assert_eq!(headers, [("baggage".to_owned(), "tenant=acme".to_owned())].into());
}

/// Keeps what it reads of a context, where a `Traced` keeps a clone.
struct Reads(TraceContext);

impl Message for Reads {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.0.headers(reader);
    }
}

impl MessageMut for Reads {
    fn set_header(&mut self, _: &str, _: &str) {}

    fn remove_header(&mut self, _: &str) {}

    fn set_context(&mut self, context: &TraceContext) -> bool {
        self.0 = TraceContext::read_from(context);
        true
    }
}

#[test]
fn what_a_message_keeps_of_its_sender_does_not_keep_a_span_open() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let ended = || exporter.get_finished_spans().expect("the exporter lives").len();
    let (mut cloned, mut read) =
        (Traced::with_context(1, TraceContext::default()), Reads(TraceContext::default()));

    let attached = Context::current_with_span(provider.tracer("shop").start("outer")).attach();
    // Without a span of its own what is sent is the one around.
    throughline::produce("publish").enabled(false).run_sync(&mut cloned, |_| ());
    throughline::produce("publish").enabled(false).run_sync(&mut read, |_| ());
    let outer = TraceContext::current().traceparent();
    assert_eq!(ended(), 0);
    drop(attached);

    assert_eq!(ended(), 1, "the span ended with its scope");
    assert!(outer.is_some());
    assert_eq!([cloned.context().traceparent(), read.0.traceparent()], [outer.clone(), outer]);
}

#[test]
fn what_a_message_keeps_of_its_sender_does_not_keep_a_provider_from_its_end() {
    #[derive(Debug)]
    struct Ends(Arc<AtomicBool>);

    impl SpanProcessor for Ends {
        fn on_start(&self, _: &mut SdkSpan, _: &Context) {}

        fn on_end(&self, _: SpanData) {}

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            self.0.store(true, Ordering::Relaxed);
            Ok(())
        }
    }

    for sampler in [Sampler::AlwaysOn, Sampler::AlwaysOff] {
        let ended = Arc::new(AtomicBool::new(false));
        let provider = SdkTracerProvider::builder()
            .with_sampler(sampler.clone())
            .with_span_processor(Ends(Arc::clone(&ended)))
            .build();
        let (mut cloned, mut read) =
            (Traced::with_context(1, TraceContext::default()), Reads(TraceContext::default()));
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            throughline::produce("publish").run_sync(&mut cloned, |_| ());
            throughline::produce("publish").run_sync(&mut read, |_| ());
        });
        assert!(!ended.load(Ordering::Relaxed));
        drop(provider);

        assert!(ended.load(Ordering::Relaxed), "nobody holds it any more: {sampler:?}");
        let kept = [cloned.context().traceparent(), read.0.traceparent()];
        assert!(kept.iter().all(Option::is_some), "{sampler:?}");
    }
}

/// A span is locked while it ends, and it may be the current one then.
#[test]
fn whoever_sends_something_while_a_span_ends_does_not_wait_for_that() {
    #[derive(Debug)]
    struct Sends(mpsc::Sender<Option<String>>);

    impl SpanProcessor for Sends {
        fn on_start(&self, _: &mut SdkSpan, _: &Context) {}

        fn on_end(&self, _: SpanData) {
            let mut ended = Traced::with_context(1, TraceContext::default());
            throughline::produce("publish").enabled(false).run_sync(&mut ended, |_| ());
            let _ = self.0.send(ended.context().traceparent());
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    let (sender, sent) = mpsc::channel();
    // By itself it would wait for ever.
    std::thread::spawn(|| {
        let provider = SdkTracerProvider::builder().with_span_processor(Sends(sender)).build();
        let span = provider.tracer("shop").start("outer");
        let _attached = Context::current_with_span(span).attach();
        Context::current().span().end();
    });
    let sent = sent.recv_timeout(Duration::from_secs(60)).expect("it was sent");
    assert!(sent.is_some());
}

#[test]
fn a_kept_context_does_not_keep_a_tracing_span_open() {
    let mut kept = None;
    let traces = testing::capture_sync(|| {
        tracing::info_span!("outer").in_scope(|| kept = Some(TraceContext::current()));
    });
    assert_eq!(traces.len(), 1);
    assert_eq!(
        kept.and_then(|kept| kept.traceparent()),
        Some(traceparent_of(traces.span("outer")))
    );
}

#[test]
fn its_json_is_an_object_of_the_headers_and_nothing_is_lost() {
    let headers = json!({
        "traceparent": UNSAMPLED,
        "tracestate": "vendor=opaque,other=1",
        "baggage": "tenant=acme%2C%20inc%3B;region=eu",
    });
    let context: TraceContext = serde_json::from_value(headers.clone()).expect("a context");
    assert_eq!(context.traceparent().as_deref(), Some(UNSAMPLED));
    assert_eq!(serde_json::to_value(&context).expect("JSON"), headers);

    let text = serde_json::to_string(&context).expect("JSON");
    assert_eq!(serde_json::from_str::<TraceContext>(&text).expect("a context"), context);
    let bytes = serde_json::to_vec(&context).expect("JSON");
    assert_eq!(serde_json::from_slice::<TraceContext>(&bytes).expect("a context"), context);
    let reader = bytes.as_slice();
    assert_eq!(serde_json::from_reader::<_, TraceContext>(reader).expect("a context"), context);
}

#[test]
fn an_empty_context_is_an_empty_object() {
    let json = serde_json::to_value(TraceContext::default()).expect("JSON");
    assert_eq!(json, json!({}));
    assert!(serde_json::from_value::<TraceContext>(json).expect("a context").is_empty());
}

#[test]
fn a_traced_payload_goes_through_json_with_its_context() {
    let traced = Traced::with_context(vec![1, 2], read(SENT));
    let json = serde_json::to_value(&traced).expect("JSON");
    assert_eq!(json, json!({ "context": { "traceparent": SENT }, "payload": [1, 2] }));
    let back: Traced<Vec<u8>> = serde_json::from_value(json).expect("a traced payload");
    assert_eq!(back.context(), &read(SENT));
    assert_eq!(back.into_inner(), [1, 2]);
}

#[test]
fn a_traced_payload_without_a_context_leaves_it_out() {
    let traced = Traced::with_context(1, TraceContext::default());
    let json = serde_json::to_value(&traced).expect("JSON");
    assert_eq!(json, json!({ "payload": 1 }));
    assert_eq!(serde_json::from_value::<Traced<u8>>(json).expect("a traced payload"), traced);
}

#[test]
fn json_that_is_no_context_counts_as_none_and_never_costs_the_payload() {
    for malformed in [
        json!(null),
        json!(true),
        json!(7),
        json!(-7),
        json!(0.5),
        json!("00-no-such-thing"),
        json!([]),
        json!(["traceparent", SENT]),
        json!([{ "traceparent": SENT }]),
        json!({ "traceparent": null }),
        json!({ "traceparent": 7 }),
        json!({ "traceparent": [SENT] }),
        json!({ "traceparent": { "traceparent": SENT } }),
        json!({ "traceparent": "nonsense" }),
        json!({ "tracestate": "a=1" }),
    ] {
        let context = serde_json::from_value::<TraceContext>(malformed.clone());
        assert!(context.as_ref().is_ok_and(TraceContext::is_empty), "{malformed}: {context:?}");
        let text = malformed.to_string();
        let context = serde_json::from_str::<TraceContext>(&text);
        assert!(context.as_ref().is_ok_and(TraceContext::is_empty), "{text}: {context:?}");
        let traced = format!(r#"{{"context":{text},"payload":3}}"#);
        let traced = serde_json::from_str::<Traced<u8>>(&traced);
        assert!(traced.as_ref().is_ok_and(|it| **it == 3), "{text}: {traced:?}");
    }
}

#[test]
fn a_header_that_is_no_text_does_not_cost_the_others() {
    let json = json!({ "traceparent": SENT, "tracestate": 7, "baggage": null, "extra": [1, {}] });
    let context: TraceContext = serde_json::from_value::<TraceContext>(json).expect("a context");
    assert_eq!(context, read(SENT));
}

#[test]
fn text_that_is_no_json_is_still_an_error() {
    assert!(serde_json::from_str::<TraceContext>("{").is_err());
    assert!(serde_json::from_str::<Value>("{").is_err());
}

#[test]
fn traceparents_of_later_versions_and_with_spaces_around_are_read() {
    let trace = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331";
    for valid in [
        format!("01-{trace}-01"),
        format!("01-{trace}-01-what-the-future-brings"),
        format!("01-{trace}-01-"),
        format!("fe-{trace}-01-x"),
        format!(" 00-{trace}-01"),
        format!("00-{trace}-01\t "),
        format!("00-{trace}-03"),
        format!("00-{trace}-ff"),
    ] {
        let context = read(&valid);
        // Sent on as the version that we write.
        let written = context.traceparent();
        assert!(written.is_some(), "{valid:?}");
        assert!(written.is_some_and(|it| it.starts_with(&format!("00-{trace}-0"))), "{valid:?}");
    }
    assert_eq!(
        read(&format!("00-{trace}-fe")).traceparent().as_deref(),
        Some(format!("00-{trace}-02").as_str())
    );
}

#[test]
fn a_traceparent_that_breaks_the_rules_is_no_context() {
    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";
    let invalid = [
        String::new(),
        " ".to_owned(),
        "-".to_owned(),
        "---".to_owned(),
        "00".to_owned(),
        "00-".to_owned(),
        format!("00-{TRACE}"),
        format!("00-{TRACE}-{SPAN}"),
        format!("00-{TRACE}-{SPAN}-"),
        format!("00-{TRACE}-{SPAN}-0"),
        format!("00-{TRACE}-{SPAN}-001"),
        format!("00-{TRACE}-{SPAN}-01-"),
        format!("00-{TRACE}-{SPAN}-01-tail"),
        format!("00-{TRACE}-{SPAN}-01tail"),
        format!("01-{TRACE}-{SPAN}-01tail"),
        format!("01-{TRACE}-{SPAN}-01.tail"),
        format!("01-{TRACE}-{SPAN}"),
        format!("ff-{TRACE}-{SPAN}-01"),
        format!("FF-{TRACE}-{SPAN}-01"),
        format!("0-{TRACE}-{SPAN}-01"),
        format!("000-{TRACE}-{SPAN}-01"),
        format!("0x-{TRACE}-{SPAN}-01"),
        format!("+0-{TRACE}-{SPAN}-01"),
        format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        format!("00-{TRACE}-{}-01", SPAN.to_uppercase()),
        format!("00-{TRACE}-{SPAN}-0A"),
        format!("00-{}-{SPAN}-01", "0".repeat(32)),
        format!("00-{TRACE}-{}-01", "0".repeat(16)),
        format!("00-{}-{SPAN}-01", &TRACE[1..]),
        format!("00-{TRACE}0-{SPAN}-01"),
        format!("00-{TRACE}-{}-01", &SPAN[1..]),
        format!("00-{TRACE}-{SPAN}0-01"),
        format!("00_{TRACE}_{SPAN}_01"),
        format!("00 {TRACE} {SPAN} 01"),
        format!("00{TRACE}{SPAN}01"),
        format!("00-{SPAN}-{TRACE}-01"),
        format!("00-{TRACE}-{SPAN}-zz"),
        format!("00-{TRACE}-{SPAN}-+1"),
        format!("00-{TRACE}-{SPAN}- 1"),
        format!("00-g{}-{SPAN}-01", &TRACE[1..]),
        format!("00-+{}-{SPAN}-01", &TRACE[1..]),
        format!("00- {}-{SPAN}-01", &TRACE[1..]),
        format!("00-{TRACE}-+{}-01", &SPAN[1..]),
        format!("0 0-{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01"),
        format!("\u{a0}00-{TRACE}-{SPAN}-01"),
        format!("00-{TRACE}-{SPAN}-01\0"),
        format!("00-{TRACE}-{SPAN}-01\n"),
    ];
    for invalid in invalid {
        let context = read(&invalid);
        assert!(context.is_empty(), "{invalid:?} is read as {context:?}");
    }
}

/// Characters of two, three and four bytes at every place, so that each slice begins or ends within
/// one somewhere.
#[test]
fn a_traceparent_that_is_not_ascii_is_no_context_wherever_it_is_not() {
    for odd in ["é", "€", "𝄞"] {
        for at in 0..SENT.len() {
            let longer = format!("{}{odd}{}", &SENT[..at], &SENT[at..]);
            assert!(read(&longer).is_empty(), "{longer:?}");
            let end = (at + odd.len()).min(SENT.len());
            let as_long = format!("{}{odd}{}", &SENT[..at], &SENT[end..]);
            assert!(read(&as_long).is_empty(), "{as_long:?}");
        }
        assert!(read(&odd.repeat(55)).is_empty());
    }
}

#[test]
fn a_context_that_is_attached_inside_a_tracing_span_is_nearer() {
    let sender = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for activation in [true, false] {
        let capture = Capture::new().with_subscriber(|tracer| {
            let bridge = tracing_opentelemetry::layer().with_tracer(tracer);
            tracing_subscriber::registry().with(bridge.with_context_activation(activation))
        });
        let attached_in_a_span = || {
            let _outer = tracing::info_span!("outer").entered();
            let sent = TraceContext::read_from(&[("traceparent", sender)].as_slice());
            let span = span_context_of(&sent);
            let _attached =
                opentelemetry::Context::current().with_remote_span_context(span).attach();
            assert_eq!(TraceContext::current().traceparent().as_deref(), Some(sender));
        };
        capture.run_sync(|| {
            attached_in_a_span();
            // Within a span of ours, which is attached where entering it does not make it current.
            let message = TraceContext::default();
            throughline::consume("around").run_sync(&message, attached_in_a_span);
        });
    }
}

fn span_context_of(sent: &TraceContext) -> opentelemetry::trace::SpanContext {
    let text = sent.traceparent().expect("it names a span");
    opentelemetry::trace::SpanContext::new(
        opentelemetry::trace::TraceId::from_hex(&text[3..35]).expect("an id"),
        opentelemetry::trace::SpanId::from_hex(&text[36..52]).expect("an id"),
        opentelemetry::trace::TraceFlags::SAMPLED,
        true,
        opentelemetry::trace::TraceState::NONE,
    )
}

#[test]
fn baggage_that_is_attached_stays_in_force_under_a_tracing_span_without_context_activation() {
    use opentelemetry::baggage::BaggageExt;

    let capture = Capture::new().with_subscriber(|tracer| {
        let bridge = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing_subscriber::registry().with(bridge.with_context_activation(false))
    });
    let mut seen = std::collections::BTreeMap::<String, String>::new();
    let traces = capture.run_sync(|| {
        let _outer = tracing::info_span!("outer").entered();
        let tenant = [opentelemetry::KeyValue::new("tenant", "acme")];
        let _attached = opentelemetry::Context::current_with_baggage(tenant).attach();
        TraceContext::current().write_to(&mut seen);
    });
    assert_eq!(seen.get("baggage").map(String::as_str), Some("tenant=acme"));
    assert_eq!(seen.get("traceparent").cloned(), Some(traceparent_of(traces.span("outer"))));
}
