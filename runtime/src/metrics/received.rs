//! What this process polls for with a span of its own: those messages are counted by the poll, and
//! their handlers don't count them again.
//!
//! A poll ends before what it brought is handled, so the first message is counted once as well.

use std::sync::{PoisonError, RwLock};

/// Where messages were polled from. What is not known may be anything.
#[derive(Debug, PartialEq, Eq)]
struct Source {
    system: Option<String>,
    destination: Option<String>,
}

impl Source {
    fn may_be(&self, system: Option<&str>, destination: Option<&str>) -> bool {
        let may_be = |known: &Option<String>, other: Option<&str>| match (known, other) {
            (Some(known), Some(other)) => known == other,
            _ => true,
        };
        may_be(&self.system, system) && may_be(&self.destination, destination)
    }

    fn is(&self, system: Option<&str>, destination: Option<&str>) -> bool {
        self.system.as_deref() == system && self.destination.as_deref() == destination
    }
}

/// Each source once.
#[derive(Debug)]
struct Sources(Vec<Source>);

impl Sources {
    /// More than this, and all messages are taken to be polled for.
    const MAX: usize = 256;

    fn has(&self, system: Option<&str>, destination: Option<&str>) -> bool {
        self.0.len() > Self::MAX || self.0.iter().any(|it| it.is(system, destination))
    }

    fn add(&mut self, system: Option<&str>, destination: Option<&str>) {
        if self.has(system, destination) {
            return;
        }
        let is_full = self.0.len() == Self::MAX;
        let (system, destination) = if is_full { (None, None) } else { (system, destination) };
        let owned = |text: &str| text.to_owned();
        self.0.push(Source { system: system.map(owned), destination: destination.map(owned) });
    }

    fn may_have(&self, system: Option<&str>, destination: Option<&str>) -> bool {
        self.0.iter().any(|source| source.may_be(system, destination))
    }
}

static SOURCES: RwLock<Sources> = RwLock::new(Sources(Vec::new()));

/// A poll has brought messages from there.
pub(super) fn add(system: Option<&str>, destination: Option<&str>) {
    let is_known = SOURCES.read().unwrap_or_else(PoisonError::into_inner).has(system, destination);
    if !is_known {
        SOURCES.write().unwrap_or_else(PoisonError::into_inner).add(system, destination);
    }
}

/// Whether polls count the messages from there.
pub(super) fn counts(system: Option<&str>, destination: Option<&str>) -> bool {
    SOURCES.read().unwrap_or_else(PoisonError::into_inner).may_have(system, destination)
}

#[cfg(test)]
mod tests {
    use super::Sources;

    #[test]
    fn what_is_not_known_may_be_any() {
        let mut sources = Sources(Vec::new());
        assert!(!sources.may_have(None, None));
        sources.add(Some("kafka"), Some("orders"));
        sources.add(None, Some("invoices"));
        assert!(sources.may_have(Some("kafka"), Some("orders")));
        assert!(sources.may_have(None, Some("orders")) && sources.may_have(Some("kafka"), None));
        assert!(sources.may_have(Some("rabbitmq"), Some("invoices")));
        assert!(!sources.may_have(Some("rabbitmq"), Some("orders")));
        assert!(!sources.may_have(Some("kafka"), Some("mails")));
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for() {
        let mut sources = Sources(Vec::new());
        for number in 0..2 * Sources::MAX {
            sources.add(None, Some(&(number / 2).to_string()));
        }
        assert_eq!(sources.0.len(), Sources::MAX, "each once");
        assert!(!sources.may_have(None, Some("another")));
        for number in 0..10 {
            sources.add(None, Some(&format!("{number} too many")));
        }
        assert_eq!(sources.0.len(), Sources::MAX + 1);
        assert!(sources.may_have(None, Some("another")));
    }
}
