//! What a handler is given: one message or a batch, read in one pass.

use std::borrow::Cow;
#[cfg(feature = "metrics")]
use std::time::{Duration, SystemTime};

use opentelemetry::baggage::{Baggage, BaggageMetadata};
use opentelemetry::trace::SpanContext;
use opentelemetry::{Context, Key, StringValue};

#[cfg(feature = "metrics")]
use crate::carrier::age;
use crate::carrier::{Agreement, Batch, Carried, Facts, Message, Propagator, Reading, hops};
use crate::diagnosis::Contexts;
use crate::relation::{Origins, Sending, same_span};
use crate::span::{MessageId, Running};

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
    #[doc(hidden)]
    fn receive<'m>(&'m self, wanted: Wanted<'m>) -> Received<'m>;
}

impl<M: Message + ?Sized> Receive<One> for M {
    fn receive<'m>(&'m self, wanted: Wanted<'m>) -> Received<'m> {
        let mut received = Received::nothing(wanted, None);
        received.take_one(self, wanted);
        received
    }
}

impl<B: Batch + ?Sized> Receive<Many> for B {
    fn receive<'m>(&'m self, wanted: Wanted<'m>) -> Received<'m> {
        let mut received = Received::nothing(wanted, Some(0));
        let propagator = Propagator::current();
        self.each(&mut |message| received.take(message, propagator, wanted));
        let mut facts = Facts::default();
        self.describe(&mut facts);
        received.facts.complete(facts);
        received
    }
}

/// What a handler wants to know of its messages.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    pub(crate) max_links: usize,
    pub(crate) headers: &'w [&'w str],
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
    pub(crate) origins: Origins<'m>,
    pub(crate) facts: Agreement<'m>,
    /// How many messages have one.
    pub(crate) contexts: Contexts,
    /// By a single message.
    carried: Carried,
    pub(crate) batch_size: Option<usize>,
    /// Attempts to handle these messages that failed, each once.
    pub(crate) attempts: Vec<SpanContext>,
    agreed_baggage: Option<Vec<Entry>>,
    /// When each message was sent, where that is known.
    #[cfg(feature = "metrics")]
    sent: Vec<SystemTime>,
}

type Entry = (Key, (StringValue, BaggageMetadata));

impl<'m> Received<'m> {
    fn nothing(wanted: Wanted<'m>, batch_size: Option<usize>) -> Self {
        Self {
            origins: Origins::to_link(wanted.max_links),
            facts: Agreement::default(),
            contexts: Contexts::default(),
            carried: Carried::default(),
            batch_size,
            attempts: Vec::new(),
            agreed_baggage: None,
            #[cfg(feature = "metrics")]
            sent: Vec::new(),
        }
    }

    /// No message at all.
    pub(crate) fn none() -> Self {
        Self::nothing(Wanted { max_links: 0, headers: &[] }, None)
    }

    /// A poll that brought nothing.
    pub(crate) fn none_of_a_batch() -> Self {
        Self::nothing(Wanted { max_links: 0, headers: &[] }, Some(0))
    }

