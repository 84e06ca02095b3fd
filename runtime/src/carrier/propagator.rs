//! Which propagator carries a context: the application's, or our own where it has set none.

use std::borrow::Cow;
use std::cell::Cell;
use std::iter;

use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::TraceState;
use opentelemetry::{Context, global};

use super::notes::{self, Notes};
use super::reader::{Headers, Known, KnownHeaders};
use super::{HeaderReader, Message, MessageMut, Reading, TraceContext};
use crate::propagation::traceparent::{self, Traceparent};
use crate::propagation::{self, BAGGAGE, TRACEPARENT, TRACESTATE, Trace, parse_baggage};

/// Whose propagator reads and writes: found out once for all messages of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagator {
    Ours,
    /// The application's, which says that it looks for headers of the W3C alone.
    ApplicationsOfW3cHeaders,
    /// The application's, which may look for any.
    Applications,
}

impl Propagator {
    #[inline]
    pub(crate) fn current() -> Self {
        if propagation::is_global() {
            return Self::Ours;
        }
        global::get_text_map_propagator(|propagator| {
            if carries_nothing(propagator) {
                Self::Ours
            } else if propagator.fields().all(|field| W3C.contains(&field)) {
                Self::ApplicationsOfW3cHeaders
            } else {
                Self::Applications
            }
        })
    }

    /// Reads the context that a message carries, and its headers named in `capture`, into an empty reading.
    pub(crate) fn read<'m, M>(
        self,
        message: &'m M,
        capture: &'m [&'m str],
        reading: &mut Reading<'m>,
    ) where
        M: Message + ?Sized,
    {
        let mut reader = HeaderReader::new(self, capture);
        message.headers(&mut reader);
        if !self.finish(&mut reader, reading) {
            Self::Applications.read(message, capture, reading);
        }
    }

    /// Writes `context` into a message in place of whatever context it carries.
    pub(crate) fn write<M>(self, context: &TraceContext, message: &mut M)
    where
        M: MessageMut + ?Sized,
    {
        if message.set_context(context) {
            return;
        }
        let by_the_application = match self {
            Self::Ours => None,
            Self::ApplicationsOfW3cHeaders | Self::Applications => {
                Outgoing::of_the_application(context.as_context())
            }
        };
        match by_the_application {
            None => write_by_us(context, message),
            Some((outgoing, fields)) => outgoing.replace_in(message, &fields, context.notes()),
        }
    }

    /// Whether the reader had all that was asked for.
    fn finish<'m>(self, reader: &mut HeaderReader<'m>, reading: &mut Reading<'m>) -> bool {
        match reader.only_held() {
            Some(headers) if self == Self::Ours => {
                read_by_us(headers, reading);
                true
            }
            _ => self.finish_any(reader, reading),
        }
    }

    #[inline(never)]
    fn finish_any<'m>(self, reader: &mut HeaderReader<'m>, reading: &mut Reading<'m>) -> bool {
        if let Some(captured) = reader.take_captured() {
            reading.set_captured(captured);
        }
        if let Some(context) = reader.whole_context() {
            reading.set_whole_context(context);
            return true;
        }
        match reader.headers() {
            Headers::Known(headers) if self == Self::Ours => {
                read_by_us(headers, reading);
                true
            }
            Headers::Known(headers) => {
                read_notes(headers, reading);
                let asked = Asked::of(headers);
                let has = |name: &str| Known::of(name).is_some_and(|(known, _)| headers.has(known));
                read_by_the_application(&asked, has, reading);
                !asked.for_others.get()
            }
            Headers::All { headers, may_have_notes } => {
                if may_have_notes {
                    reading.notes.read(|known| headers.value(known.name()));
                }
                read_by_the_application(&headers, |name| headers.has(name), reading);
                true
            }
        }
    }
}

/// The headers of the W3C.
const W3C: [&str; 3] = [TRACEPARENT, TRACESTATE, BAGGAGE];

fn read_notes(headers: KnownHeaders<'_, '_>, reading: &mut Reading<'_>) {
    if headers.has_notes() {
        reading.notes.read(|known| headers.text(known));
    }
}

