//! Which propagator carries a context: the application's, or our own where it has set none.

use std::borrow::Cow;

use opentelemetry::propagation::{Injector, TextMapPropagator};
use opentelemetry::{Context, global};

use super::notes::{self, Notes};
use super::reader::{AllHeaders, Headers, Known};
use super::{HeaderReader, Message, MessageMut, Reading, TraceContext};
use crate::propagation::{self, BAGGAGE, TRACEPARENT, TRACESTATE, Trace, parse_baggage};

/// Whose propagator reads: found out once for all messages of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagator {
    Ours,
    Applications,
}

impl Propagator {
    pub(crate) fn current() -> Self {
        let is_ours = global::get_text_map_propagator(|propagator| carries_nothing(propagator));
        if is_ours { Self::Ours } else { Self::Applications }
    }

    /// Reads the context that a message carries, and its headers named in `capture`, into an empty reading.
    pub(crate) fn read<'m, M>(self, message: &'m M, capture: &'m [&'m str], reading: &mut Reading)
    where
        M: Message + ?Sized,
    {
        let mut reader = HeaderReader::new(self, capture);
        message.headers(&mut reader);
        finish(&mut reader, reading);
    }
}

fn finish(reader: &mut HeaderReader<'_>, reading: &mut Reading) {
    if let Some(captured) = reader.take_captured() {
        reading.set_captured(captured);
    }
    if let Some(context) = reader.whole_context() {
        reading.set_context(context.as_context().clone());
        reading.notes = context.notes().clone();
        return;
    }
    match reader.headers() {
        Headers::Known(headers) => {
            reading.notes.read(|known| headers.text(known));
            if let Some(traceparent) = headers.bytes(Known::Traceparent) {
                let tracestate = || headers.text(Known::Tracestate).map(Cow::Borrowed);
                match Trace::parse(traceparent, tracestate) {
                    Some(trace) => reading.set_trace(trace),
                    None => reading.unreadable = true,
                }
            } else {
                reading.unreadable = headers.has(Known::Traceparent);
            }
            if let Some(baggage) = headers.text(Known::Baggage).and_then(parse_baggage) {
                reading.set_baggage(baggage);
            }
        }
        Headers::All { headers, may_have_notes } => {
            if may_have_notes {
                reading.notes.read(|known| headers.value(known.name()));
            }
            read_by_the_application(&headers, reading);
        }
    }
}

fn read_by_the_application(headers: &AllHeaders<'_>, reading: &mut Reading) {
    global::get_text_map_propagator(|propagator| {
        if carries_nothing(propagator) {
            return; // it has been taken away since
        }
        // From an empty context: `extract` would begin with the current one and so take the
        // poll loop's span for the sender of a message without headers.
        reading.set_context(propagator.extract_with_context(&Context::new(), headers));
        if !reading.origin().is_valid() {
            let mut names = names_of_origins(propagator).peekable();
            reading.not_carried = names.peek().is_none();
            reading.unreadable = names.any(|name| headers.has(name));
        }
    });
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
    /// Each at the place of its name.
    known: [Option<String>; Known::ALL.len()],
    /// Of an application's propagator, their names in lower case.
    others: Vec<(String, String)>,
}

impl Injector for Outgoing {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return;
        }
        match Known::of(key) {
            Some((known, _)) => self.known[known as usize] = Some(value),
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
        let known = Known::ALL.iter().zip(&self.known);
        let mut known = known.filter_map(|(known, value)| Some((known.name(), value.as_deref()?)));
        // What a propagator writes beside its fields, as Jaeger's does, is baggage.
        let (naming_the_span, baggage): (Vec<_>, Vec<_>) = self
            .others
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .partition(|(name, _)| is_field(name));
        let traceparent =
            self.known[Known::Traceparent as usize].as_deref().map(|value| (TRACEPARENT, value));
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
