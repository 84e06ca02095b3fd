//! What a handler is given: one message or a batch, read in one pass.

#[cfg(feature = "metrics")]
use std::time::{Duration, SystemTime};
use std::{mem, slice};

use opentelemetry::baggage::{Baggage, BaggageMetadata};
use opentelemetry::trace::{Link, SpanContext};
use opentelemetry::{Context, Key, StringValue};

#[cfg(feature = "metrics")]
use crate::carrier::age;
use crate::carrier::{Agreement, Batch, Facts, Message, Propagator, Reading, Said, hops};
use crate::diagnosis::Contexts;
use crate::operation::take_links_to;
use crate::rare::Rare;
use crate::relation::{Origins, Sending, same_span};
use crate::span::{MessageId, Running, is_handled_already};

/// One message: the marker by which it is told from a batch.
#[derive(Debug)]
pub struct One(());

/// Several messages.
#[derive(Debug)]
pub struct Many(());

/// Either.
#[derive(Debug)]
pub struct AnyNumber(());

/// A message, or a batch of them. `Number` is inferred: [`One`] or [`Many`].
///
/// Implemented for every [`Message`] and every [`Batch`]; there is nothing to implement here.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not carry trace context",
    label = "no headers can be read from this type",
    note = "for a type of your own, derive or implement `throughline::Message`, or wrap the payload in `throughline::Traced<T>` where it is sent",
    note = "for a broker client's message type, enable throughline's feature for that client",
    note = "where the headers are only a part of the arguments, point at them: `from = &arg.headers`"
)]
#[cfg_attr(
    feature = "rumqttc-0_25",
    diagnostic::on_unimplemented(
        note = "MQTT 3 has no headers, so that a `rumqttc::Publish` carries no context: use MQTT 5 (`rumqttc::v5`), or put a `throughline::Traced<T>` into the payload as JSON"
    )
)]
pub trait Receive<Number> {
    /// Reads it into what is empty. What the user says goes before what messages say.
    #[doc(hidden)]
    fn receive<'m>(&'m self, wanted: &Wanted<'m>, said: Said, received: &mut Received<'m>);
}

impl<M: Message + ?Sized> Receive<One> for M {
    fn receive<'m>(&'m self, wanted: &Wanted<'m>, said: Said, received: &mut Received<'m>) {
        received.take_one(self, wanted, said);
    }
}

impl<B: Batch + ?Sized> Receive<Many> for B {
    fn receive<'m>(&'m self, wanted: &Wanted<'m>, said: Said, received: &mut Received<'m>) {
        *received.batch = Some(Box::new(Together::to_link(wanted.max_links)));
        let propagator = Propagator::current();
        let mut facts = Facts::default();
        self.each(&mut |message| received.take(message, propagator, wanted, &mut facts));
        facts.clear();
        self.describe(&mut facts);
        received.facts.complete(facts);
        received.facts.overrule(said);
    }
}

/// What a handler wants to know of its messages.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    pub(crate) max_links: usize,
    /// None, where none are: so every handler has a word less to write.
    pub(crate) headers: Option<&'w [&'w str]>,
}

/// A number of messages that a handler takes: [`AnyNumber`] takes both, [`One`] a single message.
// The number is the implementing type, not the handler's: else the compiler would take the only
// number that fits for the inferred one, and blame the message.
#[diagnostic::on_unimplemented(
    message = "a batch can't be continued: a span has one parent, and a batch has many senders",
    label = "`continue` on several messages",
    note = "write `link` instead of `continue`: the handler's span then links to every sender"
)]
pub trait TakenBy<Handler> {}

impl TakenBy<One> for One {}
impl TakenBy<AnyNumber> for One {}
impl TakenBy<AnyNumber> for Many {}

/// What one call of a handler has received.
#[doc(hidden)]
#[derive(Debug)]
pub struct Received<'m> {
    pub(crate) facts: Agreement<'m>,
    /// How many messages have one.
    pub(crate) contexts: Contexts,
    /// What a single message carries.
    reading: Reading<'m>,
    batch: Rare<Box<Together<'m>>>,
    /// When each message was sent, where that is known.
    #[cfg(feature = "metrics")]
    sent: Vec<SystemTime>,
}

/// What there is to know of several messages and not of one.
#[derive(Debug)]
struct Together<'m> {
    size: usize,
    origins: Origins<'m>,
    /// Attempts to handle these messages that failed, each once.
    attempts: Vec<SpanContext>,
    /// The baggage that all have agreed on so far.
    baggage: Vec<Entry>,
}

