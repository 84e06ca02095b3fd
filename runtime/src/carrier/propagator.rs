//! Which propagator carries a context: the application's, or our own where it has set none.

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
            |headers| headers.has("traceparent"),
        ),
        Some(fields) => read_headers(
            message,
            HeaderReader::new(Wanted::All, capture),
            // From an empty context: `extract` would begin with the current one and so take the
            // poll loop's span for the sender of a message without headers.
            |headers| propagator.extract_with_context(&Context::new(), headers),
            |headers| fields.iter().any(|field| names_a_span(field) && headers.has(field)),
        ),
    })
}

fn read_headers<'m, M: Message + ?Sized>(
    message: &'m M,
    mut reader: HeaderReader<'m>,
    extract: impl FnOnce(&Headers<'m>) -> Context,
    names_an_origin: impl FnOnce(&Headers<'m>) -> bool,
) -> Reading {
    message.headers(&mut reader);
    let (carried, captured) = reader.finish();
    let captured = captured.into_attributes();
    match carried {
        Ok(context) => Reading { context: context.clone(), unreadable: false, captured },
        Err(headers) => {
            let context = TraceContext::from_context(extract(&headers));
            let context = context.with_notes(Notes::read(&headers));
            let unreadable = !context.names_a_span() && names_an_origin(&headers);
            Reading { context, unreadable, captured }
        }
    }
}

/// Writes `context` into a message in place of whatever context it carries.
pub(crate) fn write<M: MessageMut + ?Sized>(context: &TraceContext, message: &mut M) {
    if message.set_context(context) {
        return;
    }
    global::get_text_map_propagator(|propagator| {
        let mut outgoing = Outgoing::default();
        let fields = application_fields(propagator);
        match &fields {
            None => w3c::inject(context.as_context(), &mut outgoing),
            Some(_) => propagator.inject_context(context.as_context(), &mut outgoing),
        }
        context.notes().write(&mut outgoing);
        let mut fields = fields.unwrap_or_else(|| w3c::FIELDS.map(str::to_owned).to_vec());
        fields.extend(notes::NAMES.map(str::to_owned));
        outgoing.replace_in(message, &fields);
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
    outgoing.replace_in(message, &notes::NAMES.map(str::to_owned));
}

/// The headers of the application's propagator; none where it has set none.
///
/// OpenTelemetry's no-op propagator is told by its empty list. It must never be asked: it answers
/// with the current context.
fn application_fields(propagator: &dyn TextMapPropagator) -> Option<Vec<String>> {
    let fields: Vec<String> = propagator.fields().map(str::to_owned).collect();
    (!fields.is_empty()).then_some(fields)
}

fn names_a_span(field: &str) -> bool {
    !matches!(field, "baggage" | "tracestate")
}

/// What goes beside the headers that name a span, in the order of its worth: where a message has no
/// room for all, the last have none.
const BESIDE_THE_SPAN: [&str; 5] =
    [notes::BREAK, notes::ATTEMPT, w3c::TRACESTATE, w3c::BAGGAGE, notes::SENT];

/// The headers that are to be written, their names in lower case, none of them empty.
#[derive(Default)]
struct Outgoing(Vec<(String, String)>);

impl Injector for Outgoing {
    fn set(&mut self, key: &str, value: String) {
        if !value.is_empty() {
            self.0.push((key.to_ascii_lowercase(), value));
        }
    }
}

impl Outgoing {
    /// Writes them in place of all `fields`, as far as the message takes them.
    fn replace_in<M: MessageMut + ?Sized>(mut self, message: &mut M, fields: &[String]) {
        // First, to make room: and a new `traceparent` beside an old `tracestate` would be a context
        // nobody sent.
        for field in fields {
            message.remove_header(&field.to_ascii_lowercase());
        }
        self.0.sort_by_key(|(name, _)| place(name, fields));
        for (at, (name, value)) in self.0.iter().enumerate() {
            if message.can_set_header(name, value) {
                message.set_header(name, value);
            } else if place(name, fields) == 0 {
                // A part of what names a span names none.
                self.0[..at].iter().for_each(|(name, _)| message.remove_header(name));
                return;
            }
        }
    }
}

/// When a header is written: 0 for what names the span. A propagator tells its `fields`; what it
/// writes besides, as Jaeger's does, is baggage.
fn place(name: &str, fields: &[String]) -> usize {
    let place_of = |name| BESIDE_THE_SPAN.iter().position(|beside| *beside == name);
    let is_field = fields.iter().any(|field| field.eq_ignore_ascii_case(name));
    let beside = place_of(name).or_else(|| if is_field { None } else { place_of(w3c::BAGGAGE) });
    beside.map_or(0, |place| place + 1)
}
