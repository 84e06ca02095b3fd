//! The span made with OpenTelemetry's own API: where no bridge listens to `tracing`.

use std::cell::OnceCell;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{LazyLock, OnceLock};

use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer, TracerProvider,
};
use opentelemetry::{Context, global};

use super::ways::Way;
use super::{Attach, Description, Inside, Maker};
use crate::propagation::keep_random_flag;
use crate::relation::same_span;
use crate::semconv;

/// Makes spans by `provider` from now on, wherever OpenTelemetry's API makes them, in place of the global
/// one: that has to be looked up for every span, since it may be exchanged, under a lock that all threads
/// share. Each thread has a tracer of its own of this one.
///
/// It saves time and changes nothing else. Set the global provider as well, for all others. It can be done
/// once in the life of a process, at its start. Where a layer of `tracing` makes the spans, that goes on, and
/// where neither is done, the global provider counts, whenever it is installed.
///
/// # Errors
///
/// If a provider is in use already; that one stays.
///
/// ```
/// use opentelemetry_sdk::trace::SdkTracerProvider;
///
/// let provider = SdkTracerProvider::builder().build();
/// opentelemetry::global::set_tracer_provider(provider.clone());
/// throughline::use_provider(provider.clone())?;
///
/// assert!(throughline::use_provider(provider).is_err());
/// # Ok::<(), throughline::ProviderInUse>(())
/// ```
pub fn use_provider<P>(provider: P) -> Result<(), ProviderInUse>
where
    P: TracerProvider + Send + Sync + 'static,
    P::Tracer: 'static,
    <P::Tracer as Tracer>::Span: Send + Sync + 'static,
{
    IN_USE.set(Box::new(provider)).map_err(|_| ProviderInUse(()))
}

/// A provider is in use already: see [`use_provider`].
///
/// ```
/// fn set_up_telemetry() -> Result<(), Box<dyn std::error::Error>> {
///     let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
///     throughline::use_provider(provider)?;
///     Ok(())
/// }
/// # set_up_telemetry().unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderInUse(());

impl fmt::Display for ProviderInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a provider is in use already, and stays")
    }
}

impl std::error::Error for ProviderInUse {}

static IN_USE: OnceLock<Box<dyn MakeTracer + Send + Sync>> = OnceLock::new();

thread_local! {
    /// A tracer of the provider in use. Each span counts that it holds its tracer: by one tracer for all, the
    /// threads would wait for each other.
    static OWN_TRACER: OnceCell<Rc<dyn MakeSpan>> = const { OnceCell::new() };
}

/// A tracer of the provider in use, if there is one.
#[inline]
fn tracer_in_use() -> Option<Rc<dyn MakeSpan>> {
    let provider = IN_USE.get()?;
    let own = OWN_TRACER.try_with(|own| Rc::clone(own.get_or_init(|| provider.tracer())));
    Some(own.unwrap_or_else(|_| provider.tracer())) // the thread is about to end
}

/// A provider of whichever type.
trait MakeTracer {
    fn tracer(&self) -> Rc<dyn MakeSpan>;
}

impl<P> MakeTracer for P
where
    P: TracerProvider<Tracer: 'static>,
    <P::Tracer as Tracer>::Span: Send + Sync + 'static,
{
    fn tracer(&self) -> Rc<dyn MakeSpan> {
        Rc::new(self.tracer_with_scope(semconv::scope()))
    }
}

/// A tracer of whichever type.
trait MakeSpan {
    fn make(&self, description: Description, parent: Context, inside: &mut Inside) -> Way;

    /// Whether it makes any, as far as it can be told without making one.
    fn makes_spans(&self) -> bool;
}

impl<T> MakeSpan for T
where
    T: Tracer<Span: Send + Sync + 'static>,
{
    fn make(&self, description: Description, parent: Context, inside: &mut Inside) -> Way {
        let span = self.build_with_context(description.into_builder(), &parent);
        made_or_passed_on(span, parent, inside)
    }

    fn makes_spans(&self) -> bool {
        static PARENT: LazyLock<SuppressedParent> = LazyLock::new(SuppressedParent::new);
        let builder = SpanBuilder::from_name("throughline probe");
        let span = self.build_with_context(builder, &PARENT.context);
        !PARENT.is_handed_on(span.span_context())
    }
}

