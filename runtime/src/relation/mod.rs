//! How a handler's span relates to the spans that sent its messages: the table of relations as
//! code. Nothing here does anything; it only decides.

mod origins;

use std::time::Duration;

use opentelemetry::trace::SpanContext;

pub(crate) use origins::{Origins, same_span};

/// How many links a span gets unless told otherwise: the SDK's own default limit, past which it
/// drops them silently.
pub(crate) const MAX_LINKS: usize = 128;

/// How the span of a handler relates to the span that sent the message, and a task's to its
/// caller's.
///
/// Usually it is written on the function, `#[async_consumer(link)]`. Where it is known only at run
/// time, `mode = EXPR` takes a `Relation`:
///
/// ```
/// use throughline::Relation;
///
/// fn relation_for(tenant: &str) -> Relation {
///     if tenant == "partner" { Relation::IGNORE } else { Relation::CONTINUE }
/// }
/// assert_ne!(relation_for("partner"), relation_for("us"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Relation {
    kind: Kind,
    nested: bool,
    // What follows ends a trace under `continue`.
    within: Option<Duration>,
    max_hops: Option<u32>,
    heed_break: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Link,
    Continue,
    Ignore,
}

impl Relation {
    /// The handler's span is the root of its own trace, with a link back to each sender.
    pub const LINK: Self = Self::of(Kind::Link);

    /// The handler's span is a child of the sender's, in the sender's trace. On a batch, which has
    /// many senders, it links.
    pub const CONTINUE: Self = Self::of(Kind::Continue);

    /// The message's context is not looked at: for senders that are not trusted.
    pub const IGNORE: Self = Self::of(Kind::Ignore);

    const fn of(kind: Kind) -> Self {
        Self { kind, nested: false, within: None, max_hops: None, heed_break: true }
    }

    /// A [`LINK`](Self::LINK) whose span stays under the span that is active where the handler
    /// starts. The other relations are as they were.
    ///
    /// ```
    /// use throughline::Relation;
    /// assert_ne!(Relation::LINK.nested(), Relation::LINK);
    /// assert_eq!(Relation::CONTINUE.nested(), Relation::CONTINUE);
    /// ```
    #[must_use]
    pub const fn nested(mut self) -> Self {
        self.nested = matches!(self.kind, Kind::Link);
        self
    }

    /// A [`CONTINUE`](Self::CONTINUE) for messages that are no older than this; past that it links.
    /// The age is known where the broker or the sender tells when the message was sent; where it is
    /// not known, the trace is continued.
    ///
    /// ```
    /// use std::time::Duration;
    /// use throughline::Relation;
    /// const SOON: Relation = Relation::CONTINUE.within(Duration::from_secs(15 * 60));
    /// assert_ne!(SOON, Relation::CONTINUE);
    /// assert_eq!(Relation::LINK.within(Duration::from_secs(1)), Relation::LINK);
    /// ```
    #[must_use]
    pub const fn within(mut self, age: Duration) -> Self {
        if matches!(self.kind, Kind::Continue) {
            self.within = Some(age);
        }
        self
    }

    /// A [`CONTINUE`](Self::CONTINUE) for traces that were continued less often than this; past that
    /// it links, and a new count begins. Bounds the trace of a job that sends itself again.
    ///
    /// The count travels in `tracestate`: it is started by the first handler that has such a limit,
    /// and every `continue` adds to one that is there.
    ///
    /// ```
    /// use throughline::Relation;
    /// const POLLING: Relation = Relation::CONTINUE.max_hops(64);
    /// assert_ne!(POLLING, Relation::CONTINUE);
    /// ```
    #[must_use]
    pub const fn max_hops(mut self, hops: u32) -> Self {
        if matches!(self.kind, Kind::Continue) {
            self.max_hops = Some(hops);
        }
        self
    }

    /// Whether a [`CONTINUE`](Self::CONTINUE) links where the sender asks for a new trace
    /// (`#[async_producer(.., new_trace)]`); it does unless told otherwise.
    ///
    /// ```
    /// use throughline::Relation;
    /// assert_ne!(Relation::CONTINUE.heed_break(false), Relation::CONTINUE);
    /// ```
    #[must_use]
    pub const fn heed_break(mut self, heed: bool) -> Self {
        if matches!(self.kind, Kind::Continue) {
            self.heed_break = heed;
        }
        self
    }
}

