//! The context that is active here, in either world.

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
#[cfg(feature = "tracing")]
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::{SpanId, TraceContextExt};

use super::inside::Inside;
use crate::TraceContext;
use crate::carrier::copied;
#[cfg(feature = "tracing")]
use crate::relation::same_span;

/// What throughline attached where it entered a span.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attached {
    /// Invalid where it attached baggage without a span.
    span: SpanId,
    /// `tracing`'s current span at that time: one that has come since is nearer.
    within: Option<u64>,
}

impl Attached {
    #[cfg(test)]
    pub(super) const NOBODY: Self = Self { span: SpanId::INVALID, within: None };

    /// Of `context`, which is being attached here. Where there never was a subscriber nothing is nearer,
    /// until this is entered anew.
    pub(super) fn note(context: &Context) -> Self {
        Self { span: context.span().span_context().span_id(), within: current_tracing_span() }
    }
}

// Here rather than beside the rest of `TraceContext`: reading a carrier needs to know nothing of
// spans.
impl TraceContext {
    /// The context that is active here, OpenTelemetry's or that of `tracing`'s current span; also
    /// when that span is filtered out.
    ///
    /// ```
    /// assert!(throughline::TraceContext::current().is_empty());
    /// ```
    pub fn current() -> Self {
        Self::detached(&current_context())
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
    if !a_subscriber_was_set() {
        return Context::current();
    }
    let current = Context::current();
    match nearer(&current) {
        None => current,
        Some(nearer) if current.baggage().is_empty() => nearer,
        // Baggage that was attached stays in force under the nearer span.
        Some(nearer) => current.with_remote_span_context(nearer.span().span_context().clone()),
    }
}

/// The context of the span that is active here, as [`current_context`] finds it, with that very
/// span in it.
pub(crate) fn current_span() -> Context {
    let current = Context::current();
    nearer(&current).unwrap_or(current)
}

/// What is left of a context where its span is not to be the parent: the baggage.
pub(crate) fn without_its_span(context: &Context) -> Context {
    if context.baggage().is_empty() {
        return Context::new();
    }
    Context::new().with_baggage(copied(context.baggage()))
}

/// The context of `tracing`'s current span, where that is nearer than OpenTelemetry's current one.
fn nearer(current: &Context) -> Option<Context> {
    if !a_subscriber_was_set() {
        return None;
    }
    let span = current.span().span_context().span_id();
    let attached = Inside::ask(|inside| inside.attached);
    let may_be_nearer = match attached.filter(|attached| attached.span == span) {
        Some(attached) => attached.within != current_tracing_span(),
        None => span == SpanId::INVALID,
    };
    may_be_nearer.then(|| nearer_in_tracing(current)).flatten()
}

#[cfg(feature = "tracing")]
#[inline]
pub(super) fn a_subscriber_was_set() -> bool {
    tracing::dispatcher::has_been_set()
}

#[cfg(not(feature = "tracing"))]
pub(super) fn a_subscriber_was_set() -> bool {
    false
}

#[cfg(feature = "tracing")]
pub(super) fn current_tracing_span() -> Option<u64> {
    tracing::dispatcher::get_default(|it| it.current_span().id().map(tracing::Id::into_u64))
}

#[cfg(feature = "tracing")]
fn nearer_in_tracing(current: &Context) -> Option<Context> {
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    let span = tracing::Span::current();
    if span.is_none() {
        return None;
    }
    let context = span.context();
    let is_nearer = {
        let span = context.span();
        let nearer = span.span_context();
        nearer.is_valid() && !same_span(nearer, current.span().span_context())
    };
    is_nearer.then_some(context)
}

#[cfg(not(feature = "tracing"))]
fn current_tracing_span() -> Option<u64> {
    None
}

#[cfg(not(feature = "tracing"))]
fn nearer_in_tracing(_: &Context) -> Option<Context> {
    None
}
