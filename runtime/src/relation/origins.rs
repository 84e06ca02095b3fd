//! Who sent the messages of one call: each distinct origin once.

use std::borrow::Cow;
use std::collections::HashSet;

use opentelemetry::trace::{SpanContext, SpanId, TraceId};

use crate::carrier::{Agreement, Facts};

/// The distinct origins of a batch, in order.
#[derive(Debug)]
pub(crate) struct Origins<'m> {
    /// No more than the span may link to.
    kept: Vec<Origin<'m>>,
    /// The span ids of these: side by side, many are looked through in one go.
    span_ids: Vec<u64>,
    max_kept: usize,
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
            kept: Vec::new(),
            span_ids: Vec::new(),
            max_kept: max_links.max(1),
            left_out: HashSet::new(),
            unreadable: 0,
        }
    }

    pub(crate) fn into_owned(self) -> Origins<'static> {
        let Self { kept, span_ids, max_kept, left_out, unreadable } = self;
        let kept = kept.into_iter().map(Origin::into_owned).collect();
        Origins { kept, span_ids, max_kept, left_out, unreadable }
    }

    /// Takes the origin of one more message, and gives back where that is kept. An invalid one is none.
    pub(crate) fn add(&mut self, origin: &SpanContext) -> Option<&mut Origin<'m>> {
        if !origin.is_valid() {
            return None;
        }
        if let Some(place) = self.place_of(origin) {
            let known = &mut self.kept[place];
            known.messages += 1;
            return Some(known);
        }
        if self.kept.len() == self.max_kept {
            self.left_out.insert((origin.trace_id(), origin.span_id()));
            return None;
        }
        self.span_ids.push(comparable(origin));
        self.kept.push(Origin { context: origin.clone(), messages: 1, facts: None });
        self.kept.last_mut()
    }

    fn place_of(&self, origin: &SpanContext) -> Option<usize> {
        // Two senders whose span ids are the same are rare, and may still be of two traces.
        if !self.span_ids.contains(&comparable(origin)) {
            return None;
        }
        self.kept.iter().position(|known| same_span(&known.context, origin))
    }

    pub(crate) fn add_unreadable(&mut self) {
        self.unreadable += 1;
    }

    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable
    }

    pub(crate) fn has(&self, span: &SpanContext) -> bool {
        self.place_of(span).is_some()
    }

    pub(crate) fn distinct(&self) -> usize {
        self.kept.len() + self.left_out.len()
    }

    /// All of them, those too that get no link.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (TraceId, SpanId)> {
        let kept = self.iter().map(|it| (it.context.trace_id(), it.context.span_id()));
        kept.chain(self.left_out.iter().copied())
    }

    /// Those that may get a link.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Origin<'m>> {
        self.kept.iter()
    }
}

impl<'m> Origin<'m> {
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
