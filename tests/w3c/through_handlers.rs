//! What came with the trace is sent on with it, through a handler's span.

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Span as _, TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use throughline::Relation;
use throughline::propagation::W3c;
use throughline::testing::Capture;
use throughline_tests::{Headers, headers, in_both_worlds};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::reload;

use crate::{PARENT, TRACE, inject};

/// The headers of what a handler sends that was sent `received`.
fn sent_on(received: &Headers, relation: Relation) -> Headers {
    let mut sent = Headers::new();
    throughline::consume("handler").relation(relation).run_sync(received, || {
        throughline::produce("send").run_sync(&mut sent, |_| ());
    });
    sent
}

fn value<'h>(headers: &'h Headers, name: &str) -> Option<&'h str> {
    headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

#[test]
fn the_random_flag_goes_on_through_spans_that_are_sampled_and_through_others() {
    for (sampler, received, sent) in [
        (Sampler::AlwaysOn, "03", "03"),
        (Sampler::AlwaysOn, "02", "03"),
        (Sampler::AlwaysOff, "03", "02"),
        (Sampler::AlwaysOff, "02", "02"),
        (Sampler::AlwaysOn, "01", "01"),
        (Sampler::AlwaysOff, "00", "00"),
    ] {
        in_both_worlds(|capture| {
            let traceparent = format!("{}{received}", &PARENT[..53]);
            let received = headers(&[("traceparent", &traceparent)]);
            let mut sent_headers = Headers::new();
            capture.sampler(sampler.clone()).run_sync(|| {
                sent_headers = sent_on(&received, Relation::CONTINUE);
            });
            let header = value(&sent_headers, "traceparent").expect("one");
            assert!(header.contains(TRACE), "{header}");
            assert_ne!(header[36..52], traceparent[36..52], "another span");
            assert_eq!(&header[53..], sent, "{sampler:?}");
        });
    }
}

#[test]
fn the_random_flag_goes_on_where_the_layer_is_out_of_reach() {
    let capture = Capture::new().sampler(Sampler::AlwaysOff).with_subscriber(|tracer| {
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing_subscriber::registry().with(reload::Layer::new(layer).0)
    });
    capture.run_sync(|| {
        let received = headers(&[("traceparent", &format!("{}03", &PARENT[..53]))]);
        let sent = sent_on(&received, Relation::CONTINUE);
        let header = value(&sent, "traceparent").expect("one");
        assert!(header.contains(TRACE) && header.ends_with("-02"), "{header}");
        assert_ne!(header[36..52], PARENT[36..52], "another span");
    });
}

#[test]
fn a_new_trace_has_no_flag_of_another() {
    in_both_worlds(|capture| {
        let received = headers(&[("traceparent", &format!("{}03", &PARENT[..53]))]);
        capture.sampler(Sampler::AlwaysOff).run_sync(|| {
            let sent = sent_on(&received, Relation::LINK);
            let header = value(&sent, "traceparent").expect("one");
            assert!(!header.contains(TRACE) && header.ends_with("-00"), "{header}");
        });
    });
}

#[test]
fn every_member_of_tracestate_goes_on_in_its_order() {
    let list = "rojo=1,foo@bar@baz=2,t@a-vendor-of-many-letters=3,congo=4";
    in_both_worlds(|capture| {
        let received = headers(&[("traceparent", PARENT), ("tracestate", list)]);
        capture.run_sync(|| {
            let sent = sent_on(&received, Relation::CONTINUE);
            assert_eq!(value(&sent, "tracestate"), Some(list));
            // With a count of ours before it.
            let sent = sent_on(&received, Relation::CONTINUE.max_hops(5));
            let counted = format!("throughline=hops:1,{list}");
            assert_eq!(value(&sent, "tracestate"), Some(counted.as_str()));
            // A new trace begins with none.
            assert_eq!(value(&sent_on(&received, Relation::LINK), "tracestate"), None);
        });
    });
}

#[test]
fn it_goes_on_where_nothing_records() {
    let list = "foo@bar@baz=2";
    let traceparent = format!("{}03", &PARENT[..53]);
    let received = headers(&[("traceparent", &traceparent), ("tracestate", list)]);
    let sent = sent_on(&received, Relation::CONTINUE);
    assert_eq!(value(&sent, "traceparent"), Some(traceparent.as_str()));
    assert_eq!(value(&sent, "tracestate"), Some(list));
}

/// Somebody else's spans, made with OpenTelemetry alone.
#[test]
fn the_propagator_alone_keeps_the_flag_for_spans_that_are_dropped() {
    let traceparent = format!("{}03", &PARENT[..53]);
    let received = crate::Headers(vec![("traceparent", &traceparent)]);
    let context = W3c::new().extract_with_context(&Context::new(), &received);
    let provider = SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build();
    let mut span = provider.tracer("test").start_with_context("server", &context);
    span.end();
    let sent = inject(&W3c::new(), &context.with_span(span));
    assert!(
        sent["traceparent"].contains(TRACE) && sent["traceparent"].ends_with("-02"),
        "{sent:?}"
    );
}
