//! Who sent the messages of one call: each distinct origin once.

use std::collections::HashSet;
use std::{iter, mem};

use opentelemetry::trace::{Link, SpanContext, SpanId, TraceId};

use crate::carrier::{Agreement, Facts};

/// So many origins there are mostly, and no more.
const FEW: usize = 16;

/// The distinct origins of a batch, in order.
#[derive(Debug)]
pub(crate) struct Origins<'m> {
    /// A link to each, to no more than the span may have: where they stay, for moving them takes longer than
    /// reading their messages.
    links: Vec<Link>,
    /// What is known of each of these, up to the last of which there is more to know than that it sent one message.
    known: Vec<Origin<'m>>,
    /// What their span ids may be: most senders are seen at once to be new.
    span_ids: Sieve,
    max_kept: usize,
    /// How many links there are, and were when they have been taken.
    kept: usize,
    /// The others, until they are counted also more than once: to sort them then costs less than to look
    /// for each.
    left_out: Vec<(TraceId, SpanId)>,
    unreadable: usize,
}

/// What is known of one origin.
#[derive(Debug)]
pub(crate) struct Origin<'m> {
    pub(crate) messages: usize,
    /// What these agree on; none where they tell nothing.
    facts: Option<Box<Agreement<'m>>>,
}

impl<'m> Origins<'m> {
    pub(crate) fn to_link(max_links: usize) -> Self {
        Self {
            links: Vec::new(),
            known: Vec::new(),
            span_ids: Sieve::default(),
            max_kept: max_links.max(1),
            kept: 0,
            left_out: Vec::new(),
            unreadable: 0,
        }
    }

    pub(crate) fn into_owned(self) -> Origins<'static> {
        let Self { links, known, span_ids, max_kept, kept, left_out, unreadable } = self;
        let known = known.into_iter().map(Origin::into_owned).collect();
        Origins { links, known, span_ids, max_kept, kept, left_out, unreadable }
    }

    /// Takes the origin of one more message, and what that tells about itself. An invalid one is none.
    pub(crate) fn add(&mut self, origin: &SpanContext, facts: &Facts<'m>) {
        if !origin.is_valid() {
            return;
        }
        if let Some(place) = self.place_of(origin) {
            let known = self.known_at(place);
            known.messages += 1;
            known.tell(facts);
        } else if self.kept < self.max_kept {
            self.keep(origin);
            if !facts.is_empty() {
                self.known_at(self.kept - 1).tell(facts);
            }
        } else {
            self.left_out.push((origin.trace_id(), origin.span_id()));
        }
    }

    fn keep(&mut self, origin: &SpanContext) {
        if self.links.is_empty() {
            self.links.reserve_exact(self.max_kept.min(FEW));
        }
        self.span_ids.add(origin.span_id());
        // Made where it stays: made apart and then moved there, its parts would be waited for.
        self.links.extend(iter::once(origin).cloned().map(Link::with_context));
        self.kept += 1;
    }

    #[inline(never)]
    fn known_at(&mut self, place: usize) -> &mut Origin<'m> {
        if self.known.len() <= place {
            self.known.resize_with(place + 1, || Origin { messages: 1, facts: None });
        }
        &mut self.known[place]
    }

    fn place_of(&self, origin: &SpanContext) -> Option<usize> {
        let may_be_known = self.span_ids.may_have(origin.span_id());
        let is_it = |known: &Link| same_span(&known.span_context, origin);
        may_be_known.then(|| self.links.iter().position(is_it)).flatten()
    }

    pub(crate) fn add_unreadable(&mut self) {
        self.unreadable += 1;
    }

    #[cold]
    pub(crate) fn unreadable(&self) -> usize {
        self.unreadable
    }

    #[cold]
    pub(crate) fn has(&self, span: &SpanContext) -> bool {
        self.place_of(span).is_some()
    }

    #[cold]
    pub(crate) fn distinct(&mut self) -> usize {
        // By the span's id alone, which takes half as long: hardly ever have two traces spans of one id.
        self.left_out.sort_unstable_by_key(|(_, span)| u64::from_be_bytes(span.to_bytes()));
        self.left_out.dedup();
        let of_one_id = self.left_out.chunk_by(|(_, one), (_, next)| one == next);
        let left_out = of_one_id.map(|spans| match spans {
            [_] => 1,
            _ => spans.iter().collect::<HashSet<_>>().len(),
        });
        self.kept + left_out.sum::<usize>()
    }

    /// All of them, those too that get no link.
    pub(crate) fn ids(&self) -> impl Iterator<Item = (TraceId, SpanId)> {
        let kept = self.links.iter().map(|link| {
            let origin = &link.span_context;
            (origin.trace_id(), origin.span_id())
        });
        kept.chain(self.left_out.iter().copied())
    }

    /// A link to each that may get one, up to so many, and what more is known of the first of these. After that
    /// nobody can tell who they were.
    pub(crate) fn take_links(&mut self, at_most: usize) -> (Vec<Link>, &[Origin<'m>]) {
        let mut links = mem::take(&mut self.links);
        links.truncate(at_most);
        (links, &self.known)
    }
}

impl<'m> Origin<'m> {
    /// Takes what the last message tells about itself.
    fn tell(&mut self, facts: &Facts<'m>) {
        if let Some(agreement) = &mut self.facts {
            agreement.add(facts);
        } else if !facts.is_empty() {
            let mut agreement = Agreement::default();
            if self.messages > 1 {
                agreement.add(&Facts::default());
            }
            agreement.add(facts);
            self.facts = Some(Box::new(agreement));
        }
    }

    /// What its messages agree on.
    pub(crate) fn facts(&self) -> Option<&Agreement<'m>> {
        self.facts.as_deref()
    }

    fn into_owned(self) -> Origin<'static> {
        let Self { messages, facts } = self;
        Origin { messages, facts: facts.map(|facts| Box::new(facts.into_owned())) }
    }
}

/// Two bits for every span id, shared with others: without both, an id is not among those that were added.
#[derive(Debug, Default)]
struct Sieve([u64; 16]);

impl Sieve {
    fn add(&mut self, span: SpanId) {
        let (word, bits) = Self::place_of(span);
        self.0[word] |= bits;
    }

    fn may_have(&self, span: SpanId) -> bool {
        let (word, bits) = Self::place_of(span);
        self.0[word] & bits == bits
    }

    /// Ids that differ in a little only are told apart as well: each bit of an id bears on the highest of a
    /// product.
    fn place_of(span: SpanId) -> (usize, u64) {
        let product = u64::from_be_bytes(span.to_bytes()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let [word, one, other, ..] = product.to_be_bytes();
        (usize::from(word % 16), 1 << (one % 64) | 1 << (other % 64))
    }
}

/// Whether two contexts name one span; state and flags do not tell spans apart.
pub(crate) fn same_span(one: &SpanContext, other: &SpanContext) -> bool {
    one.span_id() == other.span_id() && one.trace_id() == other.trace_id()
}
