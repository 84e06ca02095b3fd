//! What a layer for `tracing` adds to the spans of handlers, beyond what throughline asks of it, and how each of it is
//! switched off: the table in `docs/telemetry.md`.

use std::collections::BTreeSet;
use std::io;

use opentelemetry::trace::Status;
use opentelemetry_sdk::trace::SdkTracer;
use throughline::async_consumer;
use throughline::testing::{Capture, Span, Traces};
use throughline_tests::{Headers, SENDER, from};
use tracing::{error, info};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};

const PAGE: &str = include_str!("../docs/telemetry.md");

type Plain = OpenTelemetryLayer<Registry, SdkTracer>;

/// Captures with the layer as it is, but for what `switch` does to it.
fn capture<L>(switch: impl FnOnce(Plain) -> L, body: impl FnOnce()) -> Traces
where
    L: Layer<Registry> + Send + Sync + 'static,
{
    let capture = Capture::new().with_subscriber(|tracer| {
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing_subscriber::registry().with(switch(layer))
    });
    capture.run_sync(body)
}

/// The attributes on a handler's span that are not there when all is switched off.
fn added<L>(switch: impl FnOnce(Plain) -> L) -> BTreeSet<String>
where
    L: Layer<Registry> + Send + Sync + 'static,
{
    let keys = |traces: Traces| -> BTreeSet<_> {
        let span = traces.span("process orders");
        span.data().attributes.iter().map(|it| it.key.to_string()).collect()
    };
    let handled = || handle(&from(SENDER));
    let without = keys(Capture::new().run_sync(handled));
    let with = keys(capture(switch, handled));
    assert!(without.is_subset(&with), "nothing else is switched off");
    with.difference(&without).cloned().collect()
}

#[async_consumer(link, destination = "orders")]
fn handle(message: &Headers) {
    let _ = message;
}

fn set(keys: &[&str]) -> BTreeSet<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

const LOCATION: [&str; 3] = ["code.file.path", "code.line.number", "code.module.name"];
const THREADS: [&str; 2] = ["thread.id", "thread.name"];
const INACTIVITY: [&str; 2] = ["busy_ns", "idle_ns"];

#[test]
fn attributes_of_its_own_are_each_switched_off() {
    let all = [&LOCATION[..], &THREADS, &INACTIVITY, &["target"]].concat();
    let without = |gone: &[&str]| {
        let left: Vec<_> = all.iter().copied().filter(|key| !gone.contains(key)).collect();
        set(&left)
    };
    assert_eq!(added(|layer| layer), set(&all));
    assert_eq!(added(|layer| layer.with_location(false)), without(&LOCATION));
    assert_eq!(added(|layer| layer.with_threads(false)), without(&THREADS));
    assert_eq!(added(|layer| layer.with_tracked_inactivity(false)), without(&INACTIVITY));
    assert_eq!(added(|layer| layer.with_target(false)), without(&["target"]));
    let off = |layer: Plain| {
        let layer = layer.with_location(false).with_threads(false);
        layer.with_tracked_inactivity(false).with_target(false)
    };
    assert_eq!(added(off), set(&[]));
    assert_eq!(added(|layer| off(layer).with_level(true)), set(&["level"]));
}

fn spans_alone(layer: Plain) -> impl Layer<Registry> + Send + Sync {
    layer.with_filter(filter_fn(|metadata| !metadata.is_event()))
}

#[async_consumer(link, destination = "orders")]
fn pack(message: &Headers) -> Result<(), io::Error> {
    info!(order.id = 7, "packing");
    if message.len() > 1 { Err(io::Error::other("no box")) } else { Ok(()) }
}

fn event<'t>(span: Span<'t>, name: &str) -> BTreeSet<&'t str> {
    let event = span.events().iter().find(|it| it.name == name);
    let event = event.unwrap_or_else(|| panic!("no event {name:?} on {span:?}"));
    event.attributes.iter().map(|it| it.key.as_str()).collect()
}

#[test]
fn log_events_are_copied_onto_the_span() {
    let fail = || {
        let mut message = from(SENDER);
        message.push(("bad".to_owned(), "yes".to_owned()));
        assert!(pack(&message).is_err());
    };
    let traces = capture(|layer| layer.with_location(false), fail);
    let span = traces.span("process orders");
    assert_eq!(event(span, "packing"), ["level", "order.id", "target"].into());
    // Our own, whose name in the log is `messaging.process.exception`.
    let failed = ["exception.message", "exception.type", "level", "target"];
    assert_eq!(event(span, "failed"), failed.into());
    assert_eq!(span.events().len(), 2);

    let traces = capture(|layer| layer, fail);
    let with_location: BTreeSet<_> = failed.into_iter().chain(LOCATION).collect();
    assert!(event(traces.span("process orders"), "failed").is_superset(&failed.into()));
    assert!(event(traces.span("process orders"), "failed").is_subset(&with_location));
    assert!(event(traces.span("process orders"), "packing").is_superset(&LOCATION.into()));

    let traces = capture(spans_alone, fail);
    assert!(traces.span("process orders").is_error().events().is_empty());
}

#[async_consumer(link, destination = "orders")]
fn grumble(message: &Headers) -> Result<(), io::Error> {
    error!("the printer is out of paper");
    if message.len() > 1 { Err(io::Error::other("no box")) } else { Ok(()) }
}

