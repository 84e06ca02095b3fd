//! The facts that have a setter, each with a place of its own.

use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::KeyValue;

use super::notes::age;
use crate::semconv::key;

#[derive(Debug, Clone)]
pub(super) enum Fact<'m> {
    Text(Cow<'m, str>),
    /// What the user says, or a client's own name: it need not be copied.
    Said(Cow<'static, str>),
    Count(u64),
    Time(SystemTime),
    True,
}

/// The attribute each fact becomes, by its place.
pub(super) const KEYS: [&str; 22] = [
    key::SYSTEM,
    key::DESTINATION_NAME,
    key::DESTINATION_TEMPLATE,
    key::DESTINATION_TEMPORARY,
    key::DESTINATION_ANONYMOUS,
    key::PARTITION_ID,
    key::SUBSCRIPTION_NAME,
    key::CONSUMER_GROUP_NAME,
    key::CLIENT_ID,
    key::SERVER_ADDRESS,
    key::SERVER_PORT,
    key::MESSAGE_ID,
    key::CONVERSATION_ID,
    key::BODY_SIZE,
    key::ENVELOPE_SIZE,
    key::KAFKA_MESSAGE_KEY,
    key::KAFKA_OFFSET,
    key::KAFKA_TOMBSTONE,
    key::RABBITMQ_ROUTING_KEY,
    key::RABBITMQ_DELIVERY_TAG,
    key::MESSAGE_AGE,
    key::MESSAGE_ATTEMPT,
];
pub(super) const SYSTEM: usize = 0;
pub(super) const DESTINATION: usize = 1;
pub(super) const TEMPLATE: usize = 2;
pub(super) const TEMPORARY: usize = 3;
pub(super) const ANONYMOUS: usize = 4;
pub(super) const PARTITION: usize = 5;
pub(super) const SUBSCRIPTION: usize = 6;
pub(super) const CONSUMER_GROUP: usize = 7;
pub(super) const CLIENT: usize = 8;
pub(super) const SERVER_ADDRESS: usize = 9;
pub(super) const SERVER_PORT: usize = 10;
pub(super) const ID: usize = 11;
pub(super) const CONVERSATION: usize = 12;
pub(super) const BODY_SIZE: usize = 13;
pub(super) const ENVELOPE_SIZE: usize = 14;
pub(super) const KAFKA_KEY: usize = 15;
pub(super) const KAFKA_OFFSET: usize = 16;
pub(super) const KAFKA_TOMBSTONE: usize = 17;
pub(super) const ROUTING_KEY: usize = 18;
pub(super) const DELIVERY_TAG: usize = 19;
pub(super) const SENT_AT: usize = 20;
pub(super) const ATTEMPT: usize = 21;

/// Some places of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Places(u32);

const _: () = assert!(KEYS.len() <= 32, "each has a bit");

impl Places {
    #[inline]
    pub(super) const fn of(at: usize) -> Self {
        Self(1 << at)
    }

    #[inline]
    pub(super) const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(super) const fn but(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    #[inline]
    pub(super) fn are_none(self) -> bool {
        self.0 == 0
    }

    #[inline]
    pub(super) fn has(self, at: usize) -> bool {
        self.has_any(Self::of(at))
    }

    #[inline]
    pub(super) fn has_any(self, of_these: Self) -> bool {
        self.0 & of_these.0 != 0
    }
}

/// What is told, once at each place.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownFacts<'m> {
    /// With their places, in the order in which they were told.
    facts: Vec<(usize, Fact<'m>)>,
    /// Those of all of them: most questions are for what is not there.
    places: Places,
}

impl<'m> KnownFacts<'m> {
    /// Room for as many as most messages tell that tell any.
    const ROOM: usize = 8;

    /// Takes one, in place of what was told there before. Most are told once, and are written where they stay:
    /// what is made apart and then moved is waited for.
    #[inline]
    pub(super) fn set(&mut self, at: usize, fact: Fact<'m>) {
        if self.places.has(at) || self.facts.len() == self.facts.capacity() {
            self.set_again_or_grow(at, fact);
        } else {
            self.facts.push((at, fact));
            self.places = self.places.and(Places::of(at));
        }
    }

    #[inline(never)]
    fn set_again_or_grow(&mut self, at: usize, fact: Fact<'m>) {
        if let Some((_, known)) = self.facts.iter_mut().find(|(known, _)| *known == at) {
            *known = fact;
            return;
        }
        if self.facts.capacity() == 0 {
            self.facts = Vec::with_capacity(Self::ROOM);
        }
        self.facts.push((at, fact));
        self.places = self.places.and(Places::of(at));
    }

    pub(super) fn remove_all(&mut self, at: Places) {
        if !self.places.has_any(at) {
            return;
        }
        self.facts.retain(|(known, _)| !at.has(*known));
        self.places = self.places.but(at);
    }

    /// Removes all of them, and keeps the room.
    pub(super) fn clear(&mut self) {
        self.facts.clear();
        self.places = Places::default();
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&Fact<'m>> {
        if !self.places.has(at) {
            return None;
        }
        self.facts.iter().find(|(known, _)| *known == at).map(|(_, fact)| fact)
    }

    #[inline]
    pub(super) fn has(&self, at: usize) -> bool {
        self.places.has(at)
    }

    pub(super) fn places(&self) -> Places {
        self.places
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.facts.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Fact<'m>)> {
        self.facts.iter().map(|(at, fact)| (*at, fact))
    }

    /// Where they do not tell the same.
    pub(super) fn differing(&self, others: &KnownFacts<'_>) -> Places {
        let only_there = others.places.but(self.places);
        let differing = self.iter().filter(|(at, fact)| others.get(*at) != Some(fact));
        differing.fold(only_there, |differing, (at, _)| differing.and(Places::of(at)))
    }

    pub(super) fn into_owned(self) -> KnownFacts<'static> {
        let facts = self.facts.into_iter().map(|(at, fact)| (at, fact.into_owned()));
        KnownFacts { facts: facts.collect(), places: self.places }
    }
}

impl<'m> IntoIterator for KnownFacts<'m> {
    type Item = (usize, Fact<'m>);
    type IntoIter = std::vec::IntoIter<(usize, Fact<'m>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.facts.into_iter()
    }
}

/// Told by whomever.
impl PartialEq for Fact<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Fact::Count(one), Fact::Count(other)) => one == other,
            (Fact::Time(one), Fact::Time(other)) => one == other,
            (Fact::True, Fact::True) => true,
            _ => self.as_text().is_some() && self.as_text() == other.as_text(),
        }
    }
}

