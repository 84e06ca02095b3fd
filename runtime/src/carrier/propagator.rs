//! Which propagator carries a context: the application's, or our own where it has set none.

use std::borrow::Cow;
use std::iter;

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
                return Reading { context: context.clone(), unreadable: false, captured };
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
        let unreadable = !context.names_a_span() && names_an_origin(&headers, propagator);
        Reading { context, unreadable, captured }
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

/// Whether a header is there that is to name the sender.
fn names_an_origin(headers: &Headers<'_>, propagator: &dyn TextMapPropagator) -> bool {
    match headers {
        Headers::Known(_) => headers.has(TRACEPARENT),
        Headers::All(_) => {
            let mut fields = propagator.fields();
            fields.any(|field| !matches!(field, BAGGAGE | TRACESTATE) && headers.has(field))
    global::get_text_map_propagator(|propagator| match application_fields(propagator) {
        None => read_headers(
            message,
            HeaderReader::new(Wanted::W3c, capture),
            w3c::extract,
            iter::once("traceparent"),
        ),
        Some(fields) => read_headers(
            message,
            HeaderReader::new(Wanted::All, capture),
            // From an empty context: `extract` would begin with the current one and so take the
            // poll loop's span for the sender of a message without headers.
            |headers| propagator.extract_with_context(&Context::new(), headers),
            naming_a_span(&fields),
        ),
    })
}

fn read_headers<'m, 'f, M: Message + ?Sized>(
    message: &'m M,
    mut reader: HeaderReader<'m>,
    extract: impl FnOnce(&Headers<'m>) -> Context,
    naming_a_span: impl Iterator<Item = &'f str>,
) -> Reading {
    message.headers(&mut reader);
    let (carried, captured) = reader.finish();
    let captured = captured.into_attributes();
    match carried {
        Ok(context) => {
            Reading { context: context.clone(), unreadable: false, not_carried: false, captured }
        }
        Err(headers) => {
            let context = TraceContext::from_context(extract(&headers));
            let context = context.with_notes(Notes::read(&headers));
            let (mut unreadable, mut not_carried) = (false, false);
            if !context.names_a_span() {
                let mut naming_a_span = naming_a_span.peekable();
                not_carried = naming_a_span.peek().is_none();
                unreadable = naming_a_span.any(|name| headers.has(name));
            }
            Reading { context, unreadable, not_carried, captured }
        }
    }
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
            context.notes().write(&mut writer);
            writer.remove_what_was_not_written([TRACEPARENT, TRACESTATE, BAGGAGE].into_iter());
        } else {
            propagator.inject_context(context.as_context(), &mut writer);
            context.notes().write(&mut writer);
            writer.remove_what_was_not_written(propagator.fields());
        }
        writer.remove_what_was_not_written(notes::NAMES.into_iter());
        context.notes().write(&mut writer);
        let mut fields = fields.unwrap_or_else(our_fields);
        fields.extend(notes::NAMES.map(str::to_owned));
        writer.remove_what_was_not_written(&fields);
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
fn application_fields(propagator: &dyn TextMapPropagator) -> Option<Vec<String>> {
    let fields: Vec<String> = propagator.fields().map(str::to_owned).collect();
    (!fields.is_empty()).then_some(fields)
}

/// Those of a propagator's headers that name a span.
pub(crate) fn naming_a_span(fields: &[String]) -> impl Iterator<Item = &str> {
    fields.iter().map(String::as_str).filter(|field| !matches!(*field, "baggage" | "tracestate"))
}

/// The headers by which contexts are carried, and whether the application has set a propagator.
pub(crate) fn carried() -> (Vec<String>, bool) {
    let fields = global::get_text_map_propagator(|propagator| application_fields(propagator));
    let is_set = fields.is_some();
    (fields.unwrap_or_else(our_fields), is_set)
}

fn our_fields() -> Vec<String> {
    w3c::FIELDS.map(str::to_owned).to_vec()
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
