//! What a producer sends: one message or a batch, looked at in one pass and written in another.

use std::collections::VecDeque;
use std::fmt;

use opentelemetry::trace::SpanContext;

use crate::carrier::{self, Agreement, BatchMut, Facts, Message, MessageMut, Notes, TraceContext};
use crate::consumer::{Many, One};
use crate::rare::Rare;
use crate::relation::{MAX_LINKS, Origins};

/// A message, or a batch of them, that trace context can be written into. `Number` is inferred:
/// [`One`] or [`Many`].
///
/// Implemented for every [`MessageMut`] and every [`BatchMut`]; there is nothing to implement here.
#[diagnostic::on_unimplemented(
    message = "trace context can't be written into `{Self}`",
    label = "no headers can be written to this type",
    note = "for a type of your own, derive or implement `throughline::MessageMut`, or send a `throughline::Traced<T>`",
    note = "for a broker client's message type, enable throughline's feature for that client",
    note = "where the headers are only a part of the arguments, point at them: `into = &mut arg.headers`"
)]
#[cfg_attr(
    feature = "rumqttc-0_25",
    diagnostic::on_unimplemented(
        note = "MQTT 3 has no headers, so that a `rumqttc::Publish` carries no context: use MQTT 5 (`rumqttc::v5`), or put a `throughline::Traced<T>` into the payload as JSON"
    )
)]
pub trait Publish<Number> {
    #[doc(hidden)]
    const IS_BATCH: bool;

    #[doc(hidden)]
    fn look<'m>(&'m self, look: &mut Look<'m, '_>);

    #[doc(hidden)]
    fn write(&mut self, writing: &mut Writing);
}

impl<M: MessageMut + ?Sized> Publish<One> for M {
    const IS_BATCH: bool = false;

    fn look<'m>(&'m self, look: &mut Look<'m, '_>) {
        look.at(self);
    }

    fn write(&mut self, writing: &mut Writing) {
        writing.write_into(self);
    }
}

impl<B: BatchMut + ?Sized> Publish<Many> for B {
    const IS_BATCH: bool = true;

    fn look<'m>(&'m self, look: &mut Look<'m, '_>) {
        self.each(&mut |message| look.at(message));
        let mut facts = Facts::default();
        self.describe(&mut facts);
        look.facts.complete(facts);
    }

    fn write(&mut self, writing: &mut Writing) {
        self.each_mut(&mut |message| writing.write_into(message));
    }
}

/// What the messages carry and tell before they are written into.
#[doc(hidden)]
pub struct Look<'m, 'k> {
    /// Whether a context that a message carries stays.
    keeps: &'k dyn Fn(&SpanContext) -> bool,
    pub(super) carried: Carried,
    pub(super) facts: Agreement<'m>,
    /// The contexts that stay, each once.
    pub(super) kept: Origins<'m>,
    pub(super) messages: usize,
    pub(super) messages_kept: usize,
}

impl<'m, 'k> Look<'m, 'k> {
    pub(super) fn new(keeps: &'k dyn Fn(&SpanContext) -> bool) -> Self {
        Self {
            keeps,
            carried: Carried::default(),
            facts: Agreement::default(),
            kept: Origins::to_link(MAX_LINKS),
            messages: 0,
            messages_kept: 0,
        }
    }

    fn at<M: Message + ?Sized>(&mut self, message: &'m M) {
        let context = TraceContext::read_from(message);
        let mut facts = Facts::default();
        message.describe(&mut facts);
        let existing = context.span_context();
        let found = if (self.keeps)(&existing) {
            self.kept.add(&existing, &facts);
            self.messages_kept += 1;
            Found::ToStay(context)
        } else if context.is_empty() {
            Found::Nothing
        } else {
            Found::ToGo
        };
        self.facts.add_owned(&mut facts);
        self.messages += 1;
        self.carried.push(found);
    }
}

impl fmt::Debug for Look<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("messages", &self.messages).finish_non_exhaustive()
    }
}

/// What each message carries. That of one alone needs no allocation.
#[derive(Debug, Default)]
pub(super) struct Carried {
    first: Option<Found>,
    others: Rare<VecDeque<Found>>,
}

/// What a message carries before it is sent.
#[derive(Debug)]
enum Found {
    Nothing,
    /// A context that is replaced.
    ToGo,
    /// A context that somebody chose.
    ToStay(TraceContext),
}

impl Carried {
    fn push(&mut self, found: Found) {
        if self.first.is_none() {
            self.first = Some(found);
        } else {
            self.others.get_or_insert_default().push_back(found);
        }
    }

    fn next(&mut self) -> Option<Found> {
        self.first.take().or_else(|| self.others.as_mut()?.pop_front())
    }
}

/// The span's context on its way into each message.
#[doc(hidden)]
#[derive(Debug)]
pub struct Writing {
    carried: Carried,
    context: TraceContext,
    notes: Notes,
    /// Beside what stays as well.
    has_to_say: bool,
}

impl Writing {
    pub(super) fn new(
        carried: Carried,
        context: TraceContext,
        notes: Notes,
        has_to_say: bool,
    ) -> Self {
        Self { carried, context, notes, has_to_say }
    }

    fn write_into<M: MessageMut + ?Sized>(&mut self, message: &mut M) {
        let Some(found) = self.carried.next() else { return };
        if let Found::ToStay(carried) = found {
            // What somebody chose is left alone unless this producer has something to say itself.
            if self.has_to_say {
                carrier::note(self.notes_for(message), &carried, message);
            }
            return;
        }
        if !self.context.is_empty() {
            self.context.set_notes(self.notes_for(message));
            self.context.write_to(message);
        } else if matches!(found, Found::ToGo) {
            // There is nothing to write, but the context that is there has to go.
            self.context.write_to(message);
        }
    }

    fn notes_for<M: MessageMut + ?Sized>(&self, message: &M) -> Notes {
        let mut notes = self.notes.clone();
        if !message.tells_when_it_was_sent() {
            notes.sent = carrier::now();
        }
        notes
    }
}
