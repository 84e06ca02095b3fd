//! What a producer sends: one message or a batch, looked at in one pass and written in another.

use std::collections::VecDeque;
use std::fmt;

use opentelemetry::trace::{Link, SpanContext};

use crate::carrier::{
    self, Agreement, BatchMut, Facts, Message, MessageMut, Propagator, Reading, Said, TraceContext,
};
use crate::consumer::{Many, One};
use crate::operation::take_links_to;
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
    fn look<'m>(&'m self, said: Said, look: &mut Look<'m, '_>);

    #[doc(hidden)]
    fn write(&mut self, writing: &mut Writing<'_>);
}

impl<M: MessageMut + ?Sized> Publish<One> for M {
    const IS_BATCH: bool = false;

    fn look<'m>(&'m self, said: Said, look: &mut Look<'m, '_>) {
        let mut facts = said.into_facts();
        self.describe(&mut facts);
        look.at(self, &facts);
        look.seen.facts.take_only(&mut facts);
    }

    fn write(&mut self, writing: &mut Writing<'_>) {
        writing.write_into(self);
    }
}

impl<B: BatchMut + ?Sized> Publish<Many> for B {
    const IS_BATCH: bool = true;

    fn look<'m>(&'m self, said: Said, look: &mut Look<'m, '_>) {
        let mut facts = Facts::default();
        self.each(&mut |message| {
            facts.clear();
            message.describe(&mut facts);
            look.at(message, &facts);
            look.seen.facts.add(&facts);
        });
        facts.clear();
        self.describe(&mut facts);
        look.seen.facts.complete(facts);
        look.seen.facts.overrule(said);
    }

    fn write(&mut self, writing: &mut Writing<'_>) {
        self.each_mut(&mut |message| writing.write_into(message));
    }
}

/// Sees what the messages carry and tell before they are written into.
#[doc(hidden)]
pub struct Look<'m, 'k> {
    pub(super) propagator: Propagator,
    /// Whether a context that a message carries stays.
    pub(super) keeps: &'k dyn Fn(&SpanContext) -> bool,
    /// Whether something is written beside a context that stays.
    pub(super) has_to_say: bool,
    pub(super) carried: &'k mut Carried,
    pub(super) seen: &'k mut Seen<'m>,
}

/// What the span's description needs to know of the messages.
#[derive(Debug, Default)]
pub(super) struct Seen<'m> {
    pub(super) facts: Agreement<'m>,
    /// The contexts that stay, each once.
    pub(super) kept: Rare<Box<Origins<'m>>>,
    pub(super) messages: usize,
    pub(super) messages_kept: usize,
}

impl<'m> Look<'m, '_> {
    fn at<M: Message + ?Sized>(&mut self, message: &'m M, facts: &Facts<'m>) {
        let mut reading = Reading::default();
        self.propagator.read(message, &[], &mut reading);
        let Seen { kept, messages_kept, .. } = self.seen;
        let found = if (self.keeps)(reading.origin()) {
            let kept = kept.get_or_insert_with(|| Box::new(Origins::to_link(MAX_LINKS)));
            kept.add(reading.origin(), facts);
            *messages_kept += 1;
            Found::ToStay(self.has_to_say.then(|| Box::new(reading.into())))
        } else if reading.is_empty() {
            Found::Nothing
        } else {
            Found::ToGo
        };
        self.seen.messages += 1;
        self.carried.push(found);
    }
}

impl Seen<'_> {
    pub(super) fn distinct_kept(&mut self) -> usize {
        self.kept.as_mut().map_or(0, |kept| kept.distinct())
    }

    /// A link to each of the contexts that stay, as far as there may be. After that nobody can tell which they were.
    pub(super) fn take_links(&mut self, operation_type: &'static str) -> Vec<Link> {
        match &mut *self.kept {
            None => Vec::new(),
            Some(kept) => take_links_to(kept, &self.facts, operation_type, MAX_LINKS),
        }
    }
}

impl fmt::Debug for Look<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").field("seen", &self.seen).finish_non_exhaustive()
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
    /// A context that somebody chose, where something is written beside it. Boxed, for that is rare.
    ToStay(Option<Box<TraceContext>>),
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
pub struct Writing<'w> {
    pub(super) propagator: Propagator,
    pub(super) carried: &'w mut Carried,
    pub(super) context: TraceContext,
}

impl Writing<'_> {
    fn write_into<M: MessageMut + ?Sized>(&mut self, message: &mut M) {
        let Some(found) = self.carried.next() else { return };
        if let Found::ToStay(carried) = found {
            // What somebody chose is left alone unless this producer has something to say itself.
            if let Some(carried) = carried {
                self.note_when_sent(message);
                carrier::note(self.context.notes().clone(), &carried, message);
            }
            return;
        }
        if !self.context.is_empty() {
            self.note_when_sent(message);
            self.propagator.write(&self.context, message);
        } else if matches!(found, Found::ToGo) {
            // There is nothing to write, but the context that is there has to go.
            self.propagator.write(&TraceContext::default(), message);
        }
    }

    fn note_when_sent<M: MessageMut + ?Sized>(&mut self, message: &M) {
        let is_told = message.tells_when_it_was_sent();
        self.context.set_sent(if is_told { None } else { carrier::now() });
    }
}
