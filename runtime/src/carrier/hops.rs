//! How often a trace was continued, counted in its `tracestate`, where services that know nothing of
//! the count hand it on.

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceState};

use crate::propagation::with_state;

/// Our key in `tracestate`, and the form of its value. Under semver.
const KEY: &str = "throughline";
const PREFIX: &str = "hops:";

/// The count that a context carries, if one was started.
#[inline]
pub(crate) fn count(context: &SpanContext) -> Option<u32> {
    if *context.trace_state() == TraceState::NONE {
        return None;
    }
    counted_in(context.trace_state())
}

#[cold]
fn counted_in(state: &TraceState) -> Option<u32> {
    state.get(KEY)?.strip_prefix(PREFIX)?.parse().ok()
}

/// The context to continue, with the count that its trace goes on with, if there is one.
#[inline]
pub(crate) fn continued(context: Context, count: Option<u32>) -> Context {
    match count {
        None => context,
        Some(count) => with_count(&context, count),
    }
}

#[cold]
fn with_count(context: &Context, count: u32) -> Context {
    context.with_remote_span_context(counted(context.span().span_context(), count))
}

/// The same context with another count.
fn counted(context: &SpanContext, count: u32) -> SpanContext {
    let state = context.trace_state();
    // A list that is full, or else not as it should be, is handed on as it is.
    let state = state.insert(KEY, format!("{PREFIX}{count}")).unwrap_or_else(|_| state.clone());
    with_state(context, state)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId};

    use super::*;

    fn context(state: &str) -> SpanContext {
        let state: TraceState = state.parse().expect("a trace state");
        SpanContext::new(TraceId::from(1), SpanId::from(1), TraceFlags::SAMPLED, true, state)
    }

    #[test]
    fn a_count_is_read_as_it_was_written_and_other_entries_stay() {
        let counted = counted(&context("vendor=x"), 7);
        assert_eq!(count(&counted), Some(7));
        assert_eq!(counted.trace_state().header(), "throughline=hops:7,vendor=x");
        assert_eq!(
            super::counted(&counted, 8).trace_state().header(),
            "throughline=hops:8,vendor=x"
        );
    }

    #[test]
    fn what_is_no_count_is_none() {
        for state in ["", "vendor=x", "throughline=7", "throughline=hops:", "throughline=hops:-1"] {
            assert_eq!(count(&context(state)), None, "{state}");
        }
        assert_eq!(count(&context("throughline=hops:99999999999")), None);
    }
}
