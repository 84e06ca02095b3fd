//! Whichever way an application has set up its telemetry, a handler's span stands where its
//! relation says, once, and the work inside sees the right context.
//!
//! Each set-up is one subscriber on the thread of the test. The global provider is one for the
//! process, as an application would have it; spans are told apart by the name of the destination.

use std::sync::LazyLock;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, TraceContextExt, TraceId, Tracer, TracerProvider,
};
use opentelemetry::{Context, global};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracer, SdkTracerProvider, SpanData};
use throughline::{TraceContext, async_consumer};
use throughline_tests::Log;
use tracing::Dispatch;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::{Layer, Registry, layer::SubscriberExt, reload};

/// Every span that the process makes.
static EXPORTED: LazyLock<(InMemorySpanExporter, SdkTracerProvider)> = LazyLock::new(|| {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    global::set_tracer_provider(provider.clone());
    (exporter, provider)
});

fn tracer() -> SdkTracer {
    EXPORTED.1.tracer("application")
}

fn exported(name: &str) -> Vec<SpanData> {
    let spans = EXPORTED.0.get_finished_spans().expect("the exporter is not shut down");
    spans.into_iter().filter(|span| span.name == name).collect()
}

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn message() -> TraceContext {
    TraceContext::read_from(&[("traceparent", SENT), ("baggage", "tenant=acme")].as_slice())
}

fn is_sender(span: &SpanContext) -> bool {
    span.trace_id() == TraceId::from(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c)
        && span.span_id() == SpanId::from(0xb7ad_6b71_6920_3331)
}

/// What the work inside the handler sees, at its first poll and after an await.
#[derive(Debug)]
struct Seen {
    first: TraceContext,
    later: TraceContext,
    baggage: Option<String>,
}

async fn look_around() -> Seen {
    let first = TraceContext::current();
    tokio::task::yield_now().await;
    let baggage = Context::current().baggage().get("tenant").map(ToString::to_string);
    Seen { first, later: TraceContext::current(), baggage }
}

#[async_consumer(link, from = &message, destination = destination, fields(attempt = 3))]
async fn linked(message: TraceContext, destination: String) -> Seen {
    look_around().await
}

#[async_consumer(continue, from = &message, destination = destination, fields(attempt = 3))]
async fn continued(message: TraceContext, destination: String) -> Seen {
    look_around().await
}

/// Where the ambient span comes from.
#[derive(Clone, Copy, PartialEq)]
enum Ambient {
    Tracing,
    OpenTelemetry,
    Nobody,
}

struct Trial {
    handler: Vec<SpanData>,
    ambient: SpanContext,
    seen: Seen,
}

/// Handles one message, mostly inside a poll loop's span.
fn handle(set_up: &str, relation: &str, ambient: Ambient) -> Trial {
    let destination = format!("{set_up} {relation}");
    let loop_name = "poll loop";
    let (ambient, seen) = match ambient {
        Ambient::Tracing => {
            let _entered = tracing::warn_span!("poll loop").entered();
            let ambient = opentelemetry_context_of_current_span();
            (ambient, call(relation, &destination))
        }
        Ambient::OpenTelemetry => {
            let span = tracer().start(loop_name);
            let context = Context::current_with_span(span);
            let ambient = context.span().span_context().clone();
            let _attached = context.attach();
            (ambient, call(relation, &destination))
        }
        Ambient::Nobody => (SpanContext::NONE, call(relation, &destination)),
    };
    Trial { handler: exported(&format!("process {destination}")), ambient, seen }
}

fn opentelemetry_context_of_current_span() -> SpanContext {
    use tracing_opentelemetry::OpenTelemetrySpanExt;
    tracing::Span::current().context().span().span_context().clone()
}

fn call(relation: &str, destination: &str) -> Seen {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        match relation {
            "link" => linked(message(), destination.to_owned()).await,
            _ => continued(message(), destination.to_owned()).await,
        }
    })
}

impl Trial {
    #[track_caller]
    fn only_span(&self) -> &SpanData {
        assert_eq!(self.handler.len(), 1, "made once: {:#?}", self.handler);
        for key in ["attempt", "messaging.operation.name", "code.function.name"] {
            let times = self.handler[0].attributes.iter().filter(|it| it.key.as_str() == key);
            assert_eq!(times.count(), 1, "{key} is there once: {:#?}", self.handler[0].attributes);
        }
        &self.handler[0]
    }

