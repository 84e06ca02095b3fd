//! How many of the messages handled had a context: counted, and told to the log where they had none.

use crate::carrier::{Agreement, Reading};
use crate::fault::Fault;
use crate::relation::{Kind, Placement, Reason};
#[cfg(feature = "tracing")]
use crate::semconv::{event, key};
use crate::span::Site;
use crate::tally::{self, Counter};

const READABLE: Counter = Counter(tally::OF_CONTEXTS);
const NONE: Counter = Counter(tally::OF_CONTEXTS + 1);
const UNREADABLE: Counter = Counter(tally::OF_CONTEXTS + 2);

/// Of some messages, how many had a context, none, or one that can't be read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Contexts {
    pub(super) readable: usize,
    pub(super) none: usize,
    pub(super) unreadable: usize,
    not_carried: bool,
}

impl Contexts {
    /// Those of all messages handled until now.
    pub(super) fn until_now() -> Self {
        Self {
            readable: READABLE.sum(),
            none: NONE.sum(),
            unreadable: UNREADABLE.sum(),
            not_carried: false,
        }
    }

    /// Adds a message that has been read.
    #[inline]
    pub(crate) fn add(&mut self, reading: &Reading<'_>) {
        if reading.origin().is_valid() {
            self.readable += 1;
        } else if reading.unreadable {
            self.unreadable += 1;
        } else {
            self.none += 1;
        }
        self.not_carried |= reading.not_carried;
    }

    /// Takes note of the messages of one handling, unless their contexts are not looked at.
    #[inline]
    pub(crate) fn note(self, placement: &Placement, site: Site, facts: &Agreement<'_>) {
        if placement.kind == Kind::Ignore {
            return;
        }
        if self.readable > 0 {
            READABLE.add(self.readable);
        }
        if self.none + self.unreadable > 0 || self.not_carried {
            self.note_missing(site, facts);
        }
    }

    #[inline(never)]
    fn note_missing(self, site: Site, facts: &Agreement<'_>) {
        for (missing, counter, reason) in [
            (self.none, NONE, Reason::NoContext),
            (self.unreadable, UNREADABLE, Reason::Unreadable),
        ] {
            if missing > 0 {
                counter.add(missing);
                tell(missing, reason, site, facts);
            }
        }
        if self.not_carried {
            Fault::ContextNotCarried.tell();
        }
    }
}

/// Outside of any span, so that no bridge copies it onto one.
#[cfg(feature = "tracing")]
fn tell(missing: usize, reason: Reason, site: Site, facts: &Agreement<'_>) {
    tracing::event!(
        name: event::CONTEXT_MISSING,
        target: "throughline",
        parent: None,
        tracing::Level::DEBUG,
        { key::RELATION_REASON } = reason.as_str(),
        { key::FUNCTION_NAME } = site.qualified_function(),
        { key::DESTINATION_NAME } = facts.destination(),
        { event::MESSAGE_COUNT } = i64::try_from(missing).unwrap_or(i64::MAX),
        "{}",
        match reason {
            Reason::Unreadable => "a message's context can't be read",
            _ => "a message has no context",
        }
    );
}

#[cfg(not(feature = "tracing"))]
fn tell(_: usize, _: Reason, _: Site, _: &Agreement<'_>) {}
