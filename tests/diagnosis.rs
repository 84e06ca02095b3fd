//! `diagnose()` says what is wrong with a set-up, and how it is mended; the log is told of it once.
//!
//! What is set up and counted belongs to the process, so each test runs in one of its own.

use std::collections::BTreeMap;
use std::env;
use std::process::Command;
use std::sync::{Arc, Mutex};

use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{Context, global};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracer, SdkTracerProvider};
use throughline::{Fault, Outcome, Traced, async_consumer, async_producer, diagnose};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, UNSAMPLED_SENDER, current, from, headers};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::layer::{Context as LayerContext, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Registry, reload};

/// Runs `body` in a process of its own, which is this test once more.
#[track_caller]
fn alone(test: &str, body: fn()) {
    const HERE: &str = "THROUGHLINE_TEST_ALONE";
    if env::var_os(HERE).is_some() {
        return body();
    }
    let this = env::current_exe().expect("this test");
    let run = Command::new(this).args([test, "--exact", "--nocapture"]).env(HERE, "1").output();
    let run = run.expect("it starts");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        run.status.success() && said(&run.stdout).contains("1 passed"),
        "{}{}",
        said(&run.stdout),
        said(&run.stderr)
    );
}

#[async_consumer(link)]
fn linked(message: &Headers) -> Option<String> {
    current()
}

#[async_consumer(continue, destination = "orders")]
async fn continued(message: Headers) -> Option<String> {
    current()
}

#[async_consumer(link, destination = "orders")]
fn batch(messages: &[Headers]) {}

#[async_consumer(ignore)]
fn ignoring(message: &Headers) {}

