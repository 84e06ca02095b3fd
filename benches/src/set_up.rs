//! The telemetry around the handler. A processor that throws every span away, and the global tracer for
//! all, which is boxed.

use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::Duration;

use opentelemetry::propagation::TextMapCompositePropagator;
use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, global};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use opentelemetry_sdk::trace::{
    Sampler, SdkTracer, SdkTracerProvider, Span, SpanData, SpanProcessor,
};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::by_hand;

/// What stands around the handler. It is the program's for good, so each has a process of its own.
pub struct SetUp {
    pub name: &'static str,
    /// Whether the sender is sampled, and a root.
    pub sampled: bool,
    /// Whether a layer for `tracing` makes the spans.
    pub through_tracing: bool,
    /// Whether fastrace is compared as well, which needs nothing of OpenTelemetry's.
    pub has_fastrace: bool,
    /// Whether all that can be is handed over once.
    pub hands_over: bool,
    install: fn(),
}

impl SetUp {
    /// Those that are compared.
    pub const COMPARED: &[Self] = &[
        Self::new("nothing", true, || {}),
        Self::new("alone", true, || drop(install(true))).beside_fastrace(),
        Self::new("alone-unsampled", false, || drop(install(false))).beside_fastrace(),
        Self::new("handed-over", true, || hand_over(install(true))).handing_over(),
        Self::new("handed-over-unsampled", false, || hand_over(install(false))).handing_over(),
        Self::new("each-its-own", true, || {
            install(true);
            hand_over_one_for_each_thread();
        }),
        Self::new("w3c", true, || {
            install(true);
            throughline::propagation::set_global();
        }),
        Self::new("stock", true, || {
            install(true);
            install_the_stock_propagator();
        }),
        Self::new("layer", true, || install_a_layer(a_layer(true))).through_tracing(),
        Self::new("layer-unsampled", false, || install_a_layer(a_layer(false))).through_tracing(),
        Self::new("layer-plain", true, || install_a_layer(a_plain_layer())).through_tracing(),
    ];

    const fn new(name: &'static str, sampled: bool, install: fn()) -> Self {
        Self {
            name,
            sampled,
            through_tracing: false,
            has_fastrace: false,
            hands_over: false,
            install,
        }
    }

    const fn through_tracing(self) -> Self {
        Self { through_tracing: true, ..self }
    }

    const fn handing_over(self) -> Self {
        Self { hands_over: true, ..self }
    }

    const fn beside_fastrace(self) -> Self {
        Self { has_fastrace: true, ..self }
    }

    pub fn named(name: &str) -> Option<&'static Self> {
        Self::COMPARED.iter().find(|set_up| set_up.name == name)
    }

    /// That of this process, where it has one: see [`SetUp::process`].
    pub fn of_this_process() -> Option<&'static Self> {
        let name = std::env::var(VARIABLE).ok()?;
        Some(Self::named(&name).unwrap_or_else(|| panic!("no set-up {name}")))
    }

    /// This program once more with its arguments, for this set-up alone.
    pub fn process(&self) -> Command {
        let mut itself = Command::new(std::env::current_exe().expect("a path"));
        itself.args(std::env::args_os().skip(1)).env(VARIABLE, self.name);
        itself
    }

    pub fn install(&self) {
        (self.install)();
        if self.has_fastrace {
            install_fastrace();
        }
    }
}

const VARIABLE: &str = "SET_UP";

/// OpenTelemetry alone.
fn install(sampled: bool) -> SdkTracerProvider {
    let provider = provider(sampled);
    global::set_tracer_provider(provider.clone());
    provider
}

/// The provider that throughline need not look up, then, as who writes by hand may keep a tracer; nor need
/// it ask for a propagator.
fn hand_over(provider: SdkTracerProvider) {
    by_hand::KEPT.set(provider.tracer("bench")).expect("it is the first");
    throughline::use_provider(provider).expect("it is the first");
    throughline::propagation::set_global();
}

/// The same with a provider for each thread, where threads share nothing of the SDK's: to tell what they
/// share of throughline's.
fn hand_over_one_for_each_thread() {
    throughline::use_provider(OneForEachThread).expect("it is the first");
    throughline::propagation::set_global();
}

/// Each thread asks it for a tracer once, which keeps its provider.
struct OneForEachThread;

impl TracerProvider for OneForEachThread {
    type Tracer = SdkTracer;

    fn tracer_with_scope(&self, scope: InstrumentationScope) -> SdkTracer {
        provider(true).tracer_with_scope(scope)
    }
}

/// The propagators that OpenTelemetry's own documentation sets.
fn install_the_stock_propagator() {
    global::set_text_map_propagator(TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]));
    by_hand::HAS_GLOBAL_PROPAGATOR.store(true, Ordering::Relaxed);
}

/// A layer for `tracing`, as its documentation sets it up.
fn a_layer(sampled: bool) -> OpenTelemetryLayer<Registry, SdkTracer> {
    tracing_opentelemetry::layer().with_tracer(provider(sampled).tracer("bench"))
}

/// The same without its optional attributes, of which it has more than a handler's span has of its own.
fn a_plain_layer() -> OpenTelemetryLayer<Registry, SdkTracer> {
    a_layer(true)
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false)
}

fn install_a_layer(layer: OpenTelemetryLayer<Registry, SdkTracer>) {
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("set once");
}

/// fastrace, with a reporter that throws every span away. Its collector has a thread of its own, and would
/// work beside whatever is timed: it sleeps until it is flushed.
fn install_fastrace() {
    const NEVER: Duration = Duration::MAX;
    let config = fastrace::collector::Config::default().report_interval(NEVER);
    fastrace::set_reporter(Discard, config);
}

fn provider(sampled: bool) -> SdkTracerProvider {
    let root = if sampled { Sampler::AlwaysOn } else { Sampler::AlwaysOff };
    SdkTracerProvider::builder()
        .with_span_processor(Discard)
        .with_sampler(Sampler::ParentBased(Box::new(root)))
        .build()
}

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

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

impl fastrace::collector::Reporter for Discard {
    fn report(&mut self, spans: Vec<fastrace::collector::SpanRecord>) {
        std::hint::black_box(spans);
    }
}
