//! The order of spans and traces: by name, content and origin, never by id or time.
//!
//! Spans are told apart by what can be printed of them, then by the spans around them (parent,
//! children, links to and from), then by the spans around those, until that tells nothing more.
//! Spans that are still alike are interchangeable, so one is taken to be the first and the rest is
//! told apart anew: a handler of the first order then comes before the handler of the second.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use opentelemetry::trace::{Link, SpanId, Status};
use opentelemetry_sdk::trace::SpanData;

use super::tree;

/// Where a span stands in the printed tree.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Its trace: 0 is A.
    pub(super) trace: usize,
    pub(super) depth: usize,
    /// Its parent, where that is among the spans.
    pub(super) parent: Option<usize>,
    /// Which of the spans of its name in its trace it is, counted from 1, where there are several.
    pub(super) number: Option<usize>,
    /// What its links lead to, where that is among the spans; one for each link.
    pub(super) targets: Vec<Option<usize>>,
}

/// The spans in the order of the printed tree, with their places in it.
pub(super) fn arrange(spans: Vec<SpanData>) -> Vec<(SpanData, Place)> {
    let graph = Graph::new(&spans);
    let ranks = graph.ranks();
    let traces = graph.ordered_traces(&ranks);
    let order = graph.ordered_spans(&ranks, &traces);
    let places = graph.places(&traces, &order);

    let mut spans: Vec<_> = spans.into_iter().map(Some).collect();
    let ordered = order.iter().filter_map(|&(span, _)| spans[span].take());
    ordered.zip(places).collect()
}

/// How a node sees its neighbour. The order decides what siblings of one name are ordered by.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Edge<'s> {
    LinksTo(&'s str),
    ChildOf,
    ParentOf,
    LinkedFrom(&'s str),
}

impl Edge<'_> {
    fn is_from_a_link(self) -> bool {
        matches!(self, Edge::LinkedFrom(_))
    }
}

/// The spans, then the traces, and how they hang together. A trace is the parent of the spans that
/// have no other parent here.
struct Graph<'s> {
    spans: &'s [SpanData],
    /// The trace of each span, as an index after the spans.
    traces: Vec<usize>,
    parents: Vec<Option<usize>>,
    targets: Vec<Vec<Option<usize>>>,
    roles: Vec<Vec<Cow<'s, str>>>,
    nodes: usize,
}

/// For each node the number of nodes that come before it; nodes that are alike share one.
#[derive(Clone)]
struct Ranks {
    order: Vec<usize>,
    of: Vec<usize>,
    /// The ranks as content alone gives them.
    content: Vec<usize>,
}

impl<'s> Graph<'s> {
    fn new(spans: &'s [SpanData]) -> Self {
        let mut by_context = HashMap::new();
        let mut trace_ids = HashMap::new();
        for (index, span) in spans.iter().enumerate() {
            let context = &span.span_context;
            by_context.entry((context.trace_id(), context.span_id())).or_insert(index);
            let next = spans.len() + trace_ids.len();
            trace_ids.entry(context.trace_id()).or_insert(next);
        }
        let parents = spans.iter().enumerate().map(|(index, span)| {
            let parent = (span.span_context.trace_id(), span.parent_span_id);
            by_context.get(&parent).copied().filter(|&it| it != index)
        });
        let target = |link: &Link| {
            let context = (link.span_context.trace_id(), link.span_context.span_id());
            by_context.get(&context).copied()
        };
        Self {
            spans,
            traces: spans.iter().map(|span| trace_ids[&span.span_context.trace_id()]).collect(),
            parents: without_cycles(parents.collect()),
            targets: spans.iter().map(|span| span.links.iter().map(target).collect()).collect(),
            roles: spans.iter().map(|span| span.links.iter().map(tree::role).collect()).collect(),
            nodes: spans.len() + trace_ids.len(),
        }
    }

