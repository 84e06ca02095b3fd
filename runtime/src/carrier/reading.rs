//! What a message carries, as it was read.

use std::borrow::Cow;
use std::mem;

use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use super::{Facts, Notes, TraceContext};
use crate::propagation::{Trace, with_trace};
use crate::rare::Rare;

/// Who sent a message, and what came with that. It becomes a context only where one is needed: making one
/// allocates, and a link needs none.
#[derive(Debug)]
pub(crate) struct Reading<'m> {
    origin: SpanContext,
    /// The whole of it, where the message holds it so or the application's propagator made it.
    context: Rare<Cow<'m, TraceContext>>,
    /// Boxed, for most messages have nothing of it.
    beside: Rare<Box<Beside>>,
    pub(crate) notes: Notes,
    /// A context was there and could not be read.
    pub(crate) unreadable: bool,
    /// None could be read: the application's propagator knows no header that names a span.
    pub(crate) not_carried: bool,
}

/// What may come beside an origin, as our own propagator reads it.
#[derive(Debug, Default)]
struct Beside {
    state_in_full: Option<String>,
    baggage: Option<Baggage>,
    /// The headers that were to be captured, as attributes.
    captured: Vec<KeyValue>,
}

impl Default for Reading<'_> {
    fn default() -> Self {
        Self {
            origin: SpanContext::NONE,
            context: Rare::default(),
            beside: Rare::default(),
            notes: Notes::default(),
            unreadable: false,
            not_carried: false,
        }
    }
}

impl<'m> Reading<'m> {
    #[inline]
    pub(super) fn set_origin(&mut self, origin: SpanContext) {
        self.origin = origin;
    }

    pub(super) fn set_trace(&mut self, trace: Trace) {
        let (origin, state_in_full) = trace.into_parts();
        self.origin = origin;
        if state_in_full.is_some() {
            self.beside().state_in_full = state_in_full;
        }
    }

    pub(super) fn set_baggage(&mut self, baggage: Baggage) {
        self.beside().baggage = Some(baggage);
    }

    pub(super) fn set_context(&mut self, context: Context) {
        self.origin = context.span().span_context().clone();
        *self.context = Some(Cow::Owned(TraceContext::from_context(context)));
    }

    #[inline(never)]
    pub(super) fn set_whole_context(&mut self, context: &'m TraceContext) {
        self.origin = context.span_context();
        self.notes = context.notes().clone();
        *self.context = Some(Cow::Borrowed(context));
    }

    #[inline(never)]
    pub(super) fn set_captured(&mut self, captured: Vec<KeyValue>) {
        self.beside().captured = captured;
    }

    fn beside(&mut self) -> &mut Beside {
        self.beside.get_or_insert_default()
    }

    /// The span that sent the message; an invalid one where none is known.
    pub(crate) fn origin(&self) -> &SpanContext {
        &self.origin
    }

    /// Whether it names no span and holds no baggage.
    pub(crate) fn is_empty(&self) -> bool {
        !self.origin.is_valid() && !self.has_baggage()
    }

    /// As it is when the message itself is gone.
    pub(crate) fn into_owned(mut self) -> Reading<'static> {
        let context = self.context.take().map(|context| Cow::Owned(context.into_owned()));
        Reading {
            origin: self.origin,
            context: context.into(),
            beside: self.beside,
            notes: self.notes,
            unreadable: self.unreadable,
            not_carried: self.not_carried,
        }
    }

    /// Adds what is told of the message beside what it tells itself.
    #[inline]
    pub(crate) fn add_to(&self, facts: &mut Facts<'_>) {
        if let Some(beside) = &*self.beside {
            facts.capture(&beside.captured);
        }
        if let Some(sent) = self.notes.sent {
            facts.sent_at_unless_known(sent);
        }
    }

    #[inline(never)]
    pub(crate) fn baggage(&self) -> Option<&Baggage> {
        match &*self.context {
            None => self.beside.as_ref()?.baggage.as_ref(),
            Some(context) => {
                Some(context.as_context().baggage()).filter(|baggage| !baggage.is_empty())
            }
        }
    }

    #[inline]
    pub(crate) fn has_baggage(&self) -> bool {
        (self.context.is_some() || self.beside.is_some()) && self.baggage().is_some()
    }

    pub(crate) fn take_baggage(&mut self) -> Option<Baggage> {
        match &*self.context {
            None => self.beside.as_mut()?.baggage.take(),
            Some(_) => self.baggage().map(copied),
        }
    }

    pub(crate) fn take_context(&mut self) -> Context {
        match self.context.take() {
            Some(context) => context.into_owned().into_context(),
            None if self.beside.is_some() => self.take_context_and_beside(),
            None if self.origin.is_valid() => {
                let span = mem::replace(&mut self.origin, SpanContext::NONE);
                Context::new().with_remote_span_context(span)
            }
            None => Context::new(),
        }
    }

    #[inline(never)]
    fn take_context_and_beside(&mut self) -> Context {
        let Beside { state_in_full, baggage, .. } =
            self.beside.take().map(|beside| *beside).unwrap_or_default();
        let mut context = Context::new();
        if self.origin.is_valid() {
            let span = mem::replace(&mut self.origin, SpanContext::NONE);
            context = with_trace(&context, (span, state_in_full));
        }
        match baggage {
            Some(baggage) => context.with_baggage(baggage),
            None => context,
        }
    }
}

/// `Baggage` itself can't be cloned.
pub(crate) fn copied(baggage: &Baggage) -> Baggage {
    baggage.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl From<Reading<'_>> for TraceContext {
    fn from(mut reading: Reading<'_>) -> Self {
        Self::from_context(reading.take_context()).with_notes(mem::take(&mut reading.notes))
    }
}