type Entry = (Key, (StringValue, BaggageMetadata));

impl<'m> Received<'m> {
    pub(crate) fn of<K, M>(message: &'m M, wanted: &Wanted<'m>, said: Said) -> Self
    where
        M: Receive<K> + ?Sized,
    {
        let mut received = Self::none();
        message.receive(wanted, said, &mut received);
        received
    }

    /// No message at all.
    pub(crate) fn none() -> Self {
        Self {
            facts: Agreement::default(),
            contexts: Contexts::default(),
            reading: Reading::default(),
            batch: Rare::default(),
            #[cfg(feature = "metrics")]
            sent: Vec::new(),
        }
    }

    /// A poll that brought nothing.
    pub(crate) fn none_of_a_batch(said: Said) -> Self {
        let mut none = Self { batch: Some(Box::new(Together::to_link(0))).into(), ..Self::none() };
        none.facts.overrule(said);
        none
    }

    /// As it is when the messages themselves are gone.
    pub(crate) fn into_owned(mut self) -> Received<'static> {
        Received {
            facts: self.facts.into_owned(),
            contexts: self.contexts,
            reading: self.reading.into_owned(),
            batch: self.batch.take().map(|together| Box::new(together.into_owned())).into(),
            #[cfg(feature = "metrics")]
            sent: self.sent,
        }
    }

    fn take_one<M>(&mut self, message: &'m M, wanted: &Wanted<'m>, said: Said)
    where
        M: Message + ?Sized,
    {
        Propagator::current().read(message, wanted.headers.unwrap_or_default(), &mut self.reading);
        let mut facts = said.into_facts();
        message.describe(&mut facts);
        self.reading.add_to(&mut facts);
        self.contexts.add(&self.reading);
        #[cfg(feature = "metrics")]
        self.sent.extend(facts.time_sent());
        self.facts.take_only(&mut facts);
    }

    /// Takes one of several messages; what was told of the last one makes room in `facts`.
    fn take(
        &mut self,
        message: &'m dyn Message,
        propagator: Propagator,
        wanted: &Wanted<'m>,
        facts: &mut Facts<'m>,
    ) {
        let mut reading = Reading::default();
        propagator.read(message, wanted.headers.unwrap_or_default(), &mut reading);
        facts.clear();
        message.describe(facts);
        reading.add_to(facts);
        self.contexts.add(&reading);
        #[cfg(feature = "metrics")]
        self.sent.extend(facts.time_sent());
        if let Some(together) = &mut *self.batch {
            together.add(&reading, facts);
        }
        self.facts.add(facts);
    }

    /// Attempts to handle these messages that failed.
    pub(crate) fn attempts(&self) -> &[SpanContext] {
        match &*self.batch {
            None => self.reading.notes.failed_attempt.as_deref().map_or(&[], slice::from_ref),
            Some(together) => &together.attempts,
        }
    }

    /// How many messages a batch has.
    pub(crate) fn batch_size(&self) -> Option<usize> {
        self.batch.as_ref().map(|together| together.size)
    }

    /// How many messages these are.
    #[cfg(feature = "metrics")]
    pub(crate) fn messages(&self) -> usize {
        self.batch_size().unwrap_or(1)
    }

    /// How long each message has waited until now, where that is known.
    #[cfg(feature = "metrics")]
    pub(crate) fn waited(&self) -> Vec<Duration> {
        self.sent.iter().filter_map(|sent| age(*sent)).collect()
    }

    /// Who sent a single message, where that is known.
    #[inline]
    fn origin(&self) -> Option<&SpanContext> {
        Some(self.reading.origin()).filter(|origin| origin.is_valid())
    }

    /// A single message, as far as it can be told from others.
    #[inline(never)]
    fn message_id(&self) -> Option<MessageId> {
        let is_single = self.batch.is_none();
        is_single.then(|| MessageId::new(self.origin(), self.facts.message_id()))
    }

    /// Whether the handler around this code was started by this very message.
    #[cold]
    pub(crate) fn is_handled_already(&self) -> bool {
        self.message_id().is_some_and(is_handled_already)
    }

    /// What the handler is started by.
    #[inline]
    pub(crate) fn running(&self) -> Running {
        match &*self.batch {
            None => Running::Message(MessageId::new(self.origin(), self.facts.message_id())),
            Some(together) => together.running(),
        }
    }

    #[inline]
    pub(crate) fn distinct_origins(&mut self) -> usize {
        match &mut *self.batch {
            None => usize::from(self.origin().is_some()),
            Some(together) => together.origins.distinct(),
        }
    }

    /// Whether `span` sent a message.
    pub(crate) fn has_origin(&self, span: &SpanContext) -> bool {
        match &*self.batch {
            None => self.origin().is_some_and(|origin| same_span(origin, span)),
            Some(together) => together.origins.has(span),
        }
    }

    /// Whether a message has a context that can't be read.
    pub(crate) fn any_unreadable(&self) -> bool {
        match &*self.batch {
            None => self.reading.unreadable,
            Some(together) => together.origins.unreadable() > 0,
        }
    }

    /// Who sent a single message, which is not a batch of one.
    #[inline]
    pub(crate) fn only_origin(&self) -> Option<&SpanContext> {
        if self.batch.is_some() { None } else { self.origin() }
    }

    /// A link to each of the origins, up to so many. After that a batch does not tell who they were.
    pub(crate) fn take_links_to_origins(
        &mut self,
        operation_type: &str,
        at_most: usize,
    ) -> Vec<Link> {
        match &mut *self.batch {
            Some(together) => {
                take_links_to(&mut together.origins, &self.facts, operation_type, at_most)
            }
            // With nobody to differ from, a link needs no facts of its own.
            None => match self.origin() {
                Some(origin) if at_most > 0 => {
                    let mut links = Vec::with_capacity(2); // for the ambient span as well
                    links.push(Link::with_context(origin.clone()));
                    links
                }
                _ => Vec::new(),
            },
        }
    }

    /// How a single message was sent; its age is looked at only where it matters.
    #[inline]
    pub(crate) fn sending(&self, depends_on_age: bool) -> Sending {
        if self.batch.is_some() {
            return Sending::default();
        }
        Sending {
            age: if depends_on_age { self.facts.age() } else { None },
            hops: hops::count(self.reading.origin()),
            asks_for_new_trace: self.reading.notes.asks_for_new_trace,
        }
    }

    /// The context to continue: a single message's.
    pub(crate) fn take_context(&mut self) -> Context {
        self.reading.take_context()
    }

    /// Whether there is any baggage to take.
    #[inline]
    pub(crate) fn has_baggage(&self) -> bool {
        match &*self.batch {
            None => self.reading.has_baggage(),
            Some(together) => !together.baggage.is_empty(),
        }
    }

    /// The message's baggage; of a batch, what all messages agree on.
    pub(crate) fn take_baggage(&mut self) -> Option<Baggage> {
        match &mut *self.batch {
            None => self.reading.take_baggage(),
            Some(together) => together.take_baggage(),
        }
    }
}

