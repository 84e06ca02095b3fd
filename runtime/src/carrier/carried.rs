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
        Self::of_headers(None, None)
    }
}

impl Carried {
    pub(super) fn of_headers(trace: Option<Trace>, baggage: Option<Baggage>) -> Self {
        let (origin, state_in_full) = match trace {
            Some(Trace { span, state_in_full }) => (span, state_in_full),
            None => (SpanContext::NONE, None),
        };
        let beside = Beside::Parts { state_in_full, baggage };
        Self { origin, beside, notes: Notes::default() }
    }

    pub(super) fn of_context(context: Context) -> Self {
        let origin = context.span().span_context().clone();
        Self { origin, beside: Beside::Whole(context), notes: Notes::default() }
    }

    pub(super) fn whole(context: &TraceContext) -> Self {
        Self::of_context(context.as_context().clone()).with_notes(context.notes().clone())
    }

    pub(super) fn with_notes(mut self, notes: Notes) -> Self {
        self.notes = notes;
        self
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

    pub(crate) fn into_context(self) -> Context {
        let (state_in_full, baggage) = match self.beside {
            Beside::Whole(context) => return context,
            Beside::Parts { state_in_full, baggage } => (state_in_full, baggage),
        };
        let mut context = Context::new();
        if self.origin.is_valid() {
            context = Trace { span: self.origin, state_in_full }.on_top_of(&context);
        }
        match baggage {
            Some(baggage) => context.with_baggage(baggage),
            None => context,
        }
    }

    pub(crate) fn into_baggage(self) -> Option<Baggage> {
        match self.beside {
            Beside::Parts { baggage, .. } => baggage,
            Beside::Whole(context) => {
                Some(copied(context.baggage())).filter(|baggage| !baggage.is_empty())
            }
        }
    }
}

/// `Baggage` itself can't be cloned.
pub(crate) fn copied(baggage: &Baggage) -> Baggage {
    baggage.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

impl From<Carried> for TraceContext {
    fn from(carried: Carried) -> Self {
        let notes = carried.notes.clone();
        Self::from_context(carried.into_context()).with_notes(notes)
    }
}
