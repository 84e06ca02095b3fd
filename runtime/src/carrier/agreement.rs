//! What several messages agree on.

use std::time::Duration;

use opentelemetry::{Key, KeyValue};

#[cfg(feature = "metrics")]
use super::facts::{
    CONSUMER_GROUP, Fact, PARTITION, SERVER_ADDRESS, SERVER_PORT, SUBSCRIPTION, SYSTEM, TEMPLATE,
};
use super::facts::{DESTINATION, Facts, ID, KEYS};
use super::notes::age;
use super::said::Said;
use crate::rare::Rare;
use crate::semconv::belongs_on;

/// What several messages agree on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Agreement<'m> {
    facts: Rare<Facts<'m>>,
    /// Boxed, for a single message has none.
    differences: Rare<Box<Differences>>,
}

/// What several messages do not agree on.
#[derive(Debug, Clone, Default)]
struct Differences {
    known: Places,
    others: Vec<Key>,
}

/// Some places of facts.
#[derive(Debug, Clone, Copy, Default)]
struct Places(u32);

const _: () = assert!(KEYS.len() <= 32, "each has a bit");

impl Places {
    fn add(&mut self, at: usize) {
        self.0 |= 1 << at;
    }

    fn remove(&mut self, at: usize) {
        self.0 &= !(1 << at);
    }

    fn has(self, at: usize) -> bool {
        self.0 & (1 << at) != 0
    }
}

impl<'m> Agreement<'m> {
    /// Takes those of a single message, which nobody differs from.
    #[inline]
    pub(crate) fn take_only(&mut self, facts: Facts<'m>) {
        let Facts { known, others, destination_varies } = facts;
        if !known.is_empty() || !others.is_empty() {
            *self.facts = Some(Facts { known, others, destination_varies });
        }
    }

    /// Of one more message.
    #[inline]
    pub(crate) fn add(&mut self, facts: &Facts<'m>) {
        match &mut *self.facts {
            None => *self.facts = Some(facts.clone()),
            Some(agreed) if agreed.is_empty() && facts.is_empty() => {}
            Some(_) => self.compare(facts),
        }
    }

    /// The same, where they are not needed any more.
    pub(crate) fn add_owned(&mut self, facts: Facts<'m>) {
        if self.facts.is_some() {
            self.add(&facts);
        } else {
            *self.facts = Some(facts);
        }
    }

    fn compare(&mut self, facts: &Facts<'m>) {
        let Some(agreed) = &mut *self.facts else { return };
        if agreed.known == facts.known && agreed.others == facts.others {
            agreed.destination_varies |= facts.destination_varies;
            return;
        }
        let Differences { known: differs, others: others_differ } =
            &mut **self.differences.get_or_insert_default();
        agreed.known.retain(|(at, fact)| {
            let is_same = facts.get(*at) == Some(fact);
            if !is_same {
                differs.add(*at);
            }
            is_same
        });
        for (at, _) in &facts.known {
            if agreed.get(*at).is_none() {
                differs.add(*at);
            }
        }
        agreed.destination_varies |= facts.destination_varies;
        let lost = agreed.others.iter().filter(|other| !facts.others.contains(other));
        let new = facts.others.iter().filter(|other| !agreed.others.contains(other));
        for other in lost.chain(new) {
            if !others_differ.contains(&other.key) {
                others_differ.push(other.key.clone());
            }
        }
        agreed.others.retain(|other| !others_differ.contains(&other.key));
    }

    /// Adds what the batch says of all its messages, where they say nothing themselves.
    pub(crate) fn complete(&mut self, of_all: Facts<'m>) {
        let differences = self.differences.as_deref();
        let agreed = self.facts.get_or_insert_default();
        if agreed.get(DESTINATION).is_none() {
            agreed.destination_varies |= of_all.destination_varies;
        }
        for (at, fact) in of_all.known {
            if agreed.get(at).is_none() && !differences.is_some_and(|it| it.known.has(at)) {
                agreed.set(at, fact);
            }
        }
        let is_new = |other: &KeyValue| {
            let is_same = |known: &KeyValue| known.key == other.key;
            !differences.is_some_and(|it| it.others.contains(&other.key))
                && !agreed.others.iter().any(is_same)
        };
        let new: Vec<KeyValue> = of_all.others.into_iter().filter(is_new).collect();
        agreed.others.extend(new);
    }

