//! The context that is active here, in either world.

use std::cell::Cell;

#[cfg(feature = "tracing")]
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::{SpanId, TraceContextExt};
use opentelemetry::{Context, ContextGuard};

thread_local! {
    /// The span of the context that throughline attached last, if it still is the innermost one.
    static ATTACHED: Cell<SpanId> = const { Cell::new(SpanId::INVALID) };
}

/// Makes `context` the current one and remembers that it was us.
pub(super) fn attach(context: &Context) -> (ContextGuard, AttachedGuard) {
    let before = ATTACHED.replace(context.span().span_context().span_id());
    (context.clone().attach(), AttachedGuard { before })
}

pub(super) struct AttachedGuard {
    before: SpanId,
}

impl Drop for AttachedGuard {
    fn drop(&mut self) {
        ATTACHED.set(self.before);
    }
}

/// The span that OpenTelemetry holds for current.
#[cfg(feature = "tracing")]
pub(super) fn current_span_context() -> SpanContext {
    Context::map_current(|current| current.span().span_context().clone())
}

/// The context that is active here.
///
/// OpenTelemetry's, unless the bridge runs without context activation: then entering a `tracing`
/// span changes nothing there, and `tracing`'s current span is nearer than what we attached.
/// `tracing`'s alone would not do either: for a span that is filtered out it has no context.
pub(crate) fn current_context() -> Context {
    let current = Context::current();
    #[cfg(feature = "tracing")]
    {
        let span_id = current.span().span_context().span_id();
        if span_id == SpanId::INVALID || span_id == ATTACHED.get() {
            return nearer_in_tracing(&current).unwrap_or(current);
        }
    }
    current
}

#[cfg(feature = "tracing")]
fn nearer_in_tracing(current: &Context) -> Option<Context> {
    use opentelemetry::baggage::BaggageExt;
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let span = tracing::Span::current();
    if span.is_none() {
        return None;
    }
    let context = span.context();
    let nearer = context.span().span_context().clone();
    if !nearer.is_valid() || super::same_span(&nearer, current.span().span_context()) {
        return None;
    }
    // Baggage that was attached stays in force under the nearer span.
    Some(if current.baggage().is_empty() {
        context
    } else {
        current.with_remote_span_context(nearer)
    })
}