impl Relation {
    /// Whether it matters how old a message is.
    pub(crate) fn depends_on_age(self) -> bool {
        self.within.is_some()
    }

    /// Why a trace that could be continued is not.
    fn spent(self, of: &Sending) -> Option<Reason> {
        let too_old = |limit| of.age.is_some_and(|age| age > limit);
        let too_often = |limit| of.hops.unwrap_or(0) >= limit;
        if self.heed_break && of.asks_for_new_trace {
            Some(Reason::Sender)
        } else if self.within.is_some_and(too_old) {
            Some(Reason::Age)
        } else if self.max_hops.is_some_and(too_often) {
            Some(Reason::Hops)
        } else {
            None
        }
    }

    fn age_unknown(self, sending: &Sending) -> Option<Reason> {
        let unknown = self.within.is_some() && sending.age.is_none();
        unknown.then_some(Reason::AgeUnknown)
    }

    /// The count that goes on with the trace: started by a limit, and added to wherever it is.
    fn count(self, of: &Sending) -> Option<u32> {
        let counted = of.hops.or(self.max_hops.map(|_| 0))?;
        Some(counted.saturating_add(1))
    }
}

/// What a single message tells of how it was sent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sending {
    pub(crate) age: Option<Duration>,
    /// How often its trace was continued so far.
    pub(crate) hops: Option<u32>,
    pub(crate) asks_for_new_trace: bool,
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Link => "link",
            Kind::Continue => "continue",
            Kind::Ignore => "ignore",
        }
    }
}

/// What a handler finds when it starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation<'s> {
    pub(crate) distinct_origins: usize,
    /// Whether a message has a context that can't be read.
    pub(crate) any_unreadable: bool,
    /// Whether the ambient span is an origin as well.
    pub(crate) ambient_is_origin: bool,
    pub(crate) ambient: &'s SpanContext,
    /// Failed attempts that messages tell of, each once.
    pub(crate) attempts: usize,
    pub(crate) sending: Sending,
    pub(crate) is_batch: bool,
    pub(crate) max_links: usize,
}

/// Where the handler's span belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    pub(crate) kind: Kind,
    pub(crate) reason: Option<Reason>,
    pub(crate) parent: Parent,
    pub(crate) baggage: Baggage,
    /// The count of hops that the trace goes on with.
    pub(crate) hops: Option<u32>,
    /// The first so many of the distinct origins get a link.
    pub(crate) origins_linked: usize,
    /// And of the failed attempts.
    pub(crate) attempts_linked: usize,
    pub(crate) ambient_linked: bool,
    /// Distinct origins that get none, because a span takes only so many.
    pub(crate) left_out: usize,
}

impl Placement {
    /// How many links there are in all.
    #[inline]
    pub(crate) fn links(&self) -> usize {
        self.origins_linked + self.attempts_linked + usize::from(self.ambient_linked)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parent {
    None,
    Ambient,
    Origin,
}

/// Whose baggage the handler works under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Baggage {
    None,
    /// The message's; of a batch, what all messages agree on.
    Message,
    /// The ambient one, with the message's over it.
    AmbientThenMessage,
}

/// Why a relation is not simply what was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Age,
    AgeUnknown,
    Hops,
    Sender,
    Batch,
    NoContext,
    Unreadable,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Reason::Age => "age",
            Reason::AgeUnknown => "age_unknown",
            Reason::Hops => "hops",
            Reason::Sender => "sender",
            Reason::Batch => "batch",
            Reason::NoContext => "no_context",
            Reason::Unreadable => "unreadable",
        }
    }
}