    pub(crate) fn into_owned(mut self) -> Agreement<'static> {
        let facts = self.facts.take().map(Facts::into_owned);
        Agreement { facts: facts.into(), differences: self.differences }
    }

    /// The destination as a span's name may show it, where all agree on one.
    #[inline]
    pub(crate) fn destination_for_a_name(&self) -> Option<&str> {
        self.facts.as_ref().and_then(Facts::destination_for_a_name)
    }

    /// The destination's plain name, where all agree on one.
    #[cfg(feature = "tracing")]
    pub(crate) fn destination(&self) -> Option<&str> {
        self.facts.as_ref()?.text_at(DESTINATION)
    }

    /// The messaging system, where all agree on one.
    #[cfg(feature = "metrics")]
    pub(crate) fn system(&self) -> Option<&str> {
        self.facts.as_ref()?.text_at(SYSTEM)
    }

    /// What is agreed on of that which has few values. A destination's plain name is one of these
    /// only if the user gave it: what messages tell may be a name for each customer.
    #[cfg(feature = "metrics")]
    pub(crate) fn attributes_of_few_values(
        &self,
        operation_type: &str,
    ) -> impl Iterator<Item = KeyValue> {
        let destination = self.facts.as_ref().and_then(|facts| facts.get(DESTINATION));
        let destination_is_given = matches!(destination, Some(Fact::Said(_)));
        let has_few = move |at| match at {
            SYSTEM | TEMPLATE | PARTITION | SUBSCRIPTION | CONSUMER_GROUP | SERVER_ADDRESS
            | SERVER_PORT => true,
            DESTINATION => destination_is_given,
            _ => false,
        };
        self.attributes_where(operation_type, has_few, |_| false)
    }

    /// The message's own id, if that is the same for all.
    #[inline]
    pub(crate) fn message_id(&self) -> Option<&str> {
        self.facts.as_ref()?.text_at(ID)
    }

    /// How long ago the message was sent, if that is known and the same for all.
    #[inline]
    pub(crate) fn age(&self) -> Option<Duration> {
        age(self.facts.as_ref()?.time_sent()?)
    }

    /// What the user says goes before what the messages say.
    #[inline]
    pub(crate) fn overrule(&mut self, said: Said) {
        if !said.is_nothing() {
            self.overrule_by(said);
        }
    }

    #[inline(never)]
    fn overrule_by(&mut self, said: Said) {
        let facts = self.facts.get_or_insert_default();
        facts.destination_varies &= !said.says(DESTINATION);
        for at in said.outdated() {
            facts.known.retain(|(known, _)| *known != at);
        }
        if let Some(differences) = &mut *self.differences {
            let settled = said.outdated().chain(said.places());
            settled.for_each(|at| differences.known.remove(at));
        }
        if facts.known.is_empty() {
            facts.known = said.into_facts();
        } else {
            for (at, fact) in said.into_facts() {
                facts.set(at, fact);
            }
        }
    }

    /// How much is agreed on.
    pub(crate) fn len(&self) -> usize {
        self.facts.as_ref().map_or(0, Facts::len)
    }

    /// Adds to a list what is agreed on and belongs on the span of such an operation.
    pub(crate) fn add_attributes(&self, attributes: &mut Vec<KeyValue>, operation_type: &str) {
        if self.facts.is_some() {
            attributes.extend(self.attributes(operation_type));
        }
    }

    /// All that is agreed on and belongs on the span of such an operation.
    pub(crate) fn attributes(&self, operation_type: &str) -> impl Iterator<Item = KeyValue> {
        self.attributes_where(operation_type, |_| true, |_| true)
    }

    /// What is agreed on here, of that on which `others` differ.
    pub(crate) fn attributes_where_differing(
        &self,
        others: &Self,
        operation_type: &str,
    ) -> Vec<KeyValue> {
        let Some(differences) = &*others.differences else { return Vec::new() };
        self.attributes_where(
            operation_type,
            |at| differences.known.has(at),
            |key| differences.others.contains(key),
        )
        .collect()
    }

    fn attributes_where(
        &self,
        operation_type: &str,
        known_is: impl Fn(usize) -> bool,
        other_is: impl Fn(&Key) -> bool,
    ) -> impl Iterator<Item = KeyValue> {
        let facts = self.facts.as_ref();
        let known = facts.into_iter().flat_map(|facts| &facts.known);
        let known = known.filter_map(move |(at, fact)| {
            let belongs = known_is(*at) && belongs_on(KEYS[*at], operation_type);
            belongs.then(|| fact.attribute(KEYS[*at])).flatten()
        });
        let others = facts.into_iter().flat_map(|facts| &facts.others);
        let others = others.filter(move |other| {
            let key = other.key.as_str();
            // Set twice it would be exported twice.
            let is_known = |facts: &Facts<'_>| facts.known.iter().any(|(at, _)| KEYS[*at] == key);
            other_is(&other.key) && belongs_on(key, operation_type) && !facts.is_some_and(is_known)
        });
        known.chain(others.cloned())
    }
}
