//! What a message tells about itself.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::KeyValue;

use super::fact_values::AttributeValue;
use super::known_facts::{
    ANONYMOUS, ATTEMPT, BODY_SIZE, CLIENT, CONSUMER_GROUP, CONVERSATION, DELIVERY_TAG, DESTINATION,
    ENVELOPE_SIZE, Fact, ID, KAFKA_KEY, KAFKA_OFFSET, KAFKA_TOMBSTONE, KnownFacts, PARTITION,
    Places, ROUTING_KEY, SENT_AT, SERVER_ADDRESS, SERVER_PORT, SUBSCRIPTION, SYSTEM, TEMPLATE,
    TEMPORARY,
};

/// What a message tells about itself: filled by [`Message::describe`](crate::Message::describe).
///
/// Each setter returns the builder, so that calls can be chained; what a message does not know is
/// left out, and an empty text tells nothing. A fact that the conventions do not know on some
/// operation's span is left out there: no body's size on a settlement, no consumer group on a send.
///
/// ```
/// use throughline::Facts;
///
/// fn describe<'m>(topic: &'m str, facts: &mut Facts<'m>) {
///     facts.system("kafka").destination(topic).partition("3").kafka_offset(42).body_size(120);
/// }
/// # let _ = describe;
/// ```
#[derive(Debug, Default, Clone)]
pub struct Facts<'m> {
    pub(super) known: KnownFacts<'m>,
    /// Attributes that have no setter: those of a system, and headers that the handler wants.
    pub(super) others: Vec<KeyValue>,
    /// The destination's plain name is one of too many for a span's name.
    pub(super) destination_varies: bool,
    /// Where the user has the word already, and the message is not heard.
    pub(super) overruled: Places,
}

impl<'m> Facts<'m> {
    /// The messaging system, as `messaging.system` names it: `kafka`, `rabbitmq`, `aws_sqs`.
    pub fn system(&mut self, system: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(SYSTEM, system.into())
    }

    /// The same by the name that we have for it.
    pub(crate) fn own_system(&mut self, system: &'static str) -> &mut Self {
        self.set(SYSTEM, Fact::Said(Cow::Borrowed(system)))
    }

    /// The topic, queue or subject the message was sent to. It becomes part of the span's name, so
    /// it must be one of few; see [`varying_destination`](Self::varying_destination).
    pub fn destination(&mut self, destination: impl Into<Cow<'m, str>>) -> &mut Self {
        self.destination_that(false, destination.into())
    }

    /// A destination whose name may be one of many, such as a subject with a customer's number in
    /// it: it stands on the span, and never in a span's name or a metric. The handler says what is
    /// to stand there, by `destination_template` or `destination`.
    ///
    /// ```
    /// use throughline::Facts;
    ///
    /// fn describe<'m>(subject: &'m str, facts: &mut Facts<'m>) {
    ///     facts.system("nats").varying_destination(subject); // orders.4711
    /// }
    /// # let _ = describe;
    /// ```
    pub fn varying_destination(&mut self, destination: impl Into<Cow<'m, str>>) -> &mut Self {
        self.destination_that(true, destination.into())
    }

    /// The destination's pattern, where its name has too many values for a span's name:
    /// `orders.{customer}`.
    pub fn destination_template(&mut self, template: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(TEMPLATE, template.into())
    }

    /// The destination goes away with whoever uses it. Its name stands in no span's name.
    pub fn temporary_destination(&mut self) -> &mut Self {
        self.set(TEMPORARY, Fact::True)
    }

    /// The destination has no name of its own, but one that the broker made up. That stands in no
    /// span's name.
    pub fn anonymous_destination(&mut self) -> &mut Self {
        self.set(ANONYMOUS, Fact::True)
    }

    /// The partition of the destination, one of few.
    pub fn partition(&mut self, partition: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(PARTITION, partition.into())
    }

    /// The subscription to the destination that the message came by, one of few.
    pub fn subscription(&mut self, subscription: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(SUBSCRIPTION, subscription.into())
    }

    /// The group of consumers that the message was given to, one of few.
    pub fn consumer_group(&mut self, group: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(CONSUMER_GROUP, group.into())
    }

    /// The id of the client that sends or consumes.
    pub fn client_id(&mut self, id: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(CLIENT, id.into())
    }

    /// The broker's host name or address, one of few.
    pub fn server_address(&mut self, address: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(SERVER_ADDRESS, address.into())
    }

