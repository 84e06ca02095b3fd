//! Who sent the messages of one call: each distinct origin once.

use std::borrow::Cow;
use std::collections::HashSet;

use opentelemetry::trace::{SpanContext, SpanId, TraceId};

use crate::carrier::{Agreement, Facts};

/// The distinct origins of a message or a batch, in order.
#[derive(Debug)]
pub(crate) struct Origins<'m> {
    /// The only one of most calls, which therefore allocate nothing here. It may be the parent.
    first: Option<Origin<'m>>,
    /// With the first, no more than the span may link to.
    others: Vec<Origin<'m>>,
    max_kept: usize,
    /// Told apart only once there are too many to look through.
    seen: HashSet<(TraceId, SpanId)>,
    distinct: usize,
    unreadable: usize,
}

/// One origin, and what the messages that it sent agree on.
#[derive(Debug)]
pub(crate) struct Origin<'m> {
    pub(crate) context: SpanContext,
    pub(crate) messages: usize,
    pub(crate) facts: Agreement<'m>,
}

impl<'m> Origins<'m> {
    pub(crate) fn to_link(max_links: usize) -> Self {
        Self {
            first: None,
            others: Vec::new(),
            max_kept: max_links.max(1),
            seen: HashSet::new(),
            distinct: 0,
            unreadable: 0,
        }
    }

    pub(crate) fn into_owned(self) -> Origins<'static> {
        let Self { first, others, max_kept, seen, distinct, unreadable } = self;
        let others = others.into_iter().map(Origin::into_owned).collect();
        Origins {
            first: first.map(Origin::into_owned),
            others,
            max_kept,
            seen,
            distinct,
            unreadable,
        }
    }

    /// Takes the origin of one more message. An invalid one is none.
    pub(crate) fn add(&mut self, origin: &SpanContext, facts: &Facts<'m>) {
        if !origin.is_valid() {
            return;
        }
        let mut kept = self.first.iter_mut().chain(&mut self.others);
        if let Some(known) = kept.find(|kept| same_span(&kept.context, origin)) {
            known.messages += 1;
            known.facts.add(Cow::Borrowed(facts));
        } else if self.distinct < self.max_kept {
            self.distinct += 1;
            let mut agreement = Agreement::default();
            agreement.add(Cow::Borrowed(facts));
            let new = Origin { context: origin.clone(), messages: 1, facts: agreement };
            match &mut self.first {
                None => self.first = Some(new),
                Some(_) => self.others.push(new),
            }
        } else if self.seen.insert((origin.trace_id(), origin.span_id())) {
            self.distinct += 1;
        }
    }

    pub(crate) fn add_unreadable(&mut self) {
        self.unreadable += 1;
    }

    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    pub(crate) fn distinct(&self) -> usize {
        self.distinct
    }

    /// All of them, those too that get no link.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (TraceId, SpanId)> {
        let kept = self.iter().map(|it| (it.context.trace_id(), it.context.span_id()));
        kept.chain(self.seen.iter().copied())
    }

    pub(crate) fn has(&self, span: &SpanContext) -> bool {
        self.iter().any(|origin| same_span(&origin.context, span))
    }

    /// Those that may get a link.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Origin<'m>> {
        self.first.iter().chain(&self.others)
    }
}

impl Origin<'_> {
    fn into_owned(self) -> Origin<'static> {
        let Self { context, messages, facts } = self;
        Origin { context, messages, facts: facts.into_owned() }
    }
}

/// Whether two contexts name one span; state and flags do not tell spans apart.
pub(crate) fn same_span(one: &SpanContext, other: &SpanContext) -> bool {
    one.span_id() == other.span_id() && one.trace_id() == other.trace_id()
}
