//! Which propagator carries a context: the application's, or our own where it has set none.

use std::iter;

use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::{Context, global};

use super::notes::{self, Notes};
use super::reader::{Headers, Wanted};
use super::{HeaderReader, Message, MessageMut, Reading, TraceContext, w3c};

/// Reads the context that a message carries, and its headers named in `capture`.
pub(crate) fn read<'m, M: Message + ?Sized>(message: &'m M, capture: &'m [&'m str]) -> Reading {
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
        let mut writer = Writer { message, written: Vec::new() };
        let fields = application_fields(propagator);
        match &fields {
            None => w3c::inject(context.as_context(), &mut writer),
            Some(_) => propagator.inject_context(context.as_context(), &mut writer),
        }
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
    let mut writer = Writer { message, written: Vec::new() };
    whole.notes().write(&mut writer);
    writer.remove_what_was_not_written(&notes::NAMES.map(str::to_owned));
}

/// The headers of the application's propagator; none where it has set none.
///
/// OpenTelemetry's no-op propagator is told by its empty list. It must never be asked: it answers
/// with the current context.
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
    written: Vec<String>,
}

impl<M: MessageMut + ?Sized> Injector for Writer<'_, M> {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return;
        }
        let name = key.to_ascii_lowercase();
        self.message.set_header(&name, &value);
        self.written.push(name);
    }
}

impl<M: MessageMut + ?Sized> Writer<'_, M> {
    /// A new `traceparent` beside an old `tracestate` would be a context nobody sent.
    fn remove_what_was_not_written(self, fields: &[String]) {
        for field in fields {
            if !self.written.iter().any(|name| name.eq_ignore_ascii_case(field)) {
                self.message.remove_header(&field.to_ascii_lowercase());
            }
        }
    }
}