    #[track_caller]
    fn work_is_under_the_handler(&self) {
        let handler = &self.only_span().span_context;
        for seen in [&self.seen.first, &self.seen.later] {
            let expected = format!("00-{}-{}-01", handler.trace_id(), handler.span_id());
            assert_eq!(seen.traceparent(), Some(expected));
        }
        assert_eq!(self.seen.baggage.as_deref(), Some("acme"));
    }

    #[track_caller]
    fn is_linked(&self) {
        let span = self.only_span();
        assert_eq!(span.span_kind, SpanKind::Consumer);
        assert_eq!(span.parent_span_id, SpanId::INVALID, "a new root is a root");
        assert_ne!(span.span_context.trace_id(), self.ambient.trace_id());
        self.links_to_sender_and_ambient();
        self.work_is_under_the_handler();
    }

    #[track_caller]
    fn is_continued(&self) {
        let span = self.only_span();
        assert_eq!(span.span_kind, SpanKind::Consumer);
        assert!(is_sender(&SpanContext::new(
            span.span_context.trace_id(),
            span.parent_span_id,
            span.span_context.trace_flags(),
            true,
            opentelemetry::trace::TraceState::NONE,
        )));
        self.links_to_sender_and_ambient();
        self.work_is_under_the_handler();
    }

    #[track_caller]
    fn links_to_sender_and_ambient(&self) {
        let links: Vec<_> = self.only_span().links.iter().map(|it| &it.span_context).collect();
        let ambient = Some(self.ambient.span_id()).filter(|id| *id != SpanId::INVALID);
        assert!(links.first().is_some_and(|first| is_sender(first)), "{links:#?}");
        assert!(links[1..].iter().map(|link| link.span_id()).eq(ambient), "{links:#?}");
    }

    /// Filtered out: no span, and the work inside belongs where the span would have been.
    #[track_caller]
    fn passes_through(&self, expected: Option<&str>) {
        assert_eq!(self.handler.len(), 0, "{:#?}", self.handler);
        for seen in [&self.seen.first, &self.seen.later] {
            assert_eq!(seen.traceparent().as_deref(), expected);
        }
        assert_eq!(self.seen.baggage.as_deref(), Some("acme"));
    }
}

fn bridge() -> tracing_opentelemetry::OpenTelemetryLayer<Registry, SdkTracer> {
    tracing_opentelemetry::layer().with_tracer(tracer())
}

fn use_subscriber(subscriber: impl tracing::Subscriber + Send + Sync + 'static) -> DefaultGuard {
    LazyLock::force(&EXPORTED);
    tracing::subscriber::set_default(subscriber)
}

#[track_caller]
fn both_relations_hold(set_up: &str, ambient: Ambient) {
    // Twice: what is learned from the first message must not spoil the second.
    for round in ["first", "second"] {
        let set_up = format!("{set_up} {round}");
        handle(&set_up, "link", ambient).is_linked();
        handle(&set_up, "continue", ambient).is_continued();
    }
    for round in ["third", "fourth"] {
        let set_up = format!("{set_up} {round}");
        handle(&set_up, "continue", ambient).is_continued();
        handle(&set_up, "link", ambient).is_linked();
    }
    let set_up = format!("{set_up} without a poll loop's span");
    handle(&set_up, "link", Ambient::Nobody).is_linked();
    handle(&set_up, "continue", Ambient::Nobody).is_continued();
}

#[track_caller]
fn both_relations_pass_through(set_up: &str, ambient: Ambient) {
    for round in ["first", "second"] {
        let set_up = format!("{set_up} {round}");
        handle(&set_up, "link", ambient).passes_through(None);
        handle(&set_up, "continue", ambient).passes_through(Some(SENT));
    }
}

#[test]
fn no_subscriber() {
    LazyLock::force(&EXPORTED);
    both_relations_hold("no subscriber", Ambient::OpenTelemetry);
}

#[test]
fn a_plain_layer() {
    let _guard = use_subscriber(Registry::default().with(bridge()));
    both_relations_hold("plain layer", Ambient::Tracing);
}

#[test]
fn an_optional_layer() {
    let _guard = use_subscriber(Registry::default().with(Some(bridge())));
    both_relations_hold("optional layer", Ambient::Tracing);
}

#[test]
fn a_boxed_layer() {
    let _guard = use_subscriber(Registry::default().with(bridge().boxed()));
    both_relations_hold("boxed layer", Ambient::Tracing);
}

#[test]
fn a_layer_in_a_vec() {
    let _guard = use_subscriber(Registry::default().with(vec![bridge().boxed()]));
    both_relations_hold("layer in a vec", Ambient::Tracing);
}

