//! The span made with OpenTelemetry's own API: where no bridge listens to `tracing`.

use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState,
    Tracer,
};
use opentelemetry::{Context, global};

use super::ways::{self, Way};
use super::{ActiveSpan, Draft};
use crate::propagation::keep_random_flag;
use crate::relation::same_span;
use crate::semconv;

/// A span that the API made, or what passes through where it made none.
pub(super) struct Made {
    pub(super) own: Option<Context>,
    pub(super) attach: Option<Context>,
    pub(super) way: Way,
}

/// Makes the span of `draft`.
pub(super) fn start(mut draft: Draft<'_>, active: &mut ActiveSpan) {
    let mut attributes = std::mem::take(&mut draft.attributes);
    attributes.extend(draft.take_field_attributes());
    let builder = SpanBuilder {
        span_kind: Some(draft.kind),
        name: draft.name,
        attributes: Some(attributes),
        links: Some(draft.links),
        ..SpanBuilder::default()
    };
    let made = build(builder, draft.parent);
    ways::note(made.way, made.own.as_ref());
    active.attach = made.attach;
    active.change(|inside| {
        inside.own = made.own;
        inside.ends_here = true;
    });
}

pub(super) fn build(builder: SpanBuilder, parent: Context) -> Made {
    #[cfg(feature = "testing")]
    if let Some(tracer) = capture::tracer() {
        return placed(tracer.build_with_context(builder, &parent), parent);
    }
    let tracer = global::tracer_with_scope(semconv::scope());
    placed(tracer.build_with_context(builder, &parent), parent)
}

/// A tracer that does nothing answers with the parent's span or with none: then there is no span
/// and the context passes through.
fn placed<S: Span + Send + Sync + 'static>(span: S, parent: Context) -> Made {
    let made = span.span_context();
    if !made.is_valid() || same_span(made, parent.span().span_context()) {
        return Made { own: None, attach: Some(parent), way: Way::WithoutProvider };
    }
    let own = parent.with_span(span);
    let own = keep_random_flag(&own, &parent).unwrap_or(own);
    Made { own: Some(own.clone()), attach: Some(own), way: Way::Api }
}

/// Whether a provider is installed that makes spans, as far as it can be told without making one.
pub(crate) fn a_provider_is_installed() -> bool {
    let parent = SuppressedParent::new();
    let tracer = global::tracer_with_scope(semconv::scope());
    let span =
        tracer.build_with_context(SpanBuilder::from_name("throughline probe"), &parent.context);
    !parent.is_handed_on(span.span_context())
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