    fn ranks(&self) -> Ranks {
        let content: Vec<_> = (0..self.nodes)
            .map(|node| (node < self.spans.len()).then(|| self.content(node)))
            .collect();
        // Only to choose among what is alike: then it is not seen in the tree, but
        // `Traces::spans` gives the same span first each time.
        let attributes: Vec<_> =
            (0..self.nodes).map(|node| self.spans.get(node).map(attributes)).collect();
        let edges = self.edges();

        let mut ranks = Ranks {
            order: (0..self.nodes).collect(),
            of: vec![0; self.nodes],
            content: Vec::new(),
        };
        ranks.split(|node| &content[node]);
        ranks.content.clone_from(&ranks.of);
        // Spans that are alike stay in the order in which they ended.
        if self.spans.len() > MANY {
            return ranks;
        }
        ranks.refine(&edges);
        while ranks.tell_one_apart(|node| &attributes[node]) {
            ranks.refine(&edges);
        }
        ranks
    }

    fn content(&self, span: usize) -> Content<'_> {
        let data = &self.spans[span];
        let links = self.targets[span].iter().zip(&self.roles[span]);
        let outside = links.filter(|(target, _)| target.is_none());
        let mut outside: Vec<_> = outside.map(|(_, role)| &**role).collect();
        outside.sort_unstable();
        Content {
            name: &data.name,
            kind: tree::kind(&data.span_kind),
            has_parent: data.parent_span_id != SpanId::INVALID,
            is_continued: tree::continued(data).is_some(),
            outside,
            dropped: data.links.dropped_count,
            is_ok: data.status == Status::Ok,
            error: tree::error(data),
        }
    }

    fn edges(&self) -> Vec<Vec<(Edge<'_>, usize)>> {
        let mut edges = vec![Vec::new(); self.nodes];
        for span in 0..self.spans.len() {
            let parent = self.parents[span].unwrap_or(self.traces[span]);
            edges[span].push((Edge::ChildOf, parent));
            edges[parent].push((Edge::ParentOf, span));
            for (target, role) in self.targets[span].iter().zip(&self.roles[span]) {
                if let Some(target) = *target {
                    edges[span].push((Edge::LinksTo(role), target));
                    edges[target].push((Edge::LinkedFrom(role), span));
                }
            }
        }
        edges
    }

    /// A trace comes after those it links to, and as soon as they are there, so that what belongs
    /// together stands together.
    fn ordered_traces(&self, ranks: &Ranks) -> Vec<usize> {
        let mut waits = self.waits(|_| true);
        let mut waits_for_origins = self.waits(str::is_empty);
        let links_nowhere: BTreeSet<_> = waits
            .iter()
            .filter(|(_, targets)| targets.is_empty())
            .map(|(&trace, _)| trace)
            .collect();

        // Where traces link to each other in a circle none has nothing to wait for; those with the
        // least to wait for are in the circle, and not behind it.
        let mut ordered = Vec::with_capacity(waits.len());
        while let Some((.., next)) = waits
            .keys()
            .map(|&trace| (waited_for(trace, &waits), links_nowhere.contains(&trace), trace))
            .min_by(|one, other| {
                // Of those in a circle, first what only links back: the top-level trace of a process.
                let origins = |trace| waited_for(trace, &waits_for_origins);
                (one.0, one.1)
                    .cmp(&(other.0, other.1))
                    .then_with(|| origins(one.2).cmp(&origins(other.2)))
                    .then_with(|| ranks.of[one.2].cmp(&ranks.of[other.2]))
            })
        {
            waits.remove(&next);
            waits_for_origins.remove(&next);
            ordered.push(next);
        }
        ordered
    }

    /// For each trace the others that it links to, in a role that counts.
    fn waits(&self, counts: impl Fn(&str) -> bool) -> HashMap<usize, BTreeSet<usize>> {
        let mut waits: HashMap<usize, BTreeSet<usize>> = HashMap::new();
        for (span, &trace) in self.traces.iter().enumerate() {
            let links = self.targets[span].iter().zip(&self.roles[span]);
            let targets = links.filter(|(_, role)| counts(role)).filter_map(|(target, _)| *target);
            let others = targets.map(|target| self.traces[target]);
            waits.entry(trace).or_default().extend(others.filter(|&other| other != trace));
        }
        waits
    }

    /// Each span with its depth, parents before their children.
    fn ordered_spans(&self, ranks: &Ranks, traces: &[usize]) -> Vec<(usize, usize)> {
        let letters: HashMap<_, _> = traces.iter().zip(0..).collect();
        let letter = |span: usize| -> usize { letters[&self.traces[span]] };
        let mut children = vec![Vec::new(); self.nodes];
        for span in 0..self.spans.len() {
            let parent = self.parents[span].unwrap_or(self.traces[span]);
            let mut origins: Vec<_> =
                self.targets[span].iter().map(|target| target.map(letter)).collect();
            origins.sort_unstable();
            children[parent].push((ranks.content[span], origins, ranks.of[span], span));
        }
        for siblings in &mut children {
            siblings.sort_by(|one, other| other.cmp(one)); // the last is taken first
        }

        let mut ordered = Vec::with_capacity(self.spans.len());
        for &trace in traces {
            let mut ahead = vec![(std::mem::take(&mut children[trace]), 0)];
            while let Some((siblings, depth)) = ahead.last_mut() {
                let depth = *depth;
                match siblings.pop() {
                    Some((.., span)) => {
                        ordered.push((span, depth));
                        ahead.push((std::mem::take(&mut children[span]), depth + 1));
                    }
                    None => drop(ahead.pop()),
                }
            }
        }
        ordered
    }

    fn places(&self, traces: &[usize], order: &[(usize, usize)]) -> Vec<Place> {
        let letters: HashMap<_, _> = traces.iter().zip(0..).collect();
        let mut position = vec![0; self.spans.len()];
        let mut named: HashMap<_, usize> = HashMap::new();
        let mut numbers = Vec::with_capacity(order.len());
        for (at, &(span, _)) in order.iter().enumerate() {
            position[span] = at;
            let number = named.entry(self.full_name(span)).or_default();
            *number += 1;
            numbers.push(*number);
        }
        let places = order.iter().zip(numbers);
        let places = places.map(|(&(span, depth), number)| Place {
            trace: letters[&self.traces[span]],
            depth,
            parent: self.parents[span].map(|parent| position[parent]),
            number: (named[&self.full_name(span)] > 1).then_some(number),
            targets: self.targets[span]
                .iter()
                .map(|target| target.map(|target| position[target]))
                .collect(),
        });
        places.collect()
    }

    fn full_name(&self, span: usize) -> (usize, &'s str) {
        (self.traces[span], &self.spans[span].name)
    }
}