#[test]
fn a_layer_behind_reload() {
    let (layer, _handle) = reload::Layer::new(bridge());
    let _guard = use_subscriber(Registry::default().with(layer));
    // The ambient span's own context is out of reach there: entering it made it current.
    for round in ["first", "second"] {
        for relation in ["link", "continue"] {
            let destination = format!("behind reload {round} {relation}");
            let entered = tracing::warn_span!("poll loop").entered();
            let ambient = Context::current().span().span_context().clone();
            let seen = call(relation, &destination);
            drop(entered);
            let handler = exported(&format!("process {destination}"));
            let trial = Trial { handler, ambient, seen };
            if relation == "link" { trial.is_linked() } else { trial.is_continued() }
        }
        let set_up = format!("behind reload {round} without a poll loop's span");
        handle(&set_up, "link", Ambient::Nobody).is_linked();
        handle(&set_up, "continue", Ambient::Nobody).is_continued();
    }
}

#[test]
fn a_reloaded_filter() {
    let (filter, _handle) = reload::Layer::new(LevelFilter::TRACE);
    let _guard = use_subscriber(Registry::default().with(bridge().with_filter(filter)));
    both_relations_hold("reloaded filter", Ambient::Tracing);
}

#[test]
fn a_layer_without_context_activation() {
    let layer = bridge().with_context_activation(false);
    let _guard = use_subscriber(Registry::default().with(layer));
    both_relations_hold("without activation", Ambient::Tracing);
}

/// The layer takes `tracing`'s current span for the parent, unless it is told another.
#[test]
fn what_is_attached_within_a_span_is_nearer_without_context_activation_as_well() {
    let layer = bridge().with_context_activation(false);
    let _guard = use_subscriber(Registry::default().with(layer));
    let _entered = tracing::warn_span!("poll loop").entered();
    let nearer = Context::current_with_span(tracer().start("nearer"));
    let expected = nearer.span().span_context().span_id();
    let _attached = nearer.attach();
    throughline::produce("sent from nearer").run_sync(&mut TraceContext::default(), |_| ());
    let [sent] = &exported("sent from nearer")[..] else { panic!("one span") };
    assert_eq!(sent.parent_span_id, expected);
}

#[test]
fn a_per_layer_filter_hides_the_span() {
    let layer = bridge().with_filter(LevelFilter::WARN);
    // Another layer wants it, so that it is not disabled for everybody.
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let _guard = use_subscriber(Registry::default().with(layer).with(log));
    both_relations_pass_through("per-layer filter", Ambient::Tracing);
}

