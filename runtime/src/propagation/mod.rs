//! Propagators for the headers of the W3C: [Trace Context, level 2](https://www.w3.org/TR/trace-context-2/)
//! and [Baggage](https://www.w3.org/TR/baggage/), as the two documents say.
//!
//! throughline uses them where the application has set no propagator. Make [`W3c`] the global one, so that
//! everything else in the process carries the same context by the same rules:
//!
//! ```
//! throughline::propagation::set_global();
//! ```
//!
//! They differ from the SDK's own `TraceContextPropagator` and `BaggagePropagator` in this:
//!
//! - The random flag is carried, also through a span that is not sampled and for which the SDK clears it.
//! - A `traceparent` whose fields are too long or too short is refused, and so is one that is there twice
//!   with two values.
//! - Every key of `tracestate` that the document allows is carried, also those that OpenTelemetry's
//!   `TraceState` refuses: they stay in the context beside it, and are sent on in their place.
//! - A `tracestate` that is not valid in every part is discarded as a whole: more than 32 members, an empty
//!   value, a letter that is not allowed. Of a key that is there twice the first member is carried. An empty
//!   list is never sent.
//! - Headers that are there several times are read as one list.
//! - A value of `baggage` may hold equals signs; what is no UTF-8 behind its escapes is told by U+FFFD; a
//!   list that is too long is read as far as the limits go; `%` is escaped; nothing is sent that the
//!   document does not allow.

mod baggage;
mod beyond;
mod global;
pub(crate) mod traceparent;
mod tracestate;

use std::borrow::Cow;
use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};

pub(crate) use beyond::{keep_random_flag, with_state};
pub(crate) use global::is_global;
pub use global::set_global;
use traceparent::{Printed, Traceparent};

pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";
pub(crate) const BAGGAGE: &str = "baggage";

/// The headers of Trace Context and of Baggage together: what most applications want, and as the global
/// propagator best by [`set_global`].
///
/// ```
/// use std::collections::HashMap;
/// use opentelemetry::propagation::TextMapPropagator;
/// use opentelemetry::trace::TraceContextExt;
/// use throughline::propagation::W3c;
///
/// let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";
/// let headers = HashMap::from([("traceparent".to_owned(), sent.to_owned())]);
/// let context = W3c::new().extract_with_context(&opentelemetry::Context::new(), &headers);
/// assert!(context.span().span_context().is_remote());
///
/// let mut passed_on = HashMap::new();
/// W3c::new().inject_context(&context, &mut passed_on);
/// assert_eq!(passed_on, headers);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct W3c(());

/// The headers `traceparent` and `tracestate` alone: see the module's docs.
///
/// ```
/// use opentelemetry::propagation::TextMapPropagator;
/// use throughline::propagation::W3cTraceContext;
/// assert!(W3cTraceContext::new().fields().eq(["traceparent", "tracestate"]));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct W3cTraceContext(());

/// The header `baggage` alone: see the module's docs.
///
/// ```
/// use opentelemetry::propagation::TextMapPropagator;
/// use throughline::propagation::W3cBaggage;
/// assert!(W3cBaggage::new().fields().eq(["baggage"]));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct W3cBaggage(());

macro_rules! new {
    ($($propagator:ident),+) => {$(
        impl $propagator {
            /// There is nothing to choose.
            pub const fn new() -> Self {
                Self(())
            }
        }
    )+};
}

new!(W3c, W3cTraceContext, W3cBaggage);

/// Their headers, in the order in which [`W3c`] writes them.
static FIELDS: LazyLock<[String; 3]> =
    LazyLock::new(|| [TRACEPARENT, TRACESTATE, BAGGAGE].map(str::to_owned));

impl TextMapPropagator for W3cTraceContext {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        inject_trace(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let Some(traceparent) = only_value(extractor, TRACEPARENT) else { return context.clone() };
        let tracestate = || joined_values(extractor, TRACESTATE);
        match Trace::parse(traceparent.as_bytes(), tracestate) {
            // Whoever makes the span below it may not know of the flag.
            Some(trace) => beyond::with_random_flag(with_trace(context, trace.into_parts())),
            None => context.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&FIELDS[..2])
    }
}

