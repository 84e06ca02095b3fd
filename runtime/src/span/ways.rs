//! In which way each span was made, or why it was not: counted, and the last few in their order.
//!
//! A fixed number of counters, which nobody waits for.

use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

use crate::fault::Fault;
use crate::tally::{self, Counter};

/// What became of a span that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Made through an OpenTelemetry layer of `tracing`.
    Layer,
    /// Made by such a layer, which can't be reached.
    LayerOutOfReach,
    /// Made with OpenTelemetry's API.
    Api,
    /// Not made: a filter hides it from the layer.
    FilteredOut,
    /// Not made: the layer has no tracer that makes any.
    WithoutTracer,
    /// Not made: no layer answered, and no provider is installed.
    WithoutProvider,
    /// Not made: the user wants none.
    SwitchedOff,
    /// Not made: telemetry is suppressed.
    Suppressed,
}

impl Way {
    pub(crate) const ALL: [Self; 8] = [
        Self::Layer,
        Self::LayerOutOfReach,
        Self::Api,
        Self::FilteredOut,
        Self::WithoutTracer,
        Self::WithoutProvider,
        Self::SwitchedOff,
        Self::Suppressed,
    ];

    pub(crate) fn makes_a_span(self) -> bool {
        matches!(self, Self::Layer | Self::LayerOutOfReach | Self::Api)
    }

    /// What is wrong with a set-up in which spans go this way.
    fn fault(self) -> Option<Fault> {
        match self {
            Self::LayerOutOfReach => Some(Fault::LayerOutOfReach),
            Self::WithoutTracer => Some(Fault::LayerWithoutTracer),
            Self::WithoutProvider => Some(Fault::NothingRecords),
            Self::Layer | Self::Api | Self::FilteredOut | Self::SwitchedOff | Self::Suppressed => {
                None
            }
        }
    }
}

/// A byte for each of the last spans, the last one lowest; 0 is none.
static LAST: AtomicUsize = AtomicUsize::new(0);
const SAMPLED: u8 = 0x80;

/// Takes note of one span. The first that shows a fault tells the log of it.
#[inline]
pub(super) fn note(way: Way, made: Option<&Context>) {
    let sampled = made.is_some_and(|made| made.span().span_context().is_sampled());
    counter(way, sampled).add(1);
    let entry = (way as u8 + 1) | if sampled { SAMPLED } else { 0 };
    // Of two spans that start at once one may be missing here; the counts have both.
    let before = LAST.load(Ordering::Relaxed);
    let last = (before << u8::BITS) | usize::from(entry);
    // Written only where it changes: else threads would wait for one another.
    if last != before {
        LAST.store(last, Ordering::Relaxed);
    }
    if let Some(fault) = way.fault() {
        fault.tell();
    }
}

const _: () = assert!(tally::OF_WAYS + 2 * Way::ALL.len() <= tally::OF_CONTEXTS);

/// By way, and whether the span was sampled.
fn counter(way: Way, sampled: bool) -> Counter {
    Counter(tally::OF_WAYS + 2 * way as usize + usize::from(sampled))
}

/// What has been noted until now.
#[derive(Debug, Clone)]
pub(crate) struct Noted {
    counts: [[usize; 2]; Way::ALL.len()],
    /// The last spans, the last one first, and whether each was sampled.
    pub(crate) last: Vec<(Way, bool)>,
}

impl Noted {
    pub(crate) fn until_now() -> Self {
        let last = LAST.load(Ordering::Relaxed).to_le_bytes().into_iter().filter_map(|entry| {
            let way = Way::ALL.get(usize::from((entry & !SAMPLED).checked_sub(1)?))?;
            Some((*way, entry & SAMPLED != 0))
        });
        let count = |way: Way| [false, true].map(|sampled| counter(way, sampled).sum());
        Self { counts: Way::ALL.map(count), last: last.collect() }
    }

    /// How many spans went this way.
    pub(crate) fn count(&self, way: Way) -> usize {
        self.counts[way as usize].iter().sum()
    }

    /// How many were made.
    pub(crate) fn made(&self) -> usize {
        Way::ALL.into_iter().filter(|way| way.makes_a_span()).map(|way| self.count(way)).sum()
    }

    /// How many of them were sampled.
    pub(crate) fn sampled(&self) -> usize {
        self.counts.iter().map(|[_, sampled]| sampled).sum()
    }
}