/// How many of the traces still waiting this one leads to, itself left out.
fn waited_for(trace: usize, waits: &HashMap<usize, BTreeSet<usize>>) -> usize {
    let mut seen = BTreeSet::from([trace]);
    let mut ahead = vec![trace];
    while let Some(next) = ahead.pop() {
        let targets = waits[&next].iter().copied();
        ahead.extend(targets.filter(|target| waits.contains_key(target) && seen.insert(*target)));
    }
    seen.len() - 1
}

/// So many spans are counted and asked, and not compared with an expected tree. To tell apart what is
/// alike by its neighbours takes a time that grows with the square of a chain's length.
const MANY: usize = 2_000;

/// Spans that say they are their own ancestors can't be printed below themselves.
fn without_cycles(mut parents: Vec<Option<usize>>) -> Vec<Option<usize>> {
    for span in 0..parents.len() {
        let ancestors = std::iter::successors(parents[span], |&ancestor| parents[ancestor]);
        if ancestors.take(parents.len()).any(|ancestor| ancestor == span) {
            parents[span] = None;
        }
    }
    parents
}

/// What is printed of a span itself. The name comes first: siblings are ordered by it.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Content<'g> {
    name: &'g str,
    kind: &'static str,
    has_parent: bool,
    is_continued: bool,
    /// The roles of the links that lead outside.
    outside: Vec<&'g str>,
    dropped: u32,
    is_ok: bool,
    error: Option<String>,
}