/// What the global tracer is known to do. Only where it made none when first asked to does it pay to ask,
/// before a span is described, whether there is a provider by now.
static GLOBAL: AtomicU8 = AtomicU8::new(NOT_ASKED);
const NOT_ASKED: u8 = 0;
const MADE_NONE: u8 = 1;
const MADE_ONE: u8 = 2;

/// Who makes a span where `tracing` does not.
#[inline]
pub(super) fn maker() -> Maker {
    #[cfg(feature = "testing")]
    if capture::tracer().is_some() {
        return Maker::Api;
    }
    let may_make_one = GLOBAL.load(Ordering::Relaxed) != MADE_NONE
        || a_provider_is_in_use()
        || global::tracer_with_scope(semconv::scope()).makes_spans();
    if may_make_one { Maker::Api } else { Maker::Nobody(Way::WithoutProvider) }
}

/// Makes a span, or lets its parent pass through.
#[inline]
pub(super) fn make(description: Description, parent: Context, inside: &mut Inside) -> Way {
    #[cfg(feature = "testing")]
    if let Some(tracer) = capture::tracer() {
        return tracer.make(description, parent, inside);
    }
    if let Some(tracer) = tracer_in_use() {
        return tracer.make(description, parent, inside);
    }
    let way = global::tracer_with_scope(semconv::scope()).make(description, parent, inside);
    // One that has made a span may decline another, and is asked for each.
    let known = if way == Way::Api { MADE_ONE } else { MADE_NONE };
    if GLOBAL.load(Ordering::Relaxed) < known {
        GLOBAL.fetch_max(known, Ordering::Relaxed);
    }
    way
}

/// A tracer that does nothing answers with the parent's span or with none: then there is no span
/// and the context passes through.
#[inline]
fn made_or_passed_on<S>(span: S, parent: Context, inside: &mut Inside) -> Way
where
    S: Span + Send + Sync + 'static,
{
    let made = span.span_context();
    let has_parent = parent.has_active_span();
    if !made.is_valid() || has_parent && same_span(made, parent.span().span_context()) {
        pass_on(parent, inside);
        return Way::WithoutProvider;
    }
    let mut own = parent.with_span(span);
    if let Some(kept) = has_parent.then(|| keep_random_flag(&own, &parent)).flatten() {
        own = kept;
    }
    inside.take_own(own, Attach::Own);
    inside.ends_here = true;
    Way::Api
}

#[inline(never)]
fn pass_on(parent: Context, inside: &mut Inside) {
    inside.attach = Attach::Other(parent);
}

/// Whether one was handed over.
pub(crate) fn a_provider_is_in_use() -> bool {
    IN_USE.get().is_some()
}

/// Whether that, or the global one, makes spans, as far as it can be told without making one.
pub(crate) fn a_provider_is_installed() -> bool {
    match tracer_in_use() {
        Some(tracer) => tracer.makes_spans(),
        None => global::tracer_with_scope(semconv::scope()).makes_spans(),
    }
}

/// A parent that tells tracers apart and exports nothing, for telemetry is suppressed under it: the
/// tracer that does nothing hands its parent on as every other time, any other makes an invalid span.
pub(super) struct SuppressedParent {
    pub(super) context: Context,
}

impl SuppressedParent {
    pub(super) fn new() -> Self {
        let marker = SpanContext::new(
            TraceId::from(1),
            SpanId::from(1),
            TraceFlags::NOT_SAMPLED,
            false,
            TraceState::NONE,
        );
        let context = Context::new().with_remote_span_context(marker).with_telemetry_suppressed();
        Self { context }
    }

    pub(super) fn is_handed_on(&self, made: &SpanContext) -> bool {
        same_span(made, self.context.span().span_context())
    }
}

/// Whether telemetry is on at all is asked of the tracer each time: a provider that is installed
/// later is honoured.
#[cfg(feature = "testing")]
mod capture {
    use std::sync::OnceLock;

    use opentelemetry_sdk::trace::SdkTracer;

    type CaptureTracer = fn() -> Option<SdkTracer>;

    static TRACER: OnceLock<CaptureTracer> = OnceLock::new();

    /// Asks `tracer` before the global provider from now on.
    pub(crate) fn set_capture_tracer(tracer: CaptureTracer) {
        // Set once per process; a second caller brings the same function.
        let _ = TRACER.set(tracer);
    }

    pub(super) fn tracer() -> Option<SdkTracer> {
        TRACER.get().and_then(|tracer| tracer())
    }
}

#[cfg(feature = "testing")]
pub(crate) use capture::set_capture_tracer;
