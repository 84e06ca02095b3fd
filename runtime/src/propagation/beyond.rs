//! What came with a trace and OpenTelemetry's span context can't hold, or loses: it is kept in the
//! context beside the span, and counts for as long as the trace is the same.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceId, TraceState};

use super::traceparent::RANDOM;

/// The trace's id was made at random, which the SDK forgets where it drops a span.
#[derive(Debug)]
struct RandomFlag(TraceId);

/// The trace's whole `tracestate`, where some of its keys are refused by OpenTelemetry.
#[derive(Debug)]
struct List {
    trace: TraceId,
    list: String,
}

/// `context`, remembering the random flag of the span in it; as it was where there is none.
pub(super) fn with_random_flag(context: Context) -> Context {
    let span = context.span().span_context().clone();
    if is_random(&span) { context.with_value(RandomFlag(span.trace_id())) } else { context }
}

/// `own`, remembering the random flag of its trace where the span in it has lost that which its parent
/// had; `None` where nothing is lost.
#[inline(never)]
pub(crate) fn keep_random_flag(own: &Context, parent: &Context) -> Option<Context> {
    let (own_span, parent) = (own.span(), parent.span());
    let (span, parent) = (own_span.span_context(), parent.span_context());
    let is_lost = is_random(parent) && !is_random(span) && span.trace_id() == parent.trace_id();
    is_lost.then(|| own.with_value(RandomFlag(span.trace_id())))
}

fn is_random(span: &SpanContext) -> bool {
    span.trace_flags() & RANDOM == RANDOM
}

pub(super) fn with_list(context: &Context, list: String) -> Context {
    let trace = context.span().span_context().trace_id();
    context.with_value(List { trace, list })
}

/// The flags that are sent for `span`, which is the one in `context`.
pub(super) fn flags(context: &Context, span: &SpanContext) -> TraceFlags {
    let is_remembered = context.get::<RandomFlag>().is_some_and(|flag| flag.0 == span.trace_id());
    if is_remembered { span.trace_flags() | RANDOM } else { span.trace_flags() }
}

/// The whole `tracestate` that came with the trace of `span`.
pub(super) fn list<'c>(context: &'c Context, span: &SpanContext) -> Option<&'c str> {
    let list = context.get::<List>().filter(|list| list.trace == span.trace_id())?;
    Some(&list.list)
}

/// The same context with another state.
pub(crate) fn with_state(origin: &SpanContext, state: TraceState) -> SpanContext {
    let (trace, span) = (origin.trace_id(), origin.span_id());
    SpanContext::new(trace, span, origin.trace_flags(), origin.is_remote(), state)
}