fn attributes(span: &SpanData) -> Vec<(&str, Cow<'_, str>)> {
    let attributes = span.attributes.iter();
    let mut attributes: Vec<_> =
        attributes.map(|attribute| (attribute.key.as_str(), attribute.value.as_str())).collect();
    attributes.sort_unstable();
    attributes
}

impl Ranks {
    /// Tells apart by `key` what was alike until now; says whether that changed anything.
    fn split<K: Ord>(&mut self, key: impl Fn(usize) -> K) -> bool {
        let mut ranks = Vec::new();
        let mut start = 0;
        while start < self.order.len() {
            let alike = self.alike(start);
            let end = start + alike;
            if alike > 1 {
                let mut keyed: Vec<_> =
                    self.order[start..end].iter().map(|&node| (key(node), node)).collect();
                keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
                let mut rank = start;
                for (offset, (own, node)) in keyed.iter().enumerate() {
                    if offset > 0 && *own != keyed[offset - 1].0 {
                        rank = start + offset;
                    }
                    self.order[start + offset] = *node;
                    ranks.push((*node, rank));
                }
            }
            start = end;
        }
        // Afterwards, so that every key was made of the old ranks.
        let mut changed = false;
        for (node, rank) in ranks {
            changed |= self.of[node] != rank;
            self.of[node] = rank;
        }
        changed
    }

    /// Tells apart by the neighbours until that tells nothing more.
    fn refine(&mut self, edges: &[Vec<(Edge<'_>, usize)>]) {
        loop {
            let of = self.of.clone();
            let changed = self.split(|node| {
                let neighbours = edges[node].iter();
                let mut neighbours: Vec<_> =
                    neighbours.map(|&(edge, other)| (edge, of[other])).collect();
                neighbours.sort_unstable();
                // What others link to comes first, so that `#1` is what they speak of.
                let linked = neighbours.iter().filter(|(edge, _)| edge.is_from_a_link());
                (Reverse(linked.count()), neighbours)
            });
            if !changed {
                return;
            }
        }
    }

    /// Puts one of the first nodes that are alike before the others, if there are such nodes.
    fn tell_one_apart<K: Ord>(&mut self, key: impl Fn(usize) -> K) -> bool {
        let mut start = 0;
        while start < self.order.len() {
            let alike = self.alike(start);
            if alike > 1 {
                let nodes = &mut self.order[start..start + alike];
                nodes.sort_by_key(|&node| key(node));
                for &node in &nodes[1..] {
                    self.of[node] = start + 1;
                }
                return true;
            }
            start += 1;
        }
        false
    }

    /// How many nodes share the rank `start`.
    fn alike(&self, start: usize) -> usize {
        let nodes = self.order[start..].iter();
        nodes.take_while(|&&node| self.of[node] == start).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_never_their_own_ancestors() {
        let parents = vec![Some(1), Some(0), Some(2), Some(0), None];
        let parents = without_cycles(parents);
        assert_eq!(parents, [None, Some(0), None, Some(0), None]);
    }

    #[test]
    fn a_circle_comes_before_what_is_behind_it() {
        let waits = HashMap::from([
            (1, BTreeSet::from([2])),
            (2, BTreeSet::from([3])),
            (3, BTreeSet::from([2])),
        ]);
        let counts = [1, 2, 3].map(|trace| waited_for(trace, &waits));
        assert_eq!(counts, [2, 1, 1]);
    }
}
