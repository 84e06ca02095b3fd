//! What several messages agree on.

use std::mem;
use std::sync::LazyLock;
use std::time::Duration;

use opentelemetry::{Key, KeyValue};

use super::facts::Facts;
#[cfg(feature = "metrics")]
use super::known_facts::{
    CONSUMER_GROUP, Fact, PARTITION, SERVER_ADDRESS, SERVER_PORT, SUBSCRIPTION, SYSTEM, TEMPLATE,
};
use super::known_facts::{DESTINATION, ID, KEYS, Places};
use super::notes::age;
use super::said::Said;
use crate::rare::Rare;
use crate::semconv::Operations;

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

impl<'m> Agreement<'m> {
    /// Takes those of a single message, which nobody differs from. Most tell none, and none are moved.
    #[inline]
    pub(crate) fn take_only(&mut self, facts: &mut Facts<'m>) {
        if !facts.is_empty() {
            *self.facts = Some(mem::take(facts));
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

    fn compare(&mut self, facts: &Facts<'m>) {
        let Some(agreed) = &mut *self.facts else { return };
        let differing = agreed.known.differing(&facts.known);
        agreed.destination_varies |= facts.destination_varies;
        if differing.are_none() && agreed.others == facts.others {
            return;
        }
        let Differences { known: differs, others: others_differ } =
            &mut **self.differences.get_or_insert_default();
        *differs = differs.and(differing);
        agreed.known.remove_all(differing);
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
        if !agreed.known.has(DESTINATION) {
            agreed.destination_varies |= of_all.destination_varies;
        }
        for (at, fact) in of_all.known {
            if !agreed.known.has(at) && !differences.is_some_and(|it| it.known.has(at)) {
                agreed.known.set(at, fact);
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

    /// Adds to a list what is agreed on of that which has few values. A destination's plain name is one of
    /// these only if the user gave it: what messages tell may be a name for each customer.
    #[cfg(feature = "metrics")]
    pub(crate) fn add_attributes_of_few_values(
        &self,
        attributes: &mut Vec<KeyValue>,
        operation_type: &str,
    ) {
        let destination = self.facts.as_ref().and_then(|facts| facts.known.get(DESTINATION));
        let destination_is_given = matches!(destination, Some(Fact::Said(_)));
        let has_few = |at| match at {
            SYSTEM | TEMPLATE | PARTITION | SUBSCRIPTION | CONSUMER_GROUP | SERVER_ADDRESS
            | SERVER_PORT => true,
            DESTINATION => destination_is_given,
            _ => false,
        };
        self.add_attributes_where(attributes, operation_type, has_few, |_| false);
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
        // Most messages tell nothing of themselves, and then nothing is outdated.
        let Some(facts) = &mut *self.facts else {
            *self.facts = Some(said.into_facts());
            return;
        };
        facts.destination_varies &= !said.says(DESTINATION);
        let outdated = said.outdated();
        if let Some(differences) = &mut *self.differences {
            differences.known = differences.known.but(outdated.and(said.places()));
        }
        let said = said.into_facts().known;
        if facts.known.is_empty() {
            facts.known = said;
            return;
        }
        facts.known.remove_all(outdated);
        for (at, fact) in said {
            facts.known.set(at, fact);
        }
    }

    /// How much is agreed on.
    pub(crate) fn len(&self) -> usize {
        self.facts.as_ref().map_or(0, Facts::len)
    }

    /// Adds to a list what is agreed on and belongs on the span of such an operation.
    pub(crate) fn add_attributes(&self, attributes: &mut Vec<KeyValue>, operation_type: &str) {
        self.add_attributes_where(attributes, operation_type, |_| true, |_| true);
    }

    /// All that is agreed on and belongs on the span of such an operation.
    pub(crate) fn attributes(&self, operation_type: &str) -> Vec<KeyValue> {
        let mut attributes = Vec::new();
        self.add_attributes(&mut attributes, operation_type);
        attributes
    }

    /// What is agreed on here, of that on which `others` differ.
    pub(crate) fn attributes_where_differing(
        &self,
        others: &Self,
        operation_type: &str,
    ) -> Vec<KeyValue> {
        let mut attributes = Vec::new();
        if let Some(differences) = &*others.differences {
            self.add_attributes_where(
                &mut attributes,
                operation_type,
                |at| differences.known.has(at),
                |key| differences.others.contains(key),
            );
        }
        attributes
    }

    fn add_attributes_where(
        &self,
        attributes: &mut Vec<KeyValue>,
        operation_type: &str,
        known_is: impl Fn(usize) -> bool,
        other_is: impl Fn(&Key) -> bool,
    ) {
        let Some(facts) = &*self.facts else { return };
        let (operation, operations) = (Operations::of_type(operation_type), &*OPERATIONS);
        for (at, fact) in facts.known.iter() {
            if known_is(at) && operations[at].has_any(operation) {
                fact.add_attribute(KEYS[at], attributes);
            }
        }
        for other in &facts.others {
            let key = other.key.as_str();
            // Set twice it would be exported twice.
            let is_known = || facts.known.iter().any(|(at, _)| KEYS[at] == key);
            let belongs = || Operations::that_tell(key).has_any(operation);
            if other_is(&other.key) && belongs() && !is_known() {
                attributes.push(other.clone());
            }
        }
    }
}

/// Those on whose spans each fact belongs, by its place.
static OPERATIONS: LazyLock<[Operations; KEYS.len()]> =
    LazyLock::new(|| KEYS.map(Operations::that_tell));
