//! W3C Trace Context and Baggage, for applications that have set no propagator.
//!
//! Sources: <https://www.w3.org/TR/trace-context-2/>, <https://www.w3.org/TR/baggage/>.

use std::borrow::Cow;

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::propagation::Injector;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

use super::reader::Headers;

const TRACEPARENT: &str = "traceparent";
pub(super) const TRACESTATE: &str = "tracestate";
pub(super) const BAGGAGE: &str = "baggage";

pub(super) const FIELDS: [&str; 3] = [TRACEPARENT, TRACESTATE, BAGGAGE];

/// The flags that level 2 of the document defines: sampled and random.
const KNOWN_FLAGS: u8 = 0b11;

pub(super) fn extract(headers: &Headers<'_>) -> Context {
    let mut context = Context::new();
    if let Some(traceparent) = headers.value(TRACEPARENT) {
        // A `tracestate` that can't be read costs the state, not the context (section 4.3).
        let state = headers.value(TRACESTATE).and_then(|value| value.parse().ok());
        if let Some(origin) = parse(traceparent, state.unwrap_or_default()) {
            context = context.with_remote_span_context(origin);
        }
    }
    if let Some(baggage) = headers.value(BAGGAGE).map(parse_baggage) {
        if !baggage.is_empty() {
            context = context.with_baggage(baggage);
        }
    }
    context
}

pub(super) fn inject(context: &Context, injector: &mut dyn Injector) {
    let span = context.span();
    if let Some(traceparent) = traceparent(span.span_context()) {
        injector.set(TRACEPARENT, traceparent);
        injector.set(TRACESTATE, span.span_context().trace_state().header());
    }
    let baggage = context.baggage();
    if !baggage.is_empty() {
        injector.set(BAGGAGE, baggage.to_string());
    }
}

/// The context as version 00 of `traceparent`.
pub(crate) fn traceparent(context: &SpanContext) -> Option<String> {
    context.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.trace_flags().to_u8() & KNOWN_FLAGS
        )
    })
}

/// The context of a `traceparent` alone.
pub(super) fn parse_traceparent(value: &str) -> Option<SpanContext> {
    parse(value, TraceState::NONE)
}

fn parse(value: &str, state: TraceState) -> Option<SpanContext> {
    let value = value.trim_matches([' ', '\t']);
    let version = lower_hex(value.get(0..2)?)?;
    let future_tail = value.as_bytes().get(55..)?;
    let separators = [2, 35, 52].iter().all(|&at| value.as_bytes()[at] == b'-');
    let version_allows_length = match version {
        0 => future_tail.is_empty(),
        0xff => false,
        _ => future_tail.is_empty() || future_tail[0] == b'-',
    };
    if !separators || !version_allows_length {
        return None;
    }
    let trace_id = TraceId::from(lower_hex(value.get(3..35)?)?);
    let span_id = SpanId::from(u64::try_from(lower_hex(value.get(36..52)?)?).ok()?);
    let flags = u8::try_from(lower_hex(value.get(53..55)?)?).ok()? & KNOWN_FLAGS;
    let context = SpanContext::new(trace_id, span_id, TraceFlags::new(flags), true, state);
    context.is_valid().then_some(context)
}

/// Digits and lower-case letters only: the document allows no upper case.
fn lower_hex(digits: &str) -> Option<u128> {
    let allowed = digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    allowed.then(|| u128::from_str_radix(digits, 16).ok()).flatten()
}

fn parse_baggage(value: &str) -> Baggage {
    let mut baggage = Baggage::new();
    for member in value.split(',') {
        let (pair, metadata) = member.split_once(';').unwrap_or((member, ""));
        let Some((key, value)) = pair.split_once('=') else { continue };
        if let Some(value) = percent_decoded(value.trim()) {
            baggage.insert_with_metadata(
                key.trim().to_owned(),
                value.into_owned(),
                metadata.trim(),
            );
        }
    }
    baggage
}

/// The text behind `%41`-like escapes; `None` where it is not UTF-8.
fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| tail.get(..2).and_then(hex_byte)).flatten();
        bytes.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` takes a sign, an escape does not.
    text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u8::from_str_radix(text, 16).ok()).flatten()
}
