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
    /// The span ids of these: side by side, many are looked through in one go.
    span_ids: Vec<u64>,
    max_kept: usize,
    /// Those that are not kept.
    left_out: HashSet<(TraceId, SpanId)>,
    unreadable: usize,
}

/// One origin, and what the messages that it sent agree on.
#[derive(Debug)]
pub(crate) struct Origin<'m> {
    pub(crate) context: SpanContext,
    pub(crate) messages: usize,
    /// None where they tell nothing.
    facts: Option<Box<Agreement<'m>>>,
}

impl<'m> Origins<'m> {
    pub(crate) fn to_link(max_links: usize) -> Self {
        Self {
            first: None,
            others: Vec::new(),
            span_ids: Vec::new(),
            max_kept: max_links.max(1),
            left_out: HashSet::new(),
            unreadable: 0,
        }
    }

    pub(crate) fn into_owned(self) -> Origins<'static> {
        let Self { first, others, span_ids, max_kept, left_out, unreadable } = self;
        let others = others.into_iter().map(Origin::into_owned).collect();
        let first = first.map(Origin::into_owned);
        Origins { first, others, span_ids, max_kept, left_out, unreadable }
    }

    /// Takes the origin of one more message, and gives back where that is kept. An invalid one is none.
    pub(crate) fn add(&mut self, origin: &SpanContext) -> Option<&mut Origin<'m>> {
        if !origin.is_valid() {
            return None;
        }
        match &self.first {
            None => return Some(self.first.insert(Origin::of(origin))),
            Some(first) if same_span(&first.context, origin) => {
                return self.first.as_mut().map(Origin::with_one_more);
            }
            Some(_) => {}
        }
        if let Some(place) = self.place_among_others(origin) {
            return self.others.get_mut(place).map(Origin::with_one_more);
        }
        if 1 + self.others.len() == self.max_kept {
            self.left_out.insert((origin.trace_id(), origin.span_id()));
            return None;
        }
        self.span_ids.push(comparable(origin));
        self.others.push(Origin::of(origin));
        self.others.last_mut()
    }

    fn place_among_others(&self, origin: &SpanContext) -> Option<usize> {
        // Two senders whose span ids are the same are rare, and may still be of two traces.
        if !self.span_ids.contains(&comparable(origin)) {
            return None;
        }
        self.others.iter().position(|known| same_span(&known.context, origin))
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
        usize::from(self.first.is_some()) + self.others.len() + self.left_out.len()
    }

    /// All of them, those too that get no link.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (TraceId, SpanId)> {
        let kept = self.iter().map(|it| (it.context.trace_id(), it.context.span_id()));
        kept.chain(self.left_out.iter().copied())
    }

    pub(crate) fn has(&self, span: &SpanContext) -> bool {
        self.iter().any(|origin| same_span(&origin.context, span))
    }

    /// Those that may get a link.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Origin<'m>> {
        self.first.iter().chain(&self.others)
    }
}

impl<'m> Origin<'m> {
    /// With one message.
    fn of(context: &SpanContext) -> Self {
        Self { context: context.clone(), messages: 1, facts: None }
    }

    fn with_one_more(&mut self) -> &mut Self {
        self.messages += 1;
        self
    }

    /// Takes what the last message tells about itself.
    pub(crate) fn tell(&mut self, facts: &Facts<'m>) {
        if let Some(agreement) = &mut self.facts {
            agreement.add(Cow::Borrowed(facts));
        } else if !facts.is_empty() {
            let mut agreement = Agreement::default();
            if self.messages > 1 {
                agreement.add(Cow::Owned(Facts::default()));
            }
            agreement.add(Cow::Borrowed(facts));
            self.facts = Some(Box::new(agreement));
        }
    }

    /// What its messages agree on.
    pub(crate) fn facts(&self) -> Option<&Agreement<'m>> {
        self.facts.as_deref()
    }

    fn into_owned(self) -> Origin<'static> {
        let Self { context, messages, facts } = self;
        Origin { context, messages, facts: facts.map(|facts| Box::new(facts.into_owned())) }
    }
}

fn comparable(span: &SpanContext) -> u64 {
    u64::from_ne_bytes(span.span_id().to_bytes())
}

/// Whether two contexts name one span; state and flags do not tell spans apart.
pub(crate) fn same_span(one: &SpanContext, other: &SpanContext) -> bool {
    one.span_id() == other.span_id() && one.trace_id() == other.trace_id()
}