/// As the W3C says, and our own.
#[inline]
fn read_by_us(headers: KnownHeaders<'_, '_>, reading: &mut Reading<'_>) {
    let span = headers.bytes(Known::Traceparent).and_then(traceparent::parse);
    if headers.has_others_than(Known::Traceparent) {
        read_others(headers, span, reading);
    } else if let Some(span) = span {
        reading.set_origin(span.with_state(TraceState::NONE));
    }
    reading.unreadable = span.is_none() && headers.has(Known::Traceparent);
}

/// What may come beside a `traceparent`.
#[inline(never)]
fn read_others(
    headers: KnownHeaders<'_, '_>,
    span: Option<Traceparent>,
    reading: &mut Reading<'_>,
) {
    read_notes(headers, reading);
    match (span, headers.text(Known::Tracestate)) {
        (Some(span), None) => reading.set_origin(span.with_state(TraceState::NONE)),
        (Some(span), Some(list)) => reading.set_trace(Trace::of(span, list)),
        (None, _) => {}
    }
    if let Some(baggage) = headers.text(Known::Baggage).and_then(parse_baggage) {
        reading.set_baggage(baggage);
    }
}

fn read_by_the_application(
    headers: &dyn Extractor,
    has: impl Fn(&str) -> bool,
    reading: &mut Reading<'_>,
) {
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
            reading.unreadable = names.any(&has);
        }
    });
}

/// Known headers for a propagator that says it looks for no others. Should it do that all the same, they are
/// read once more: not while it asks, for then it is locked, and reading is the user's code.
struct Asked<'r, 'm> {
    headers: KnownHeaders<'r, 'm>,
    for_others: Cell<bool>,
}

impl<'r, 'm> Asked<'r, 'm> {
    fn of(headers: KnownHeaders<'r, 'm>) -> Self {
        Self { headers, for_others: Cell::new(false) }
    }
}

impl Extractor for Asked<'_, '_> {
    fn get(&self, key: &str) -> Option<&str> {
        let known = Known::of(key);
        if known.is_none() {
            self.for_others.set(true);
        }
        self.headers.text(known?.0)
    }

    fn keys(&self) -> Vec<&str> {
        self.for_others.set(true);
        Vec::new()
    }
}

/// Whose propagator is the global one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GlobalPropagator {
    /// None is set.
    None,
    /// As `propagation::set_global` sets it.
    Ours,
    Applications,
}

/// The headers by which contexts are carried, and whose propagator is set.
pub(crate) fn carried() -> (Vec<Cow<'static, str>>, GlobalPropagator) {
    global::get_text_map_propagator(|propagator| {
        if carries_nothing(propagator) {
            (W3C.map(Cow::Borrowed).to_vec(), GlobalPropagator::None)
        } else if propagation::is_global() {
            (names(propagator), GlobalPropagator::Ours)
        } else {
            (names(propagator), GlobalPropagator::Applications)
        }
    })
}

fn names(propagator: &dyn TextMapPropagator) -> Vec<Cow<'static, str>> {
    propagator.fields().map(|field| Cow::Owned(field.to_owned())).collect()
}

/// Those headers of a propagator that name a span.
fn names_of_origins(propagator: &dyn TextMapPropagator) -> impl Iterator<Item = &str> {
    propagator.fields().filter(|field| names_an_origin(field))
}

/// Whether a header of that name is to say who sent the message.
pub(crate) fn names_an_origin(field: &str) -> bool {
    !matches!(field, BAGGAGE | TRACESTATE)
}

/// As the W3C says, and our own.
fn write_by_us<M: MessageMut + ?Sized>(context: &TraceContext, message: &mut M) {
    let (context, notes) = (context.as_context(), context.notes());
    let traceparent = propagation::print_traceparent(context);
    let tracestate = traceparent.and_then(|_| propagation::print_tracestate(context));
    let baggage = propagation::print_baggage(context);
    let traceparent = traceparent.as_ref().map(|it| (TRACEPARENT, it.as_str()));
    let tracestate = tracestate.as_deref().map(|list| (TRACESTATE, list));
    let baggage = baggage.as_deref().map(|list| (BAGGAGE, list));
    let beside = tracestate.into_iter().chain(baggage);
    replace(message, W3C.into_iter(), traceparent.into_iter(), beside, notes);
}

/// Writes `notes` into a message whose context, `carried`, stays.
pub(crate) fn note<M: MessageMut + ?Sized>(notes: Notes, carried: &TraceContext, message: &mut M) {
    let whole = carried.clone().with_notes(notes);
    if !message.set_context(&whole) {
        replace(message, iter::empty(), iter::empty(), iter::empty(), whole.notes());
    }
}

