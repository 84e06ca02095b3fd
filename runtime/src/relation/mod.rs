//! How a handler's span relates to the spans that sent its messages: the table of relations as
//! code. Nothing here does anything; it only decides.

mod origins;

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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Link,
    Continue,
    Ignore,
}

impl Relation {
    /// The handler's span is the root of its own trace, with a link back to each sender.
    pub const LINK: Self = Self { kind: Kind::Link, nested: false };

    /// The handler's span is a child of the sender's, in the sender's trace. On a batch, which has
    /// many senders, it links.
    pub const CONTINUE: Self = Self { kind: Kind::Continue, nested: false };

    /// The message's context is not looked at: for senders that are not trusted.
    pub const IGNORE: Self = Self { kind: Kind::Ignore, nested: false };

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
    pub(crate) origins: &'s Origins<'s>,
    pub(crate) ambient: &'s SpanContext,
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
    /// The first so many of the distinct origins get a link.
    pub(crate) origins_linked: usize,
    pub(crate) ambient_linked: bool,
    /// Distinct origins that get none, because a span takes only so many.
    pub(crate) left_out: usize,
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
    Batch,
    NoContext,
    Unreadable,
}

impl Reason {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Reason::Batch => "batch",
            Reason::NoContext => "no_context",
            Reason::Unreadable => "unreadable",
        }
    }
}

impl Relation {
    /// The table of relations, row by row.
    pub(crate) fn place(self, situation: Situation<'_>) -> Placement {
        let Situation { origins, ambient, is_batch, .. } = situation;
        match self.kind {
            Kind::Ignore => Placement {
                baggage: Baggage::None,
                ..situation.links(Kind::Ignore, None, 0, ambient.is_valid())
            },
            // A span has one parent.
            Kind::Continue if is_batch => {
                Placement { reason: Some(Reason::Batch), ..Relation::LINK.place(situation) }
            }
            Kind::Continue => Placement {
                parent: if origins.is_empty() { Parent::None } else { Parent::Origin },
                ..situation.links_origins(Kind::Continue, links_ambient(origins, ambient))
            },
            Kind::Link if self.nested => Placement {
                parent: if ambient.is_valid() { Parent::Ambient } else { Parent::None },
                baggage: Baggage::AmbientThenMessage,
                ..situation.links_origins(Kind::Link, false)
            },
            Kind::Link => situation.links_origins(Kind::Link, links_ambient(origins, ambient)),
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
    /// one that it may relate to.
    pub(crate) fn place_task(self, caller: &SpanContext) -> TaskPlacement {
        let is_known = caller.is_valid();
        let related = |kind: Kind, caller: Caller| TaskPlacement {
            kind,
            reason: (!is_known).then_some(Reason::NoContext),
            caller: if is_known { caller } else { Caller::Unrelated },
            keeps_baggage: true,
        };
        match self.kind {
            Kind::Ignore => TaskPlacement {
                kind: Kind::Ignore,
                reason: None,
                caller: Caller::Unrelated,
                keeps_baggage: false,
            },
            Kind::Continue => related(Kind::Continue, Caller::Parent),
            // There is nothing around a task to be nested in.
            Kind::Link => related(Kind::Link, Caller::Linked),
        }
    }
}

impl Situation<'_> {
    /// A root with a link to each distinct origin.
    fn links_origins(self, kind: Kind, ambient: bool) -> Placement {
        self.links(kind, missing_context(self.origins), self.origins.distinct(), ambient)
    }

    /// A root with as many links as the span may have: origins in order, room kept for the ambient
    /// span.
    fn links(self, kind: Kind, reason: Option<Reason>, origins: usize, ambient: bool) -> Placement {
        let ambient_linked = ambient && self.max_links > 0;
        let room = self.max_links - usize::from(ambient_linked);
        Placement {
            kind,
            reason,
            parent: Parent::None,
            baggage: Baggage::Message,
            origins_linked: origins.min(room),
            ambient_linked,
            left_out: origins.saturating_sub(room),
        }
    }
}

/// An ambient span that is an origin as well has its link already.
fn links_ambient(origins: &Origins<'_>, ambient: &SpanContext) -> bool {
    ambient.is_valid() && !origins.has(ambient)
}

fn missing_context(origins: &Origins<'_>) -> Option<Reason> {
    if origins.unreadable() > 0 {
        Some(Reason::Unreadable)
    } else if origins.is_empty() {
        Some(Reason::NoContext)
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
