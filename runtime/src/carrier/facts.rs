//! What a message tells about itself.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::{Key, KeyValue};

use super::notes::age;
use crate::semconv::key;

/// What a message tells about itself: filled by [`Message::describe`](crate::Message::describe).
///
/// Each setter returns the builder, so that calls can be chained; what a message does not know is
/// left out.
///
/// ```
/// use throughline::Facts;
///
/// fn describe<'m>(topic: &'m str, facts: &mut Facts<'m>) {
///     facts.system("kafka").destination(topic).id("42").body_size(120).attempt(2);
/// }
/// # let _ = describe;
/// ```
#[derive(Debug, Default, Clone)]
pub struct Facts<'m> {
    known: [Option<Fact<'m>>; KEYS.len()],
    /// Headers that the handler wants on its span, as attributes.
    captured: Vec<KeyValue>,
}

#[derive(Debug, Clone, PartialEq)]
enum Fact<'m> {
    Text(Cow<'m, str>),
    Count(u64),
    Time(SystemTime),
}

/// The attribute each fact becomes, by its place in [`Facts`].
const KEYS: [&str; 8] = [
    key::SYSTEM,
    key::DESTINATION_NAME,
    key::DESTINATION_TEMPLATE,
    key::MESSAGE_ID,
    key::CONVERSATION_ID,
    key::BODY_SIZE,
    key::MESSAGE_AGE,
    key::MESSAGE_ATTEMPT,
];
const SYSTEM: usize = 0;
const DESTINATION: usize = 1;
const TEMPLATE: usize = 2;
const ID: usize = 3;
const CONVERSATION: usize = 4;
const BODY_SIZE: usize = 5;
const SENT_AT: usize = 6;
const ATTEMPT: usize = 7;

impl<'m> Facts<'m> {
    /// The messaging system, as `messaging.system` names it: `kafka`, `rabbitmq`, `aws_sqs`.
    pub fn system(&mut self, system: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(SYSTEM, system.into())
    }

    /// The topic, queue or subject the message was sent to.
    pub fn destination(&mut self, destination: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(DESTINATION, destination.into())
    }

    /// The destination's pattern, where its name has too many values for a span's name:
    /// `orders.{customer}`.
    pub fn destination_template(&mut self, template: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(TEMPLATE, template.into())
    }

    /// The message's own id.
    pub fn id(&mut self, id: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(ID, id.into())
    }

    /// The id of the conversation it belongs to, also called a correlation id.
    pub fn conversation_id(&mut self, id: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(CONVERSATION, id.into())
    }

    /// The size of the body, in bytes.
    pub fn body_size(&mut self, bytes: u64) -> &mut Self {
        self.set(BODY_SIZE, Fact::Count(bytes))
    }

    /// When it was sent, by the broker's or the sender's clock.
    pub fn sent_at(&mut self, time: SystemTime) -> &mut Self {
        self.set(SENT_AT, Fact::Time(time))
    }

    /// Which delivery this is, counted from 1.
    pub fn attempt(&mut self, attempt: u64) -> &mut Self {
        self.set(ATTEMPT, Fact::Count(attempt))
    }

    /// Adds the headers that were captured.
    pub(crate) fn capture(&mut self, headers: Vec<KeyValue>) {
        self.captured = headers;
    }

    /// What is about to be sent has no age, and no attempt was made to handle it.
    pub(crate) fn forget_the_way_here(&mut self) {
        self.known[SENT_AT] = None;
        self.known[ATTEMPT] = None;
    }

    /// Fills in when the message was sent where the message itself does not know.
    pub(crate) fn sent_at_unless_known(&mut self, noted: Option<SystemTime>) {
        if let (None, Some(noted)) = (&self.known[SENT_AT], noted) {
            self.sent_at(noted);
        }
    }

    /// When the message was sent.
    #[cfg(feature = "metrics")]
    pub(crate) fn time_sent(&self) -> Option<SystemTime> {
        match self.known[SENT_AT] {
            Some(Fact::Time(sent)) => Some(sent),
            _ => None,
        }
    }

    fn into_owned(self) -> Facts<'static> {
        let owned = |fact: Fact<'m>| match fact {
            Fact::Text(text) => Fact::Text(Cow::Owned(text.into_owned())),
            Fact::Count(count) => Fact::Count(count),
            Fact::Time(time) => Fact::Time(time),
        };
        Facts { known: self.known.map(|fact| fact.map(owned)), captured: self.captured }
    }

    fn text(&mut self, at: usize, text: Cow<'m, str>) -> &mut Self {
        // An empty text tells nothing: a broker's default for "not set".
        if !text.is_empty() {
            self.known[at] = Some(Fact::Text(text));
        }
        self
    }

    fn set(&mut self, at: usize, fact: Fact<'m>) -> &mut Self {
        self.known[at] = Some(fact);
        self
    }

    /// The destination as a span's name may show it: the template, which has few values, before
    /// the name.
    fn destination_for_a_name(&self) -> Option<&str> {
        [TEMPLATE, DESTINATION].into_iter().find_map(|at| match &self.known[at] {
            Some(Fact::Text(text)) => Some(text.as_ref()),
            _ => None,
        })
    }
}