#[async_producer]
fn publish(message: Headers) -> Headers {
    message
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// What the log was told by the target `throughline`.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<Told>>>);

#[derive(Debug, Clone)]
struct Told {
    name: &'static str,
    level: Level,
    is_in_a_span: bool,
    fields: BTreeMap<&'static str, String>,
}

impl Log {
    fn told(&self) -> Vec<Told> {
        std::mem::take(&mut *self.0.lock().expect("nobody panicked"))
    }

    /// The only event since it was asked last.
    #[track_caller]
    fn told_once(&self) -> Told {
        let told = self.told();
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(!told[0].is_in_a_span, "{told:#?}");
        told[0].clone()
    }
}

impl Told {
    #[track_caller]
    fn is(&self, level: Level, fault: Fault) {
        assert_eq!((self.name, self.level), ("throughline.fault", level));
        assert_eq!(self.fields["throughline.fault.name"], fault.name());
        assert_eq!(self.fields["message"], format!("{fault}. Mend it with {}", fault.mend()));
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, context: LayerContext<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() != "throughline" {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        let (name, level) = (metadata.name(), *metadata.level());
        let is_in_a_span = context.event_span(event).is_some();
        let told = Told { name, level, is_in_a_span, fields: fields.0 };
        self.0.lock().expect("nobody panicked").push(told);
    }
}

#[derive(Default)]
struct Fields(BTreeMap<&'static str, String>);

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

fn provider() -> (SdkTracerProvider, InMemorySpanExporter) {
    let exporter = InMemorySpanExporter::default();
    (SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build(), exporter)
}

fn layer<S>(provider: &SdkTracerProvider) -> OpenTelemetryLayer<S, SdkTracer>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
{
    tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"))
}

/// Sets the subscriber of this process, with a log.
fn use_subscriber(subscriber: impl Subscriber + for<'s> LookupSpan<'s> + Send + Sync) -> Log {
    let log = Log::default();
    let subscriber = subscriber.with(log.clone().with_filter(LevelFilter::DEBUG));
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    log
}

#[track_caller]
fn faults_are(faults: &[Fault]) {
    let diagnosis = diagnose();
    assert_eq!(diagnosis.faults(), faults, "{diagnosis}");
    let text = diagnosis.to_string();
    for fault in faults {
        assert!(text.contains(&fault.to_string()) && text.contains(fault.mend()), "{text}");
    }
    assert_eq!(text.contains("no fault can be seen"), faults.is_empty(), "{text}");
}

#[track_caller]
fn says(words: &str) {
    let text = diagnose().to_string();
    assert!(text.contains(words), "{words}\n\nis not in\n\n{text}");
}

#[test]
fn a_layer_that_answers_is_well() {
    alone("a_layer_that_answers_is_well", || {
        let (provider, exporter) = provider();
        let log = use_subscriber(Registry::default().with(layer(&provider)));
        faults_are(&[]); // before any message
        says("tracing: an OpenTelemetry layer answers");
        says("spans: 0 made");

        linked(&from(SENDER));
        let _ = block_on(continued(from(UNSAMPLED_SENDER)));
        publish(Headers::new());

        faults_are(&[]);
        let diagnosis = diagnose();
        assert_eq!((diagnosis.spans_made(), diagnosis.spans_sampled()), (3, 2));
        says("spans: 3 made, 2 of them sampled; 3 through the OpenTelemetry layer\n");
        says(
            "the last: 1 through the OpenTelemetry layer and sampled, before that 1 through \
             the OpenTelemetry layer and not sampled, before that 1 through the OpenTelemetry layer \
             and sampled\n",
        );
        assert_eq!(exporter.get_finished_spans().expect("spans").len(), 2);
        assert_eq!(log.told().len(), 0);
    });
}

#[test]
fn a_provider_beside_a_log_formatter_is_well() {
    alone("a_provider_beside_a_log_formatter_is_well", || {
        let (provider, exporter) = provider();
        let log = use_subscriber(Registry::default());
        global::set_tracer_provider(provider);
        faults_are(&[]);
        linked(&from(SENDER));
        faults_are(&[]);
        says("global provider: one is installed");
        says("1 by OpenTelemetry's API\n");
        // What can't be known is said to be so.
        says("no OpenTelemetry layer of tracing-opentelemetry 0.34 answers. If it has one");
        assert_eq!(exporter.get_finished_spans().expect("spans").len(), 1);
        assert_eq!(log.told().len(), 0);
    });
}

#[test]
fn a_provider_alone_is_well() {
    alone("a_provider_alone_is_well", || {
        let (provider, exporter) = provider();
        global::set_tracer_provider(provider);
        linked(&from(SENDER));
        faults_are(&[]);
        says("tracing: no subscriber listens on this thread");
        // Nor does it where another thread has one.
        tracing::subscriber::with_default(Registry::default(), || {
            let here = || says("tracing: no subscriber listens on this thread");
            std::thread::spawn(here).join().expect("it ran");
        });
        assert_eq!(exporter.get_finished_spans().expect("spans").len(), 1);
    });
}

#[test]
fn where_nothing_is_installed_no_warning_is_told() {
    alone("where_nothing_is_installed_no_warning_is_told", || {
        faults_are(&[Fault::NothingRecords]); // to those who ask
        linked(&from(SENDER)); // before the log is there
        let log = use_subscriber(Registry::default());
        linked(&from(SENDER));
        log.told_once().is(Level::DEBUG, Fault::NothingRecords);
        let _ = block_on(continued(from(SENDER)));
        assert_eq!(log.told().len(), 0);
        faults_are(&[Fault::NothingRecords]);
        says("spans: 0 made, 0 of them sampled; 3 not made, as no provider makes any\n");

        let (provider, _) = provider();
        global::set_tracer_provider(provider);
        faults_are(&[]);
        linked(&from(SENDER));
        says("the last: 1 by OpenTelemetry's API and sampled, before that 3 not made");
    });
}

#[test]
fn a_provider_that_was_handed_over_and_makes_nothing_is_told() {
    alone("a_provider_that_was_handed_over_and_makes_nothing_is_told", || {
        let nothing = opentelemetry::trace::noop::NoopTracerProvider::new();
        throughline::use_provider(nothing).expect("it is the first");
        linked(&from(SENDER));
        faults_are(&[Fault::NothingRecords]);
        says("global provider: not looked at, as one was handed to `use_provider`");
    });
}

#[test]
fn a_layer_behind_reload_is_told_once() {
    alone("a_layer_behind_reload_is_told_once", || {
        let (provider, exporter) = provider();
        let (layer, _handle) = reload::Layer::new(layer(&provider));
        let log = use_subscriber(Registry::default().with(layer));
        faults_are(&[Fault::LayerOutOfReach]); // before any message

        linked(&from(SENDER));
        log.told_once().is(Level::WARN, Fault::LayerOutOfReach);
        let _ = block_on(continued(from(SENDER)));
        std::thread::spawn(|| linked(&from(SENDER))).join().expect("it ran");
        assert_eq!(log.told().len(), 0);

        faults_are(&[Fault::LayerOutOfReach]);
        says("3 through an OpenTelemetry layer that can't be reached\n");
        let spans = exporter.get_finished_spans().expect("spans");
        assert_eq!(spans.len(), 3);
        assert!(spans.iter().all(|span| span.events.is_empty()), "{spans:#?}");
        // As it says: with the filter alone behind `reload` all is well.
        assert!(Fault::LayerOutOfReach.mend().contains("only the filter"));
    });
}

#[test]
fn a_reloaded_filter_is_well() {
    alone("a_reloaded_filter_is_well", || {
        let (provider, _) = provider();
        let (filter, _handle) = reload::Layer::new(LevelFilter::INFO);
        let log = use_subscriber(Registry::default().with(layer(&provider).with_filter(filter)));
        linked(&from(SENDER));
        faults_are(&[]);
        assert_eq!(log.told().len(), 0);
    });
}

fn is_lost() {
    faults_are(&[Fault::LayerWithoutTracer]);
    says("tracing: an OpenTelemetry layer answers that makes no spans");
    says("spans: 0 made, 0 of them sampled; 2 lost in a layer that makes no spans\n");
}

#[test]
fn a_layer_without_a_tracer_is_told_by_a_handler_that_links() {
    alone("a_layer_without_a_tracer_is_told_by_a_handler_that_links", || {
        let log = use_subscriber(Registry::default().with(tracing_opentelemetry::layer()));
        faults_are(&[Fault::LayerWithoutTracer]); // before any message
        assert_eq!(linked(&from(SENDER)), None);
        log.told_once().is(Level::WARN, Fault::LayerWithoutTracer);
        assert_eq!(linked(&from(SENDER)), None);
        assert_eq!(log.told().len(), 0);
        is_lost();
    });
}

#[test]
fn a_layer_without_a_tracer_is_told_by_a_handler_that_continues() {
    alone("a_layer_without_a_tracer_is_told_by_a_handler_that_continues", || {
        let log = use_subscriber(Registry::default().with(tracing_opentelemetry::layer()));
        // There is no span, so the context passes through.
        assert_eq!(block_on(continued(from(SENDER))).as_deref(), Some(SENDER));
        log.told_once().is(Level::WARN, Fault::LayerWithoutTracer);
        assert_eq!(block_on(continued(from(SENDER))).as_deref(), Some(SENDER));
        assert_eq!(log.told().len(), 0);
        is_lost();
    });
}

#[test]
fn a_layer_whose_tracer_is_older_than_the_provider_has_none() {
    alone("a_layer_whose_tracer_is_older_than_the_provider_has_none", || {
        let too_early = tracing_opentelemetry::layer().with_tracer(global::tracer("shop"));
        global::set_tracer_provider(provider().0);
        let log = use_subscriber(Registry::default().with(too_early));
        linked(&from(SENDER));
        log.told_once().is(Level::WARN, Fault::LayerWithoutTracer);
        faults_are(&[Fault::LayerWithoutTracer]);
    });
}

#[test]
fn a_propagator_that_carries_no_context_is_told_once() {
    alone("a_propagator_that_carries_no_context_is_told_once", || {
        let (provider, _) = provider();
        let log = use_subscriber(Registry::default().with(layer(&provider)));
        global::set_text_map_propagator(BaggagePropagator::new());
        faults_are(&[Fault::ContextNotCarried]);
        says("contexts: in baggage; by the application's propagator\n");

        // A payload that keeps its context needs no propagator.
        let order = Traced::new(7);
        throughline::consume("charge_card").run_sync(&order, || ());
        assert_eq!(log.told().len(), 1, "no context");

        linked(&from(SENDER));
        let told = log.told();
        assert_eq!(told.len(), 2, "{told:#?}");
        told[1].is(Level::WARN, Fault::ContextNotCarried);
        linked(&from(SENDER));
        assert!(log.told().iter().all(|told| told.name == "throughline.context.missing"));
        faults_are(&[Fault::ContextNotCarried]);
        assert_eq!(diagnose().messages_without_context(), 3);
        assert!(!diagnose().carries("traceparent"));
    });
}

#[test]
fn the_propagator_in_force_is_named() {
    alone("the_propagator_in_force_is_named", || {
        global::set_tracer_provider(provider().0);
        says(
            "contexts: in traceparent, tracestate, baggage; throughline's own, for the application",
        );
        global::set_text_map_propagator(TraceContextPropagator::new());
        says(
            "contexts: in traceparent, tracestate; by the application's propagator; baggage does \
             not travel\n",
        );
        assert!(diagnose().carries("Traceparent") && !diagnose().carries("baggage"));
        let both: Vec<Box<dyn opentelemetry::propagation::TextMapPropagator + Send + Sync>> =
            vec![Box::new(TraceContextPropagator::new()), Box::new(BaggagePropagator::new())];
        global::set_text_map_propagator(TextMapCompositePropagator::new(both));
        assert!(diagnose().carries("traceparent") && diagnose().carries("baggage"));
        says("; by the application's propagator\n");
        throughline::propagation::set_global();
        says("traceparent, tracestate, baggage; throughline's own, set as the global propagator\n");
        faults_are(&[]);
    });
}

fn are_filtered_out(log: &Log) {
    for _ in 0..10 {
        linked(&from(SENDER));
    }
    faults_are(&[Fault::AllFilteredOut]);
    says("spans: 0 made, 0 of them sampled; 10 filtered out\nthe last: ");
    assert!(!Fault::AllFilteredOut.is_certain());
    assert_eq!(log.told().len(), 0);
}

#[test]
fn spans_that_a_filter_of_the_layer_hides_are_seen_and_no_warning_is_told() {
    alone("spans_that_a_filter_of_the_layer_hides_are_seen_and_no_warning_is_told", || {
        let (provider, exporter) = provider();
        let layer = layer(&provider).with_filter(LevelFilter::ERROR);
        let log = use_subscriber(Registry::default().with(layer));
        are_filtered_out(&log);
        assert_eq!(exporter.get_finished_spans().expect("spans").len(), 0);
    });
}

#[test]
fn spans_that_a_filter_of_all_hides_are_seen_and_no_warning_is_told() {
    alone("spans_that_a_filter_of_all_hides_are_seen_and_no_warning_is_told", || {
        let (provider, exporter) = provider();
        let filter = EnvFilter::new("debug,diagnosis=error");
        let log = use_subscriber(Registry::default().with(layer(&provider)).with(filter));
        are_filtered_out(&log);
        assert_eq!(exporter.get_finished_spans().expect("spans").len(), 0);
    });
}

fn never() -> SdkTracerProvider {
    SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build()
}

fn nothing_is_sampled() {
    faults_are(&[]);
    linked(&from(SENDER));
    faults_are(&[Fault::NothingSampled]);
    assert_eq!((diagnose().spans_made(), diagnose().spans_sampled()), (1, 0));
    assert!(!Fault::NothingSampled.is_certain());
}

#[test]
fn that_a_layer_samples_nothing_is_seen_and_no_warning_is_told() {
    alone("that_a_layer_samples_nothing_is_seen_and_no_warning_is_told", || {
        let log = use_subscriber(Registry::default().with(layer(&never())));
        nothing_is_sampled();
        assert_eq!(log.told().len(), 0);
    });
}

#[test]
fn that_opentelemetry_alone_samples_nothing_is_seen_and_no_warning_is_told() {
    alone("that_opentelemetry_alone_samples_nothing_is_seen_and_no_warning_is_told", || {
        let log = use_subscriber(Registry::default());
        global::set_tracer_provider(never());
        nothing_is_sampled();
        assert_eq!(log.told().len(), 0);
    });
}

#[test]
fn a_provider_that_is_shut_down_looks_like_a_filter_or_like_none() {
    alone("a_provider_that_is_shut_down_looks_like_a_filter_or_like_none", || {
        let (provider, _) = provider();
        provider.shutdown().expect("once");
        tracing::subscriber::with_default(Registry::default().with(layer(&provider)), || {
            linked(&from(SENDER));
            faults_are(&[Fault::AllFilteredOut]);
            assert!(
                Fault::AllFilteredOut.to_string().contains("the layer's provider is shut down")
            );
        });
        global::set_tracer_provider(provider);
        linked(&from(SENDER));
        says("; 1 filtered out; 1 not made, as no provider makes any\n");
    });
}

#[test]
fn a_layer_behind_reload_and_without_activation_looks_like_none() {
    alone("a_layer_behind_reload_and_without_activation_looks_like_none", || {
        let layer = layer(&provider().0).with_context_activation(false);
        let (layer, _handle) = reload::Layer::new(layer);
        let log = use_subscriber(Registry::default().with(layer));
        linked(&from(SENDER));
        log.told_once().is(Level::DEBUG, Fault::NothingRecords);
        faults_are(&[Fault::NothingRecords]);
    });
}

#[test]
fn asking_exports_nothing() {
    alone("asking_exports_nothing", || {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOn) // whatever a parent says
            .with_simple_exporter(exporter.clone())
            .build();
        global::set_tracer_provider(provider.clone());
        faults_are(&[]);
        tracing::subscriber::with_default(Registry::default().with(layer(&provider)), || {
            says("tracing: an OpenTelemetry layer answers\n");
        });
        let (out_of_reach, _handle) = reload::Layer::new(layer(&provider));
        tracing::subscriber::with_default(Registry::default().with(out_of_reach), || {
            says("tracing: an OpenTelemetry layer listens that can't be reached\n");
        });
        assert_eq!(exporter.get_finished_spans().expect("spans").len(), 0);
    });
}

#[test]
fn what_is_switched_off_or_suppressed_is_counted() {
    alone("what_is_switched_off_or_suppressed_is_counted", || {
        global::set_tracer_provider(provider().0);
        throughline::consume("off").enabled(false).run_sync(&from(SENDER), || ());
        {
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            linked(&from(SENDER));
        }
        says("spans: 0 made, 0 of them sampled; 1 switched off; 1 suppressed\n");
        says("the last: 1 suppressed, before that 1 switched off\n");
        faults_are(&[]);

        // What is read before it is handled is counted when it is.
        let read = throughline::consume("later").read(&[from(SENDER), Headers::new()][..]);
        says("messages: 2 with a context, 0 without, ");
        read.start().finish(Outcome::ok());
        says("messages: 3 with a context, 1 without, ");
        says("spans: 1 made, 1 of them sampled; 1 by OpenTelemetry's API; 1 switched off; ");
    });
}

#[test]
fn a_message_without_a_context_is_no_fault_of_a_propagator_that_carries_them() {
    alone("a_message_without_a_context_is_no_fault_of_a_propagator_that_carries_them", || {
        let (provider, _) = provider();
        let log = use_subscriber(Registry::default().with(layer(&provider)));
        global::set_text_map_propagator(throughline::propagation::W3c::new());
        linked(&Headers::new());
        assert_eq!(log.told_once().name, "throughline.context.missing");
    });
}

/// It is enough for throughline's own spans.
#[test]
fn a_provider_that_is_handed_over_makes_spans_where_no_global_one_is_installed() {
    alone("a_provider_that_is_handed_over_makes_spans_where_no_global_one_is_installed", || {
        throughline::use_provider(provider().0).expect("it is the first");
        linked(&from(SENDER));
        says("spans: 1 made, 1 of them sampled; 1 by OpenTelemetry's API\n");
        faults_are(&[]);
    });
}

/// Handles messages without a context and says what was told of them.
fn missing_contexts_are_told(log: &Log) {
    let unreadable = || headers(&[("traceparent", "nonsense")]);
    let missing = |told: Told, reason: &str, function: &str, destination: Option<&str>| {
        assert_eq!((told.name, told.level), ("throughline.context.missing", Level::DEBUG));
        assert_eq!(told.fields["throughline.relation.reason"], reason);
        assert_eq!(told.fields["code.function.name"], format!("diagnosis::{function}"));
        let told_destination = told.fields.get("messaging.destination.name").map(String::as_str);
        assert_eq!(told_destination, destination);
        told.fields["throughline.message.count"].clone()
    };

    linked(&from(SENDER));
    assert_eq!(log.told().len(), 0);
    faults_are(&[]);

    linked(&Headers::new());
    assert_eq!(missing(log.told_once(), "no_context", "linked", None), "1");
    let _ = block_on(continued(unreadable()));
    assert_eq!(missing(log.told_once(), "unreadable", "continued", Some("orders")), "1");

    // An event for each reason, in a batch.
    batch(&[Headers::new(), from(SENDER), Headers::new(), unreadable(), from(OTHER_SENDER)]);
    let told = log.told();
    let [none, not_readable] = &told[..] else { panic!("{told:#?}") };
    assert_eq!(missing(none.clone(), "no_context", "batch", Some("orders")), "2");
    assert_eq!(missing(not_readable.clone(), "unreadable", "batch", Some("orders")), "1");
    batch(&[from(SENDER)]);

    // Not looked at, so not missed.
    ignoring(&Headers::new());
    assert_eq!(log.told().len(), 0);

    faults_are(&[Fault::UnreadableContexts]);
    assert_eq!(diagnose().messages_without_context(), 3);
    assert_eq!(diagnose().messages_unreadable(), 2);
    says("messages: 4 with a context, 3 without, 2 with one that can't be read\n");
}

#[test]
fn a_missing_context_is_counted_and_told_where_a_layer_listens() {
    alone("a_missing_context_is_counted_and_told_where_a_layer_listens", || {
        let (provider, exporter) = provider();
        let log = use_subscriber(Registry::default().with(layer(&provider)));
        tracing::info_span!("poll loop").in_scope(|| missing_contexts_are_told(&log));
        let spans = exporter.get_finished_spans().expect("spans");
        assert_eq!(spans.len(), 7);
        assert!(spans.iter().all(|span| span.events.is_empty()), "{spans:#?}");
    });
}

#[test]
fn a_missing_context_is_counted_and_told_by_opentelemetry_alone() {
    alone("a_missing_context_is_counted_and_told_by_opentelemetry_alone", || {
        global::set_tracer_provider(provider().0);
        missing_contexts_are_told(&use_subscriber(Registry::default()));
    });
}

#[test]
fn that_no_message_has_a_context_is_seen() {
    alone("that_no_message_has_a_context_is_seen", || {
        global::set_tracer_provider(provider().0);
        linked(&Headers::new());
        faults_are(&[Fault::NoMessageHasContext]);
        linked(&from(SENDER));
        faults_are(&[]);
    });
}

#[test]
fn what_is_told_at_a_level_that_nobody_wants_is_not_lost() {
    alone("what_is_told_at_a_level_that_nobody_wants_is_not_lost", || {
        let (layer, _handle) = reload::Layer::new(layer(&provider().0));
        let (filter, handle) = reload::Layer::new(EnvFilter::new("info,throughline=off"));
        let log = use_subscriber(Registry::default().with(filter).with(layer));
        linked(&from(SENDER));
        assert_eq!(log.told().len(), 0);
        handle.reload(EnvFilter::new("info")).expect("the subscriber lives");
        linked(&from(SENDER));
        log.told_once().is(Level::WARN, Fault::LayerOutOfReach);
    });
}

/// A log that sends its lines as messages, with a producer of ours.
struct SendingLog(Arc<Mutex<usize>>);

impl<S: Subscriber> Layer<S> for SendingLog {
    fn on_event(&self, _: &Event<'_>, _: LayerContext<'_, S>) {
        *self.0.lock().expect("nobody panicked") += 1;
        let mut span = throughline::produce("log line").start(&mut Headers::new());
        span.run_sync(|| ());
        span.finish(Outcome::ok());
    }
}

#[test]
fn a_log_that_sends_messages_itself_is_told_once() {
    alone("a_log_that_sends_messages_itself_is_told_once", || {
        let lines = Arc::new(Mutex::new(0));
        let (layer, _handle) = reload::Layer::new(layer(&provider().0));
        let sending = SendingLog(lines.clone()).with_filter(LevelFilter::INFO);
        let subscriber = Registry::default().with(layer).with(sending);
        tracing::subscriber::set_global_default(subscriber).expect("the only one");
        linked(&from(SENDER));
        assert_eq!(*lines.lock().expect("nobody panicked"), 1);
        assert!(diagnose().spans_made() >= 1);
    });
}

#[test]
fn the_readme_shows_what_is_printed() {
    const README: &str = include_str!("../README.md");
    alone("the_readme_shows_what_is_printed", || {
        use_subscriber(Registry::default().with(tracing_opentelemetry::layer()));
        linked(&from(SENDER));
        linked(&Headers::new());
        let _ = block_on(continued(from(SENDER)));
        let printed = format!("```text\n{}\n```", diagnose());
        assert!(README.contains(&printed), "{printed}");
    });
}

#[test]
fn the_page_of_events_names_the_faults_that_are_told() {
    const PAGE: &str = include_str!("../docs/telemetry.md");
    for fault in [
        Fault::LayerWithoutTracer,
        Fault::LayerOutOfReach,
        Fault::ContextNotCarried,
        Fault::NothingRecords,
    ] {
        assert!(PAGE.contains(&format!("`{}`", fault.name())), "{}", fault.name());
    }
}

#[test]
fn the_versions_that_are_named_are_those_in_use() {
    const MANIFEST: &str = include_str!("../Cargo.toml");
    let version = |of: &str| {
        let line = MANIFEST.lines().find(|line| line.starts_with(&format!("{of} = {{ version")));
        line.and_then(|line| line.split('"').nth(1)).expect("a version")
    };
    let layer = format!("tracing-opentelemetry {}", version("tracing-opentelemetry"));
    let api = format!("opentelemetry {}", version("opentelemetry"));
    assert!(Fault::LayerOutOfReach.to_string().contains(&layer));
    assert!(Fault::NothingRecords.to_string().contains(&layer));
    assert!(Fault::NothingRecords.to_string().contains(&format!("of {api} ")));
}
