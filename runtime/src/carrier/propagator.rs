//! Which propagator carries a context: the application's, or our own where it has set none.

use std::borrow::Cow;

use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::{Context, global};

use super::notes::{self, Notes};
use super::reader::{Headers, NAMES, place_of};
use super::{HeaderReader, Message, MessageMut, Reading, TraceContext};
use crate::propagation::{self, BAGGAGE, TRACEPARENT, TRACESTATE};

/// Reads the context that a message carries, and its headers named in `capture`.
pub(crate) fn read<'m, M: Message + ?Sized>(message: &'m M, capture: &'m [&'m str]) -> Reading {
    global::get_text_map_propagator(|propagator| {
        let mut reader = if carries_nothing(propagator) {
            HeaderReader::of_known(capture)
        } else {
            HeaderReader::of_all(capture)
        };
        message.headers(&mut reader);
        let (carried, captured) = reader.finish();
        let captured = captured.into_attributes();
        let headers = match carried {
            Ok(context) => {
                let context = context.clone();
                return Reading { context, unreadable: false, not_carried: false, captured };
            }
            Err(headers) => headers,
        };
        let context = match &headers {
            Headers::Known(_) => extract(&headers),
            // From an empty context: `extract` would begin with the current one and so take the
            // poll loop's span for the sender of a message without headers.
            Headers::All(all) => propagator.extract_with_context(&Context::new(), all),
        };
        let context = TraceContext::from_context(context).with_notes(Notes::read(&headers));
        let (mut unreadable, mut not_carried) = (false, false);
        if !context.names_a_span() {
            let mut names = names_of_origins(propagator).peekable();
            not_carried = names.peek().is_none();
            unreadable = names.any(|name| headers.has(name));
        }
        Reading { context, unreadable, not_carried, captured }
    })
}

fn extract(headers: &Headers<'_>) -> Context {
    let mut context = Context::new();
    if let Some(traceparent) = headers.value(TRACEPARENT) {
        let tracestate = || headers.value(TRACESTATE).map(Cow::Borrowed);
        context = propagation::extract_trace(&context, traceparent, tracestate);
    }
    match headers.value(BAGGAGE) {
        Some(list) => propagation::extract_baggage(&context, list),
        None => context,
    }
}

/// The headers by which contexts are carried, and whether the application has set a propagator.
pub(crate) fn carried() -> (Vec<String>, bool) {
    global::get_text_map_propagator(|propagator| {
        let fields = fields(propagator).map(str::to_owned).collect();
        (fields, !carries_nothing(propagator))
    })
}

/// Those headers of a propagator that name a span.
fn names_of_origins(propagator: &dyn TextMapPropagator) -> impl Iterator<Item = &str> {
    fields(propagator).filter(|field| names_an_origin(field))
}

/// Whether a header of that name is to say who sent the message.
pub(crate) fn names_an_origin(field: &str) -> bool {
    !matches!(field, BAGGAGE | TRACESTATE)
}

/// Writes `context` into a message in place of whatever context it carries.
pub(crate) fn write<M: MessageMut + ?Sized>(context: &TraceContext, message: &mut M) {
    if message.set_context(context) {
        return;
    }
    global::get_text_map_propagator(|propagator| {
        let mut outgoing = Outgoing::default();
        if carries_nothing(propagator) {
            propagation::inject(context.as_context(), &mut outgoing);
        } else {
            propagator.inject_context(context.as_context(), &mut outgoing);
        }
        context.notes().write(&mut outgoing);
        let is_field =
            |name: &str| fields(propagator).any(|field| field.eq_ignore_ascii_case(name));
        outgoing.replace_in(message, fields(propagator).chain(notes::NAMES), is_field);
    });
}

/// Writes `notes` into a message whose context, `carried`, stays.
pub(crate) fn note<M: MessageMut + ?Sized>(notes: Notes, carried: &TraceContext, message: &mut M) {
    let whole = carried.clone().with_notes(notes);
    if message.set_context(&whole) {
        return;
    }
    let mut outgoing = Outgoing::default();
    whole.notes().write(&mut outgoing);
    outgoing.replace_in(message, notes::NAMES.into_iter(), |_| false);
}

/// The headers of the application's propagator, or ours where it has set none.
fn fields(propagator: &dyn TextMapPropagator) -> impl Iterator<Item = &str> {
    let ours: &[&str] =
        if carries_nothing(propagator) { &[TRACEPARENT, TRACESTATE, BAGGAGE] } else { &[] };
    propagator.fields().chain(ours.iter().copied())
}

/// Whether the application has set no propagator.
///
/// OpenTelemetry's no-op propagator is told by its empty list. It must never be asked: it answers
/// with the current context.
fn carries_nothing(propagator: &dyn TextMapPropagator) -> bool {
    propagator.fields().next().is_none()
}

/// The headers that are to be written, none of them empty.
#[derive(Default)]
struct Outgoing {
    /// In the order of [`NAMES`].
    known: [Option<String>; NAMES.len()],
    /// Of an application's propagator, their names in lower case.
    others: Vec<(String, String)>,
}

impl Injector for Outgoing {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return;
        }
        match place_of(key) {
            Some(place) => self.known[place] = Some(value),
            None => self.others.push((key.to_ascii_lowercase(), value)),
        }
    }
}

impl Outgoing {
    /// Writes them in place of all `replaced`, as far as the message takes them.
    fn replace_in<'f, M: MessageMut + ?Sized>(
        self,
        message: &mut M,
        replaced: impl Iterator<Item = &'f str>,
        is_field: impl Fn(&str) -> bool,
    ) {
        // First, to make room: and a new `traceparent` beside an old `tracestate` would be a context
        // nobody sent.
        for name in replaced {
            message.remove_header(&lower_case(name));
        }
        let known = NAMES.iter().zip(&self.known);
        let mut known = known.filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        // What a propagator writes beside its fields, as Jaeger's does, is baggage.
        let (naming_the_span, baggage): (Vec<_>, Vec<_>) = self
            .others
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .partition(|(name, _)| is_field(name));
        let traceparent = self.known[0].as_deref().map(|value| (TRACEPARENT, value));
        let naming_the_span = traceparent.into_iter().chain(naming_the_span);
        if traceparent.is_some() {
            known.next();
        }
        for (name, value) in naming_the_span.clone() {
            if !message.can_set_header(name, value) {
                // A part of what names a span names none.
                naming_the_span.for_each(|(name, _)| message.remove_header(name));
                return;
            }
            message.set_header(name, value);
        }
        for (name, value) in known.chain(baggage) {
            if message.can_set_header(name, value) {
                message.set_header(name, value);
            }
        }
    }
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}