/// What several messages agree on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Agreement<'m> {
    facts: Option<Facts<'m>>,
    differs: [bool; KEYS.len()],
    captured_differ: Vec<Key>,
}

impl<'m> Agreement<'m> {
    pub(crate) fn add(&mut self, facts: &Facts<'m>) {
        let Some(agreed) = &mut self.facts else {
            self.facts = Some(facts.clone());
            return;
        };
        let differs = &mut self.differs;
        for ((agreed, fact), differs) in agreed.known.iter_mut().zip(&facts.known).zip(differs) {
            if *agreed != *fact {
                *agreed = None;
                *differs = true;
            }
        }
        let lost = agreed.captured.iter().filter(|header| !facts.captured.contains(header));
        let new = facts.captured.iter().filter(|header| !agreed.captured.contains(header));
        for header in lost.chain(new) {
            if !self.captured_differ.contains(&header.key) {
                self.captured_differ.push(header.key.clone());
            }
        }
        agreed.captured.retain(|header| !self.captured_differ.contains(&header.key));
    }

    pub(crate) fn into_owned(self) -> Agreement<'static> {
        Agreement {
            facts: self.facts.map(Facts::into_owned),
            differs: self.differs,
            captured_differ: self.captured_differ,
        }
    }

    /// The destination as a span's name may show it, where all agree on one.
    pub(crate) fn destination_for_a_name(&self) -> Option<&str> {
        self.facts.as_ref().and_then(Facts::destination_for_a_name)
    }

    /// The messaging system, where all agree on one.
    #[cfg(feature = "metrics")]
    pub(crate) fn system(&self) -> Option<&str> {
        match &self.facts.as_ref()?.known[SYSTEM] {
            Some(Fact::Text(system)) => Some(system),
            _ => None,
        }
    }

    /// What is agreed on of that which has few values. A destination's plain name is one of these
    /// only if the user gave it: what messages tell may be a name for each customer.
    #[cfg(feature = "metrics")]
    pub(crate) fn attributes_of_few_values(
        &self,
        destination_is_given: bool,
    ) -> impl Iterator<Item = KeyValue> {
        let has_few = move |at| match at {
            SYSTEM => true,
            DESTINATION => destination_is_given,
            TEMPLATE => !destination_is_given,
            _ => false,
        };
        self.attributes_where(has_few, |_| false)
    }

    /// The message's own id, if that is the same for all.
    pub(crate) fn message_id(&self) -> Option<&str> {
        match &self.facts.as_ref()?.known[ID] {
            Some(Fact::Text(id)) => Some(id),
            _ => None,
        }
    }

    /// How long ago the message was sent, if that is known and the same for all.
    pub(crate) fn age(&self) -> Option<Duration> {
        match &self.facts.as_ref()?.known[SENT_AT] {
            Some(Fact::Time(sent)) => age(*sent),
            _ => None,
        }
    }

    /// What the handler says goes before what its messages say.
    pub(crate) fn overrule(
        &mut self,
        system: Option<Cow<'m, str>>,
        destination: Option<Cow<'m, str>>,
    ) {
        let facts = self.facts.get_or_insert_default();
        if let Some(system) = system {
            facts.system(system);
            self.differs[SYSTEM] = false;
        }
        if let Some(destination) = destination {
            facts.destination(destination);
            facts.known[TEMPLATE] = None;
            self.differs[DESTINATION] = false;
            self.differs[TEMPLATE] = false;
        }
    }

    /// All that is agreed on.
    pub(crate) fn attributes(&self) -> impl Iterator<Item = KeyValue> {
        self.attributes_where(|_| true, |_| true)
    }

    /// What is agreed on here, of that on which `others` differ.
    pub(crate) fn attributes_where_differing(&self, others: &Self) -> Vec<KeyValue> {
        self.attributes_where(|at| others.differs[at], |key| others.captured_differ.contains(key))
            .collect()
    }

    fn attributes_where(
        &self,
        known: impl Fn(usize) -> bool,
        captured: impl Fn(&Key) -> bool,
    ) -> impl Iterator<Item = KeyValue> {
        let facts = self.facts.as_ref();
        let known = facts.into_iter().flat_map(|facts| facts.known.iter().enumerate()).filter_map(
            move |(at, fact)| {
                let fact = fact.as_ref().filter(|_| known(at))?;
                Some(match fact {
                    Fact::Text(text) => KeyValue::new(KEYS[at], text.clone().into_owned()),
                    Fact::Count(count) => {
                        KeyValue::new(KEYS[at], i64::try_from(*count).unwrap_or(i64::MAX))
                    }
                    Fact::Time(sent) => KeyValue::new(KEYS[at], age(*sent)?.as_secs_f64()),
                })
            },
        );
        let headers = facts.into_iter().flat_map(|facts| &facts.captured);
        known.chain(headers.filter(move |header| captured(&header.key)).cloned())
    }
}
