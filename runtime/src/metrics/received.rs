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

/// More than this, and all messages are taken to be polled for.
const MAX_SOURCES: usize = 256;

static SOURCES: RwLock<Vec<Source>> = RwLock::new(Vec::new());

/// A poll has brought messages from there.
pub(super) fn add(system: Option<&str>, destination: Option<&str>) {
    let is_known = |sources: &[Source]| {
        sources.len() > MAX_SOURCES || sources.iter().any(|it| it.is(system, destination))
    };
    if is_known(&SOURCES.read().unwrap_or_else(PoisonError::into_inner)) {
        return;
    }
    let mut sources = SOURCES.write().unwrap_or_else(PoisonError::into_inner);
    if is_known(&sources) {
        return;
    }
    let is_full = sources.len() == MAX_SOURCES;
    let (system, destination) = if is_full { (None, None) } else { (system, destination) };
    let owned = |text: &str| text.to_owned();
    sources.push(Source { system: system.map(owned), destination: destination.map(owned) });
}

/// Whether polls count the messages from there.
pub(super) fn counts(system: Option<&str>, destination: Option<&str>) -> bool {
    let sources = SOURCES.read().unwrap_or_else(PoisonError::into_inner);
    sources.iter().any(|source| source.may_be(system, destination))
}