impl Relation {
    /// The table of relations, row by row.
    pub(crate) fn place(self, situation: &Situation<'_>) -> Placement {
        let Situation { distinct_origins, ambient, is_batch, .. } = *situation;
        match self.kind {
            Kind::Link if !self.nested => {
                situation.links_origins(Kind::Link, situation.links_ambient())
            }
            Kind::Link => Placement {
                parent: if ambient.is_valid() { Parent::Ambient } else { Parent::None },
                baggage: Baggage::AmbientThenMessage,
                ..situation.links_origins(Kind::Link, false)
            },
            Kind::Ignore => Placement {
                baggage: Baggage::None,
                ..situation.links(Kind::Ignore, None, 0, ambient.is_valid())
            },
            // A span has one parent.
            Kind::Continue if is_batch => {
                Placement { reason: Some(Reason::Batch), ..Relation::LINK.place(situation) }
            }
            Kind::Continue if distinct_origins == 0 => {
                situation.links_origins(Kind::Continue, situation.links_ambient())
            }
            Kind::Continue => match self.spent(&situation.sending) {
                Some(reason) => {
                    Placement { reason: Some(reason), ..Relation::LINK.place(situation) }
                }
                None => Placement {
                    parent: Parent::Origin,
                    hops: self.count(&situation.sending),
                    reason: self.age_unknown(&situation.sending),
                    ..situation.links_origins(Kind::Continue, situation.links_ambient())
                },
            },
        }
    }
}

/// Where a task's span belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskPlacement {
    pub(crate) kind: Kind,
    pub(crate) reason: Option<Reason>,
    pub(crate) caller: Caller,
    pub(crate) keeps_baggage: bool,
    /// The count of hops that the trace goes on with.
    pub(crate) hops: Option<u32>,
}

/// What the span that was active where the task was called is to the task's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    Parent,
    Linked,
    Unrelated,
}

impl Relation {
    /// The same for a task, which has no message: whatever was active where it was called is the
    /// one that it may relate to. Its age is the time since then.
    pub(crate) fn place_task(self, caller: &SpanContext, sending: Sending) -> TaskPlacement {
        let is_known = caller.is_valid();
        let related = |kind: Kind, caller: Caller| TaskPlacement {
            kind,
            reason: (!is_known).then_some(Reason::NoContext),
            caller: if is_known { caller } else { Caller::Unrelated },
            keeps_baggage: true,
            hops: None,
        };
        // There is nothing around a task to be nested in.
        let linked = related(Kind::Link, Caller::Linked);
        match self.kind {
            Kind::Ignore => TaskPlacement {
                kind: Kind::Ignore,
                reason: None,
                caller: Caller::Unrelated,
                keeps_baggage: false,
                hops: None,
            },
            Kind::Continue if is_known => match self.spent(&sending) {
                Some(reason) => TaskPlacement { reason: Some(reason), ..linked },
                None => TaskPlacement {
                    reason: self.age_unknown(&sending),
                    hops: self.count(&sending),
                    ..related(Kind::Continue, Caller::Parent)
                },
            },
            Kind::Continue => related(Kind::Continue, Caller::Unrelated),
            Kind::Link => linked,
        }
    }
}

impl Situation<'_> {
    /// An ambient span that is an origin as well has its link already.
    fn links_ambient(&self) -> bool {
        self.ambient.is_valid() && !self.ambient_is_origin
    }

    fn missing_context(&self) -> Option<Reason> {
        if self.any_unreadable {
            Some(Reason::Unreadable)
        } else if self.distinct_origins == 0 {
            Some(Reason::NoContext)
        } else {
            None
        }
    }

    /// A root with a link to each distinct origin and to failed attempts.
    #[inline]
    fn links_origins(&self, kind: Kind, ambient: bool) -> Placement {
        let linked = self.links(kind, self.missing_context(), self.distinct_origins, ambient);
        let room = self.max_links - linked.origins_linked - usize::from(linked.ambient_linked);
        Placement { attempts_linked: self.attempts.min(room), ..linked }
    }

    /// A root with as many links as the span may have: origins in order, room kept for the ambient
    /// span.
    fn links(
        &self,
        kind: Kind,
        reason: Option<Reason>,
        origins: usize,
        ambient: bool,
    ) -> Placement {
        let ambient_linked = ambient && self.max_links > 0;
        let room = self.max_links - usize::from(ambient_linked);
        Placement {
            kind,
            reason,
            parent: Parent::None,
            baggage: Baggage::Message,
            hops: None,
            origins_linked: origins.min(room),
            attempts_linked: 0,
            ambient_linked,
            left_out: origins.saturating_sub(room),
        }
    }
}

#[cfg(test)]
mod tests;