#[test]
fn a_span_that_is_hidden_from_the_layer_stays_around_others_in_log_lines() {
    let log = Log::default();
    let layer = bridge().with_filter(filter_fn(|it| it.name() != "poll loop"));
    let lines = tracing_subscriber::fmt::layer().with_writer(log.clone()).with_ansi(false);
    let _guard = use_subscriber(Registry::default().with(layer).with(lines));
    let _entered = tracing::warn_span!("poll loop", topic = "orders").entered();
    throughline::produce("sent from what is hidden")
        .run_sync(&mut TraceContext::default(), |_| tracing::warn!("sending"));
    let [sent] = &exported("sent from what is hidden")[..] else { panic!("one span") };
    assert_eq!(sent.parent_span_id, SpanId::INVALID);
    let [line] = &log.lines()[..] else { panic!("one line") };
    assert!(line.contains(r#"poll loop{topic="orders"}"#), "{line}");
}

#[test]
fn what_is_sent_from_a_span_that_is_hidden_is_the_one_around_it() {
    let layer = bridge().with_filter(LevelFilter::WARN);
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let _guard = use_subscriber(Registry::default().with(layer).with(log));
    let mut message = TraceContext::default();
    tracing::warn_span!("around what is hidden").in_scope(|| {
        throughline::produce("sent while hidden").run_sync(&mut message, |_| ());
    });
    assert_eq!(exported("sent while hidden").len(), 0);
    let [around] = &exported("around what is hidden")[..] else { panic!("one span") };
    let around = &around.span_context;
    let expected = format!("00-{}-{}-01", around.trace_id(), around.span_id());
    assert_eq!(message.traceparent(), Some(expected));
}

#[test]
fn a_per_layer_filter_by_target_hides_the_span() {
    let layer = bridge().with_filter(filter_fn(|it| it.name() == "poll loop"));
    let _guard = use_subscriber(Registry::default().with(layer));
    both_relations_pass_through("per-layer target", Ambient::Tracing);
}

#[test]
fn a_global_level_filter_hides_the_span() {
    let _guard = use_subscriber(Registry::default().with(LevelFilter::WARN).with(bridge_below()));
    both_relations_pass_through("global level", Ambient::Tracing);
}

#[test]
fn a_global_filter_by_target_hides_the_span() {
    let filter = EnvFilter::new("info,two_worlds=warn");
    let _guard = use_subscriber(Registry::default().with(bridge()).with(filter));
    both_relations_pass_through("global target", Ambient::Tracing);
}

fn bridge_below<S>() -> impl Layer<S>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
{
    tracing_opentelemetry::layer().with_tracer(tracer())
}

#[test]
fn a_log_formatter_alone() {
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let _guard = use_subscriber(Registry::default().with(log));
    both_relations_hold("log formatter", Ambient::OpenTelemetry);
}

#[test]
fn a_log_formatter_alone_with_a_global_filter() {
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let _guard = use_subscriber(Registry::default().with(EnvFilter::new("warn")).with(log));
    both_relations_hold("filtered log formatter", Ambient::OpenTelemetry);
}

#[test]
fn two_subscribers_in_turn_on_one_thread() {
    LazyLock::force(&EXPORTED);
    // Both are there from the start: what is known of one must not be taken for the other.
    let with_bridge =
        Dispatch::new(Registry::default().with(LevelFilter::WARN).with(bridge_below()));
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
    let without = Dispatch::new(Registry::default().with(LevelFilter::WARN).with(log));
    for round in ["first", "second"] {
        tracing::dispatcher::with_default(&with_bridge, || {
            let set_up = format!("in turn bridge {round}");
            handle(&set_up, "link", Ambient::Tracing).passes_through(None);
        });
        tracing::dispatcher::with_default(&without, || {
            let set_up = format!("in turn log {round}");
            handle(&set_up, "link", Ambient::OpenTelemetry).is_linked();
        });
    }
}

/// What was learned of a layer that can be reached is forgotten with the first message beside another.
#[test]
fn a_layer_that_can_be_reached_and_then_one_that_cannot_on_one_thread() {
    let _guard = use_subscriber(Registry::default().with(bridge()));
    handle("within reach", "continue", Ambient::Tracing).is_continued();

    let (layer, _handle) = reload::Layer::new(bridge());
    let _guard = use_subscriber(Registry::default().with(layer));
    let _entered = tracing::warn_span!("poll loop").entered();
    call("continue", "out of reach first");
    call("continue", "out of reach second");
    let spans = exported("process out of reach second");
    let [second] = &spans[..] else { panic!("one span: {spans:#?}") };
    assert_eq!(second.parent_span_id, SpanId::from(0xb7ad_6b71_6920_3331));
}

#[test]
fn a_layer_that_can_be_reached_and_then_one_that_cannot_where_no_span_is_current() {
    let _guard = use_subscriber(Registry::default().with(bridge()));
    handle("within reach, then not", "continue", Ambient::Tracing).is_continued();

    let (layer, _handle) = reload::Layer::new(bridge());
    let _guard = use_subscriber(Registry::default().with(layer));
    handle("out of reach at once", "continue", Ambient::Nobody).is_continued();
    handle("out of reach at once", "link", Ambient::Nobody).is_linked();
}

/// A bridge that is put in place later is seen: the answer that there is none is not kept.
#[test]
fn a_bridge_that_is_reloaded_in_place_later() {
    type Reloadable = Option<Box<dyn Layer<Registry> + Send + Sync>>;
    let (layer, handle_of_layer) = reload::Layer::new(Reloadable::None);
    let filter = LevelFilter::WARN;
    let _guard = use_subscriber(Registry::default().with(layer).with(filter));
    handle("before reload", "continue", Ambient::OpenTelemetry).is_continued();
    handle_of_layer.reload(Some(bridge().boxed())).expect("the subscriber lives");
    handle("after reload", "continue", Ambient::OpenTelemetry).passes_through(Some(SENT));
}

#[test]
fn suppressed_telemetry_makes_no_span_and_changes_nothing() {
    LazyLock::force(&EXPORTED);
    let _suppressed = Context::enter_telemetry_suppressed_scope();
    let seen = call("continue", "suppressed");
    assert!(seen.first.is_empty());
    assert!(exported("process suppressed").is_empty());
}

#[test]
fn a_subscriber_is_used_where_the_future_is_polled_first() {
    let future = linked(message(), "polled first".to_owned());
    let never_polled = linked(message(), "never polled".to_owned());
    let _guard = use_subscriber(Registry::default().with(bridge()));
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future);
    drop(never_polled);
    assert_eq!(exported("process polled first").len(), 1);
    assert_eq!(exported("process never polled").len(), 0);
}
