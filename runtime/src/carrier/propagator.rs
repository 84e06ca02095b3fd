//! Which propagator carries a context: the application's, or our own where it has set none.

use std::borrow::Cow;

use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::{Context, global};

use super::notes::{self, Notes};
use super::reader::{Headers, place_of};
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

/// The headers of the application's propagator, or ours where it has set none.
fn fields(propagator: &dyn TextMapPropagator) -> impl Iterator<Item = &str> {
    let ours: &[&str] =
        if carries_nothing(propagator) { &[TRACEPARENT, TRACESTATE, BAGGAGE] } else { &[] };
    propagator.fields().chain(ours.iter().copied())
}

/// Writes `context` into a message in place of whatever context it carries.
pub(crate) fn write<M: MessageMut + ?Sized>(context: &TraceContext, message: &mut M) {
    if message.set_context(context) {
        return;
    }
    global::get_text_map_propagator(|propagator| {
        let mut writer = Writer::new(message);
        if carries_nothing(propagator) {
            propagation::inject(context.as_context(), &mut writer);
        } else {
            propagator.inject_context(context.as_context(), &mut writer);
        }
        context.notes().write(&mut writer);
        writer.remove_what_was_not_written(fields(propagator).chain(notes::NAMES));
    });
}

/// Writes `notes` into a message whose context, `carried`, stays.
pub(crate) fn note<M: MessageMut + ?Sized>(notes: Notes, carried: &TraceContext, message: &mut M) {
    let whole = carried.clone().with_notes(notes);
    if message.set_context(&whole) {
        return;
    }
    let mut writer = Writer::new(message);
    whole.notes().write(&mut writer);
    writer.remove_what_was_not_written(notes::NAMES.into_iter());
}

/// Whether the application has set no propagator.
///
/// OpenTelemetry's no-op propagator is told by its empty list. It must never be asked: it answers
/// with the current context.
fn carries_nothing(propagator: &dyn TextMapPropagator) -> bool {
    propagator.fields().next().is_none()
}

/// An [`Injector`] that never writes an empty value and remembers what it wrote.
struct Writer<'w, M: ?Sized> {
    message: &'w mut M,
    /// Those that have a place, each by a bit, and the names of others.
    known: u8,
    others: Vec<String>,
}

impl<M: MessageMut + ?Sized> Injector for Writer<'_, M> {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return;
        }
        let name = lower_case(key);
        self.message.set_header(&name, &value);
        match place_of(key) {
            Some(place) => self.known |= 1 << place,
            None => self.others.push(name.into_owned()),
        }
    }
}

impl<'w, M: MessageMut + ?Sized> Writer<'w, M> {
    fn new(message: &'w mut M) -> Self {
        Self { message, known: 0, others: Vec::new() }
    }

    /// A new `traceparent` beside an old `tracestate` would be a context nobody sent.
    fn remove_what_was_not_written<'f>(&mut self, fields: impl Iterator<Item = &'f str>) {
        for field in fields {
            if !self.has_written(field) {
                self.message.remove_header(&lower_case(field));
            }
        }
    }

    fn has_written(&self, field: &str) -> bool {
        match place_of(field) {
            Some(place) => self.known & (1 << place) != 0,
            None => self.others.iter().any(|name| name.eq_ignore_ascii_case(field)),
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
