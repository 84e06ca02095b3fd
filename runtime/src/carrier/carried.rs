//! What a message carries, as it was read.

use opentelemetry::Context;
use opentelemetry::KeyValue;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::trace::{SpanContext, TraceContextExt};

use super::{Notes, TraceContext};
use crate::propagation::Trace;

/// What reading one message's context came to.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    pub(crate) carried: Carried,
    /// A context was there and could not be read.
    pub(crate) unreadable: bool,
    /// None could be read: the application's propagator knows no header that names a span.
    pub(crate) not_carried: bool,
    /// The headers that were to be captured, as attributes.
    pub(crate) captured: Vec<KeyValue>,
}

/// Who sent a message, and what came with that. It becomes a context only where one is needed: making one
/// allocates, and a link needs none.
#[derive(Debug)]
pub(crate) struct Carried {
    origin: SpanContext,
    beside: Beside,
    notes: Notes,
}

/// What there is beside the origin.
#[derive(Debug)]
enum Beside {
    /// As our own propagator read it.
    Parts { state_in_full: Option<String>, baggage: Option<Baggage> },
    /// The whole of it, as the message held it or the application's propagator made it.
    Whole(Context),
}

impl Default for Carried {
    fn default() -> Self {
        let beside = Beside::Parts { state_in_full: None, baggage: None };
        Self { origin: SpanContext::NONE, beside, notes: Notes::default() }
    }
}

impl Carried {
    pub(super) fn set_trace(&mut self, Trace { span, state_in_full }: Trace) {
        self.origin = span;
        if state_in_full.is_some() {
            self.beside = Beside::Parts { state_in_full, baggage: self.take_baggage() };
        }
    }

    pub(super) fn set_baggage(&mut self, given: Option<Baggage>) {
        if let Beside::Parts { baggage, .. } = &mut self.beside {
            *baggage = given;
        }
    }

    pub(super) fn set_context(&mut self, context: Context) {
        self.origin = context.span().span_context().clone();
        self.beside = Beside::Whole(context);
    }

    pub(super) fn set_notes(&mut self, notes: Notes) {
        self.notes = notes;
    }

    /// The span that sent the message; an invalid one where none is known.
    pub(crate) fn origin(&self) -> &SpanContext {
        &self.origin
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    pub(crate) fn baggage(&self) -> Option<&Baggage> {
        match &self.beside {
            Beside::Parts { baggage, .. } => baggage.as_ref(),
            Beside::Whole(context) => Some(context.baggage()).filter(|it| !it.is_empty()),
        }
    }

    pub(crate) fn take_context(&mut self) -> Context {
        let nothing = Beside::Parts { state_in_full: None, baggage: None };
        let (state_in_full, baggage) = match std::mem::replace(&mut self.beside, nothing) {
            Beside::Whole(context) => return context,
            Beside::Parts { state_in_full, baggage } => (state_in_full, baggage),
        };
        let mut context = Context::new();
        if self.origin.is_valid() {
            let span = std::mem::replace(&mut self.origin, SpanContext::NONE);
            context = Trace { span, state_in_full }.on_top_of(&context);
        }
        match baggage {
            Some(baggage) => context.with_baggage(baggage),
            None => context,
        }
    }

    pub(crate) fn take_baggage(&mut self) -> Option<Baggage> {
        match &mut self.beside {
            Beside::Parts { baggage, .. } => baggage.take(),
            Beside::Whole(context) => {
                Some(context.baggage()).filter(|baggage| !baggage.is_empty()).map(copied)
            }
        }
    }
}

/// `Baggage` itself can't be cloned.
pub(crate) fn copied(baggage: &Baggage) -> Baggage {
    baggage.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl From<Carried> for TraceContext {
    fn from(mut carried: Carried) -> Self {
        Self::from_context(carried.take_context()).with_notes(carried.notes)
    }
}