    /// The broker's port.
    pub fn server_port(&mut self, port: u16) -> &mut Self {
        self.set(SERVER_PORT, Fact::Count(port.into()))
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

    /// The size of the body and all that goes with it, in bytes.
    pub fn envelope_size(&mut self, bytes: u64) -> &mut Self {
        self.set(ENVELOPE_SIZE, Fact::Count(bytes))
    }

    /// The key of a record of Kafka. A record without one tells none (conventions, "Kafka").
    pub fn kafka_key(&mut self, key: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(KAFKA_KEY, key.into())
    }

    /// The place of a record of Kafka in its partition.
    pub fn kafka_offset(&mut self, offset: u64) -> &mut Self {
        self.set(KAFKA_OFFSET, Fact::Count(offset))
    }

    /// The record of Kafka has no value: it deletes what stands under its key.
    pub fn kafka_tombstone(&mut self) -> &mut Self {
        self.set(KAFKA_TOMBSTONE, Fact::True)
    }

    /// The routing key of a message of RabbitMQ.
    pub fn rabbitmq_routing_key(&mut self, key: impl Into<Cow<'m, str>>) -> &mut Self {
        self.text(ROUTING_KEY, key.into())
    }

    /// The number by which RabbitMQ is told what became of a delivery.
    pub fn rabbitmq_delivery_tag(&mut self, tag: u64) -> &mut Self {
        self.set(DELIVERY_TAG, Fact::Count(tag))
    }

    /// When it was sent, by the broker's or the sender's clock.
    pub fn sent_at(&mut self, time: SystemTime) -> &mut Self {
        self.set(SENT_AT, Fact::Time(time))
    }

    /// Which delivery this is, counted from 1.
    pub fn attempt(&mut self, attempt: u64) -> &mut Self {
        self.set(ATTEMPT, Fact::Count(attempt))
    }

    /// A fact that has no setter here: an attribute of one messaging system, by the name that the
    /// conventions give it.
    ///
    /// ```
    /// use throughline::Facts;
    ///
    /// fn describe<'m>(tag: &'m str, facts: &mut Facts<'m>) {
    ///     facts.system("rocketmq").attribute("messaging.rocketmq.message.tag", tag);
    /// }
    /// # let _ = describe;
    /// ```
    pub fn attribute(&mut self, key: &'static str, value: impl Into<AttributeValue>) -> &mut Self {
        if let Some(new) = value.into().into_key_value(key) {
            self.others.retain(|known| known.key.as_str() != key);
            self.others.push(new);
        }
        self
    }

    /// Adds the headers that were captured.
    pub(crate) fn capture(&mut self, headers: &[KeyValue]) {
        self.others.extend_from_slice(headers);
    }

    /// As new, with the room that there is.
    #[inline]
    pub(crate) fn clear(&mut self) {
        if !self.is_empty() {
            self.known.clear();
            self.others.clear();
        }
        self.destination_varies = false;
        self.overruled = Places::default();
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.known.len() + self.others.len()
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills in when the message was sent where the message itself does not know.
    pub(crate) fn sent_at_unless_known(&mut self, noted: SystemTime) {
        if !self.known.has(SENT_AT) {
            self.sent_at(noted);
        }
    }

    /// When the message was sent.
    #[inline(never)]
    pub(crate) fn time_sent(&self) -> Option<SystemTime> {
        match self.known.get(SENT_AT) {
            Some(Fact::Time(sent)) => Some(*sent),
            _ => None,
        }
    }

    pub(super) fn into_owned(self) -> Facts<'static> {
        Facts {
            known: self.known.into_owned(),
            others: self.others,
            destination_varies: self.destination_varies,
            overruled: self.overruled,
        }
    }

    #[inline]
    fn destination_that(&mut self, varies: bool, destination: Cow<'m, str>) -> &mut Self {
        if !destination.is_empty() && !self.overruled.has(DESTINATION) {
            self.destination_varies = varies;
        }
        self.text(DESTINATION, destination)
    }

    #[inline]
    fn text(&mut self, at: usize, text: Cow<'m, str>) -> &mut Self {
        // An empty text tells nothing: a broker's default for "not set".
        if text.is_empty() { self } else { self.set(at, Fact::Text(text)) }
    }

    #[inline]
    fn set(&mut self, at: usize, fact: Fact<'m>) -> &mut Self {
        if !self.overruled.has(at) {
            self.known.set(at, fact);
        }
        self
    }

    #[inline(never)]
    pub(super) fn text_at(&self, at: usize) -> Option<&str> {
        self.known.get(at).and_then(Fact::as_text)
    }

    /// The destination as a span's name may show it: the template, which has few values, before
    /// the name (conventions, "Span name").
    #[inline(never)]
    pub(super) fn destination_for_a_name(&self) -> Option<&str> {
        let has_few_names =
            !self.destination_varies && !self.known.has(TEMPORARY) && !self.known.has(ANONYMOUS);
        let name = || self.text_at(DESTINATION).filter(|_| has_few_names);
        self.text_at(TEMPLATE).or_else(name)
    }
}
