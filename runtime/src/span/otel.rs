//! The span made with OpenTelemetry's own API: where no bridge listens to `tracing`.

use opentelemetry::Context;
use opentelemetry::trace::{Span, SpanBuilder, TraceContextExt, Tracer};

use super::{ActiveSpan, Draft};
use crate::propagation::keep_random_flag;
use crate::relation::same_span;
use crate::semconv;

/// A span that the API made, or what passes through where it made none.
pub(super) struct Made {
    pub(super) own: Option<Context>,
    pub(super) attach: Option<Context>,
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
    active.own = made.own;
    active.attach = made.attach;
    active.ends_here = true;
}

pub(super) fn build(builder: SpanBuilder, parent: Context) -> Made {
    #[cfg(feature = "testing")]
    if let Some(tracer) = capture::tracer() {
        return placed(tracer.build_with_context(builder, &parent), parent);
    }
    let tracer = opentelemetry::global::tracer_with_scope(semconv::scope());
    placed(tracer.build_with_context(builder, &parent), parent)
}

/// A tracer that does nothing answers with the parent's span or with none: then there is no span
/// and the context passes through.
fn placed<S: Span + Send + Sync + 'static>(span: S, parent: Context) -> Made {
    let made = span.span_context();
    if !made.is_valid() || same_span(made, parent.span().span_context()) {
        return Made { own: None, attach: Some(parent) };
    }
    let own = parent.with_span(span);
    let own = keep_random_flag(&own, &parent).unwrap_or(own);
    Made { own: Some(own.clone()), attach: Some(own) }
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