impl<'m> Together<'m> {
    fn to_link(max_links: usize) -> Self {
        let origins = Origins::to_link(max_links);
        Self { size: 0, origins, attempts: Vec::new(), baggage: Vec::new() }
    }

    fn into_owned(self) -> Together<'static> {
        let Self { size, origins, attempts, baggage } = self;
        Together { size, origins: origins.into_owned(), attempts, baggage }
    }

    fn add(&mut self, reading: &Reading<'_>, facts: &Facts<'m>) {
        self.size += 1;
        if reading.unreadable {
            self.origins.add_unreadable();
        }
        self.origins.add(reading.origin(), facts);
        if let Some(attempt) = &*reading.notes.failed_attempt {
            if !self.attempts.iter().any(|known| same_span(known, attempt)) {
                self.attempts.push(SpanContext::clone(attempt));
            }
        }
        if reading.has_baggage() || !self.baggage.is_empty() {
            self.agree_on(reading.baggage());
        }
    }

    #[cold]
    fn running(&self) -> Running {
        Running::batch(self.origins.ids())
    }

    #[cold]
    fn take_baggage(&mut self) -> Option<Baggage> {
        let baggage = mem::take(&mut self.baggage);
        (!baggage.is_empty()).then(|| baggage.into_iter().collect())
    }

    #[inline(never)]
    fn agree_on(&mut self, baggage: Option<&Baggage>) {
        if self.size == 1 {
            self.baggage.extend(baggage.into_iter().flat_map(entries));
        } else {
            self.baggage.retain(|(key, value)| {
                baggage.is_some_and(|baggage| baggage.get_with_metadata(key) == Some(value))
            });
        }
    }
}

pub(crate) fn entries(baggage: &Baggage) -> impl Iterator<Item = Entry> {
    baggage.iter().map(|(key, value)| (key.clone(), value.clone()))
}