    /// As it is when the messages themselves are gone.
    pub(crate) fn into_owned(self) -> Received<'static> {
        Received {
            origins: self.origins.into_owned(),
            facts: self.facts.into_owned(),
            contexts: self.contexts,
            carried: self.carried,
            batch_size: self.batch_size,
            attempts: self.attempts,
            agreed_baggage: self.agreed_baggage,
            #[cfg(feature = "metrics")]
            sent: self.sent,
        }
    }

    fn take_one<M: Message + ?Sized>(&mut self, message: &'m M, wanted: Wanted<'m>) {
        let (carried, facts) = self.read(message, Propagator::current(), wanted);
        // With nobody to differ from, a link needs no facts of its own.
        self.origins.add(carried.origin());
        self.facts.add(Cow::Owned(facts));
        self.carried = carried;
    }

    fn take(&mut self, message: &'m dyn Message, propagator: Propagator, wanted: Wanted<'m>) {
        let (carried, facts) = self.read(message, propagator, wanted);
        if let Some(origin) = self.origins.add(carried.origin()) {
            origin.tell(&facts);
        }
        self.facts.add(Cow::Owned(facts));
        self.agree_on_baggage(carried.baggage());
        self.batch_size = self.batch_size.map(|size| size + 1);
    }

    fn read<M>(
        &mut self,
        message: &'m M,
        propagator: Propagator,
        wanted: Wanted<'m>,
    ) -> (Carried, Facts<'m>)
    where
        M: Message + ?Sized,
    {
        let reading = propagator.read(message, wanted.headers);
        let mut facts = Facts::default();
        message.describe(&mut facts);
        self.note(&reading, &mut facts);
        (reading.carried, facts)
    }

    /// What both kinds of call keep of a message beside its origin and its facts.
    fn note(&mut self, reading: &Reading, facts: &mut Facts<'m>) {
        self.contexts.add(reading);
        facts.capture(&reading.captured);
        let notes = reading.carried.notes();
        facts.sent_at_unless_known(notes.sent);
        #[cfg(feature = "metrics")]
        self.sent.extend(facts.time_sent());
        self.add_attempt(notes.failed_attempt.as_deref());
        if reading.unreadable {
            self.origins.add_unreadable();
        }
    }

    fn add_attempt(&mut self, attempt: Option<&SpanContext>) {
        let known = |attempt| self.attempts.iter().any(|known| same_span(known, attempt));
        if let Some(attempt) = attempt.filter(|attempt| !known(attempt)) {
            self.attempts.push(attempt.clone());
        }
    }

    /// How many messages these are.
    #[cfg(feature = "metrics")]
    pub(crate) fn messages(&self) -> usize {
        self.batch_size.unwrap_or(1)
    }

    /// How long each message has waited until now, where that is known.
    #[cfg(feature = "metrics")]
    pub(crate) fn waited(&self) -> Vec<Duration> {
        self.sent.iter().filter_map(|sent| age(*sent)).collect()
    }

    /// A single message, as far as it can be told from others.
    pub(crate) fn message_id(&self) -> Option<MessageId> {
        let origin = self.origins.iter().next().map(|origin| &origin.context);
        self.batch_size.is_none().then(|| MessageId::new(origin, self.facts.message_id()))
    }

    /// What the handler is started by.
    pub(crate) fn running(&self) -> Running {
        match self.message_id() {
            Some(message) => Running::Message(message),
            None => Running::batch(self.origins.ids()),
        }
    }

    /// How a single message was sent.
    pub(crate) fn sending(&self) -> Sending {
        if self.batch_size.is_some() {
            return Sending::default();
        }
        Sending {
            age: self.facts.age(),
            hops: hops::count(self.carried.origin()),
            asks_for_new_trace: self.carried.notes().asks_for_new_trace,
        }
    }

    fn agree_on_baggage(&mut self, baggage: Option<&Baggage>) {
        match &mut self.agreed_baggage {
            None => {
                let all = baggage.into_iter().flat_map(entries);
                self.agreed_baggage = Some(all.collect());
            }
            Some(agreed) => agreed.retain(|(key, value)| {
                baggage.is_some_and(|baggage| baggage.get_with_metadata(key) == Some(value))
            }),
        }
    }

    /// The context to continue: a single message's.
    pub(crate) fn into_context(self) -> Context {
        self.carried.into_context()
    }

    /// The message's baggage; of a batch, what all messages agree on.
    pub(crate) fn into_baggage(self) -> Option<Baggage> {
        match self.agreed_baggage {
            None => self.carried.into_baggage(),
            Some(agreed) if agreed.is_empty() => None,
            Some(agreed) => Some(agreed.into_iter().collect()),
        }
    }
}

pub(crate) fn entries(baggage: &Baggage) -> impl Iterator<Item = Entry> {
    baggage.iter().map(|(key, value)| (key.clone(), value.clone()))
}
