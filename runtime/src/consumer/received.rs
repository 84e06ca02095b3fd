//! What a handler is given: one message or a batch, read in one pass.

use std::borrow::Cow;
#[cfg(feature = "metrics")]
use std::time::{Duration, SystemTime};

use opentelemetry::Key;
use opentelemetry::StringValue;
use opentelemetry::baggage::{Baggage, BaggageExt, BaggageMetadata};
use opentelemetry::trace::SpanContext;

use crate::carrier::{self, Agreement, Batch, Facts, Message, TraceContext, hops};
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
        self.each(&mut |message| received.take(message, wanted));
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
    /// Of a single message.
    pub(crate) context: TraceContext,
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
            context: TraceContext::default(),
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
            context: self.context,
            batch_size: self.batch_size,
            attempts: self.attempts,
            agreed_baggage: self.agreed_baggage,
            #[cfg(feature = "metrics")]
            sent: self.sent,
        }
    }

    fn take_one<M: Message + ?Sized>(&mut self, message: &'m M, wanted: Wanted<'m>) {
        self.context = self.read(message, wanted);
    }

    fn take(&mut self, message: &'m dyn Message, wanted: Wanted<'m>) {
        let context = self.read(message, wanted);
        self.agree_on_baggage(context.as_context().baggage());
        self.batch_size = self.batch_size.map(|size| size + 1);
    }

    fn read<M: Message + ?Sized>(&mut self, message: &'m M, wanted: Wanted<'m>) -> TraceContext {
        let reading = carrier::read(message, wanted.headers);
        self.contexts.add(&reading);
        let mut facts = Facts::default();
        message.describe(&mut facts);
        facts.capture(reading.captured);
        let notes = reading.context.notes();
        facts.sent_at_unless_known(notes.sent);
        #[cfg(feature = "metrics")]
        self.sent.extend(facts.time_sent());
        self.add_attempt(notes.failed_attempt.as_deref());
        self.origins.add(&reading.context.span_context(), &facts);
        if reading.unreadable {
            self.origins.add_unreadable();
        }
        self.facts.add(Cow::Owned(facts));
        reading.context
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
        self.sent.iter().filter_map(|sent| carrier::age(*sent)).collect()
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
            hops: hops::count(&self.context.span_context()),
            asks_for_new_trace: self.context.notes().asks_for_new_trace,
        }
    }

    fn agree_on_baggage(&mut self, baggage: &Baggage) {
        match &mut self.agreed_baggage {
            None => self.agreed_baggage = Some(entries(baggage).collect()),
            Some(agreed) => {
                agreed.retain(|(key, value)| baggage.get_with_metadata(key) == Some(value));
            }
        }
    }

    /// The message's baggage; of a batch, what all messages agree on.
    pub(crate) fn baggage(&self) -> Vec<Entry> {
        match &self.agreed_baggage {
            Some(agreed) => agreed.clone(),
            None => entries(self.context.as_context().baggage()).collect(),
        }
    }
}

pub(crate) fn entries(baggage: &Baggage) -> impl Iterator<Item = Entry> {
    baggage.iter().map(|(key, value)| (key.clone(), value.clone()))
}