impl TextMapPropagator for W3cBaggage {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        inject_baggage(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        match joined_values(extractor, BAGGAGE).and_then(|list| parse_baggage(&list)) {
            Some(baggage) => context.with_baggage(baggage),
            None => context.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&FIELDS[2..])
    }
}

impl TextMapPropagator for W3c {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        inject(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let context = W3cTraceContext::new().extract_with_context(context, extractor);
        W3cBaggage::new().extract_with_context(&context, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&FIELDS[..])
    }
}

/// What the two headers of Trace Context name.
#[derive(Debug)]
pub(crate) struct Trace {
    span: Traceparent,
    state: tracestate::Parsed,
}

impl Trace {
    /// `None` where they name no span. A `tracestate` without a valid `traceparent` is not looked at
    /// (Trace Context, "Tracestate Header").
    fn parse<'h>(
        traceparent: &[u8],
        tracestate: impl FnOnce() -> Option<Cow<'h, str>>,
    ) -> Option<Self> {
        let span = traceparent::parse(traceparent)?;
        Some(match tracestate() {
            Some(list) => Self::of(span, &list),
            None => Self { span, state: tracestate::Parsed::default() },
        })
    }

    /// With a `tracestate` beside it.
    pub(crate) fn of(span: Traceparent, tracestate: &str) -> Self {
        Self { span, state: tracestate::parse(tracestate) }
    }

    /// Its span; and the whole `tracestate`, if some of its members are valid and refused by
    /// OpenTelemetry.
    #[inline]
    pub(crate) fn into_parts(self) -> (SpanContext, Option<String>) {
        (self.span.with_state(self.state.held), self.state.in_full)
    }
}

/// `context` with such a span in it, and such a `tracestate` beside it.
pub(crate) fn with_trace(
    context: &Context,
    (span, state_in_full): (SpanContext, Option<String>),
) -> Context {
    let context = context.with_remote_span_context(span);
    match state_in_full {
        None => context,
        Some(in_full) => beyond::with_list(&context, in_full),
    }
}

/// What the header of Baggage holds, if it is anything.
pub(crate) fn parse_baggage(list: &str) -> Option<Baggage> {
    Some(baggage::parse(list)).filter(|baggage| !baggage.is_empty())
}

/// Writes all three headers; none of them is ever empty.
fn inject(context: &Context, injector: &mut dyn Injector) {
    inject_trace(context, injector);
    inject_baggage(context, injector);
}

/// The `traceparent` to send for a context; `None` where it names no span.
pub(crate) fn print_traceparent(context: &Context) -> Option<Printed> {
    let span = context.span();
    let span = span.span_context();
    traceparent::print_with(span, beyond::flags(context, span))
}

/// The `tracestate` to send beside that; `None` where there is nothing in it.
pub(crate) fn print_tracestate(context: &Context) -> Option<String> {
    let span = context.span();
    let span = span.span_context();
    let list = tracestate::print(span.trace_state(), beyond::list(context, span));
    (!list.is_empty()).then_some(list)
}

/// The `baggage` to send; `None` where there is nothing in it.
pub(crate) fn print_baggage(context: &Context) -> Option<String> {
    baggage::print(context.baggage())
}

fn inject_trace(context: &Context, injector: &mut dyn Injector) {
    let Some(traceparent) = print_traceparent(context) else { return };
    injector.set(TRACEPARENT, traceparent.as_str().to_owned());
    if let Some(list) = print_tracestate(context) {
        injector.set(TRACESTATE, list);
    }
}

fn inject_baggage(context: &Context, injector: &mut dyn Injector) {
    if let Some(list) = print_baggage(context) {
        injector.set(BAGGAGE, list);
    }
}

/// The value of a header that may be there once: several times only if it says the same.
fn only_value<'e>(extractor: &'e dyn Extractor, name: &str) -> Option<&'e str> {
    let first = extractor.get(name)?;
    let all = extractor.get_all(name)?;
    all.iter().all(|value| *value == first).then_some(first)
}

/// The values of a header that is a list, as one.
fn joined_values<'e>(extractor: &'e dyn Extractor, name: &str) -> Option<Cow<'e, str>> {
    let first = extractor.get(name)?;
    match extractor.get_all(name) {
        Some(all) if all.len() > 1 => Some(Cow::Owned(all.join(","))),
        _ => Some(Cow::Borrowed(first)),
    }
}