impl Fact<'_> {
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Fact::Text(text) | Fact::Said(text) => Some(text),
            Fact::Count(_) | Fact::Time(_) | Fact::True => None,
        }
    }

    fn into_owned(self) -> Fact<'static> {
        match self {
            Fact::Text(text) => Fact::Text(Cow::Owned(text.into_owned())),
            Fact::Said(text) => Fact::Said(text),
            Fact::Count(count) => Fact::Count(count),
            Fact::Time(time) => Fact::Time(time),
            Fact::True => Fact::True,
        }
    }

    /// Adds it to a list as an attribute; a time as the age that it has now.
    #[inline]
    pub(super) fn add_attribute(&self, key: &'static str, attributes: &mut Vec<KeyValue>) {
        match self {
            Fact::Text(text) => push(attributes, || KeyValue::new(key, String::from(&**text))),
            // What is not owned need not be asked again what it is.
            Fact::Said(Cow::Borrowed(text)) => push(attributes, || KeyValue::new(key, *text)),
            Fact::Said(Cow::Owned(text)) => push(attributes, || KeyValue::new(key, text.clone())),
            Fact::Count(count) => {
                let count = i64::try_from(*count).unwrap_or(i64::MAX);
                push(attributes, || KeyValue::new(key, count));
            }
            Fact::Time(sent) => {
                let age = age(*sent).map(|age| KeyValue::new(key, age.as_secs_f64()));
                attributes.extend(age);
            }
            Fact::True => push(attributes, || KeyValue::new(key, true)),
        }
    }
}

/// Adds an attribute that is made where it stays.
#[inline]
fn push(attributes: &mut Vec<KeyValue>, attribute: impl FnOnce() -> KeyValue) {
    attributes.extend(std::iter::once_with(attribute));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<const N: usize>(facts: [(usize, u64); N]) -> KnownFacts<'static> {
        let mut known = KnownFacts::default();
        for (at, count) in facts {
            known.set(at, Fact::Count(count));
        }
        known
    }

    #[test]
    fn a_place_has_what_was_told_there_last_and_nothing_when_that_is_removed() {
        let mut known = told([(ID, 1), (SYSTEM, 2), (ID, 3)]);
        assert_eq!((known.len(), known.get(ID)), (2, Some(&Fact::Count(3))));
        assert_eq!(known.iter().map(|(at, _)| at).collect::<Vec<_>>(), [ID, SYSTEM]);

        known.remove_all(Places::of(ID).and(Places::of(CLIENT)));
        assert!(!known.has(ID) && known.get(ID).is_none() && known.has(SYSTEM));
        known.set(ID, Fact::Count(4));
        assert_eq!(known.get(ID), Some(&Fact::Count(4)));

        known.clear();
        assert!(known.is_empty() && known.places().are_none() && !known.has(SYSTEM));
    }

    #[test]
    fn what_differs_is_what_only_one_tells_or_both_tell_otherwise() {
        let [one, other] = [
            told([(ID, 1), (SYSTEM, 2), (CLIENT, 3)]),
            told([(CLIENT, 4), (SERVER_PORT, 5), (SYSTEM, 2)]),
        ];
        let differing = [ID, CLIENT, SERVER_PORT]
            .map(Places::of)
            .into_iter()
            .fold(Places::default(), Places::and);
        assert_eq!(one.differing(&other), differing);
        assert_eq!(other.differing(&one), differing);
        assert!(one.differing(&one.clone()).are_none());
        assert_eq!(one.clone().into_owned().differing(&one), Places::default());
    }
}