/// Writes headers, none of them empty, in place of all `fields` and of our own, as far as the message takes them.
fn replace<'h, M: MessageMut + ?Sized>(
    message: &mut M,
    fields: impl Iterator<Item = &'h str>,
    naming_the_span: impl Iterator<Item = (&'h str, &'h str)> + Clone,
    beside: impl Iterator<Item = (&'h str, &'h str)>,
    notes: &Notes,
) {
    // First, to make room: and a new `traceparent` beside an old `tracestate` would be a context
    // nobody sent.
    for name in fields.chain(notes::NAMES) {
        message.remove_header(name);
    }
    for (name, value) in naming_the_span.clone() {
        if !message.can_set_header(name, value) {
            // A part of what names a span names none.
            naming_the_span.for_each(|(name, _)| message.remove_header(name));
            return;
        }
        message.set_header(name, value);
    }
    let mut set_if_it_can = |name: &str, value: &str| {
        if message.can_set_header(name, value) {
            message.set_header(name, value);
        }
    };
    notes.write_what_is_asked(&mut set_if_it_can);
    beside.for_each(|(name, value)| set_if_it_can(name, value));
    notes.write_when_sent(&mut set_if_it_can);
}

/// A propagator's headers, for when it is not locked any more.
#[derive(Debug, Default)]
struct Fields {
    /// Which of the W3C's, in their order.
    of_w3c: [bool; W3C.len()],
    /// In lower case.
    others: Vec<String>,
}

impl Fields {
    fn of(propagator: &dyn TextMapPropagator) -> Self {
        let mut fields = Self::default();
        for field in propagator.fields() {
            match W3C.iter().position(|name| *name == field) {
                Some(at) => fields.of_w3c[at] = true,
                None => fields.others.push(field.to_ascii_lowercase()),
            }
        }
        fields
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let of_w3c =
            W3C.into_iter().zip(self.of_w3c).filter_map(|(name, is_one)| is_one.then_some(name));
        of_w3c.chain(self.others.iter().map(String::as_str))
    }
}

/// Whether the application has set no propagator.
///
/// OpenTelemetry's no-op propagator is told by its empty list. It must never be asked: it answers
/// with the current context.
fn carries_nothing(propagator: &dyn TextMapPropagator) -> bool {
    propagator.fields().next().is_none()
}

/// What the application's propagator writes, none of it empty.
#[derive(Default)]
struct Outgoing {
    /// Each at the place of its name in the W3C's order, which is that of their worth.
    of_w3c: [Option<String>; W3C.len()],
    /// Others, their names in lower case.
    others: Vec<(String, String)>,
}

impl Injector for Outgoing {
    fn set(&mut self, key: &str, value: String) {
        if value.is_empty() {
            return;
        }
        match W3C.iter().position(|name| name.eq_ignore_ascii_case(key)) {
            Some(at) => self.of_w3c[at] = Some(value),
            None => self.others.push((key.to_ascii_lowercase(), value)),
        }
    }
}

impl Outgoing {
    /// Takes what the application's propagator writes, and that one's fields; `None` where it has set none.
    ///
    /// Nothing is written into the message here, where the propagator is locked: that is the user's code.
    fn of_the_application(context: &Context) -> Option<(Self, Fields)> {
        global::get_text_map_propagator(|propagator| {
            if carries_nothing(propagator) {
                return None;
            }
            let mut outgoing = Self::default();
            propagator.inject_context(context, &mut outgoing);
            Some((outgoing, Fields::of(propagator)))
        })
    }

    fn replace_in<M: MessageMut + ?Sized>(&self, message: &mut M, fields: &Fields, notes: &Notes) {
        let of_w3c = W3C.iter().zip(&self.of_w3c);
        let mut of_w3c = of_w3c.map(|(name, value)| Some((*name, value.as_deref()?)));
        let traceparent = of_w3c.next().flatten();
        // What a propagator writes beside its fields, as Jaeger's does, is baggage.
        let (naming_the_span, baggage): (Vec<_>, Vec<_>) = self
            .others
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .partition(|(name, _)| fields.others.iter().any(|field| field == *name));
        let naming_the_span = traceparent.into_iter().chain(naming_the_span);
        replace(message, fields.names(), naming_the_span, of_w3c.flatten().chain(baggage), notes);
    }
}