fn status(traces: &Traces) -> &Status {
    &traces.span("process orders").data().status
}

#[test]
fn an_error_that_is_only_logged_sets_the_status_without_words() {
    let grumbled = || grumble(&from(SENDER)).expect("it ends well");
    for traces in [
        capture(|layer| layer, grumbled),
        capture(|layer| layer.with_error_events_to_status(false), grumbled),
    ] {
        assert_eq!(status(&traces), &Status::error(""));
        traces.span("process orders").has_no_attribute("error.type");
    }
    assert_eq!(status(&capture(spans_alone, grumbled)), &Status::Unset);

    // A handler that fails has its own words, whatever was logged before.
    let failed = capture(
        |layer| layer,
        || {
            let mut message = from(SENDER);
            message.push(("bad".to_owned(), "yes".to_owned()));
            assert!(grumble(&message).is_err());
        },
    );
    assert_eq!(status(&failed), &Status::error("no box"));
    failed.span("process orders").has_attribute("error.type", "Error");
}

#[async_consumer(link, destination = "orders")]
fn log_an_error(message: &Headers) {
    let _ = message;
    info!(error = "no ink");
}

#[test]
fn a_field_called_error_without_a_message_becomes_an_exception_and_the_status() {
    let logged = || log_an_error(&from(SENDER));
    let traces = capture(|layer| layer.with_location(false), logged);
    let fields = ["exception.message", "level", "target"];
    assert_eq!(event(traces.span("process orders"), "exception"), fields.into());
    assert_eq!(status(&traces), &Status::error("\"no ink\""));

    let traces = capture(|layer| layer.with_error_events_to_status(false), logged);
    assert_eq!(status(&traces), &Status::Unset);

    let traces =
        capture(|layer| layer.with_location(false).with_error_events_to_exceptions(false), logged);
    let span = traces.span("process orders");
    let [only] = span.events() else { panic!("{span:?}") };
    assert!(only.name.starts_with("event "), "{}", only.name);
    assert_eq!(event(span, &only.name), ["error", "level", "target"].into());

    let traces = capture(spans_alone, logged);
    assert_eq!(status(&traces), &Status::Unset);
    assert!(traces.span("process orders").events().is_empty());
}

#[async_consumer(link, destination = "orders")]
fn log_an_error_value(message: &Headers) {
    let _ = message;
    let cause: &(dyn std::error::Error + 'static) = &std::fmt::Error;
    info!(cause, "no matter");
}

#[test]
fn a_field_that_is_an_error_becomes_attributes_of_event_and_span() {
    let logged = || log_an_error_value(&from(SENDER));
    let exception = set(&["exception.message", "exception.stacktrace"]);
    let keys = |traces: &Traces| -> (BTreeSet<String>, BTreeSet<String>) {
        let is_exception = |key: &str| key.starts_with("exception.");
        let span = traces.span("process orders");
        let on_event = event(span, "no matter").into_iter().filter(|key| is_exception(key));
        let on_span = span.data().attributes.iter().map(|it| it.key.as_str());
        let on_span = on_span.filter(|key| is_exception(key));
        (on_event.map(str::to_owned).collect(), on_span.map(str::to_owned).collect())
    };
    let traces = capture(|layer| layer, logged);
    assert_eq!(keys(&traces), (exception.clone(), exception.clone()));
    assert_eq!(status(&traces), &Status::Unset);

    let traces = capture(|layer| layer.with_error_fields_to_exceptions(false), logged);
    assert_eq!(keys(&traces), (set(&[]), exception.clone()));
    let traces = capture(|layer| layer.with_error_records_to_exceptions(false), logged);
    assert_eq!(keys(&traces), (exception, set(&[])));
}

#[test]
fn the_page_names_each_with_its_switch() {
    let chapter = PAGE.split_once("## What a layer for `tracing` adds").expect("the chapter").1;
    let rows: Vec<_> = chapter.lines().filter(|line| line.starts_with('|')).collect();
    let is_told = |what: &str, switch: &str| {
        rows.iter().any(|row| row.contains(&format!("`{what}`")) && row.contains(switch))
    };
    let filter = "the filter below";
    assert!(chapter.contains("with_filter(filter_fn(|metadata| !metadata.is_event()))"));
    let of = |keys: &[&'static str], switch: &'static str| {
        keys.iter().map(move |key| (*key, switch)).collect::<Vec<_>>()
    };
    for (what, switch) in [
        of(&LOCATION, "with_location(false)"),
        of(&THREADS, "with_threads(false)"),
        of(&INACTIVITY, "with_tracked_inactivity(false)"),
        of(&["target"], "with_target(false)"),
        of(&["level"], "with_level(true)"),
        of(&["level", "target", "failed", "error!"], filter),
        of(&["exception"], "with_error_events_to_exceptions(false)"),
        of(&["error"], "with_error_events_to_status(false)"),
        of(&["exception.message"], "with_error_fields_to_exceptions(false)"),
        of(&["exception.stacktrace"], "with_error_records_to_exceptions(false)"),
    ]
    .concat()
    {
        assert!(is_told(what, switch), "{what}, {switch}");
    }
}
