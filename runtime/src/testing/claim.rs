//! Which capture a span belongs to.
//!
//! One hidden provider serves all captures of the process, so that captures can run in parallel and
//! none has to be the global one. Each span is claimed as it starts; see [`owner`] for the rule.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, TraceContextExt, TraceId, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    Sampler, SamplingResult, SdkTracer, SdkTracerProvider, ShouldSample, Span, SpanData,
    SpanLimits, SpanProcessor,
};

use super::traces::Traces;
use crate::semconv;

/// The captures that live, oldest first. There are few, so looking through them all is cheap.
static LIVE: Mutex<Vec<Record>> = Mutex::new(Vec::new());

thread_local! {
    /// The captures being polled on this thread, the innermost last.
    static POLLED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// What one living capture has seen.
struct Record {
    capture: u64,
    /// Where it was last polled.
    thread: ThreadId,
    sampler: Arc<dyn ShouldSample>,
    traces: HashSet<TraceId>,
    spans: HashSet<SpanId>,
    /// Started and not ended, by the name they started with.
    open: HashMap<SpanId, String>,
    ended: Vec<SpanData>,
}

/// A capture's place among the living ones, given up when dropped.
#[derive(Debug)]
pub(super) struct Claim {
    capture: u64,
}

impl Claim {
    pub(super) fn new(sampler: Arc<dyn ShouldSample>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        static SEAM: Once = Once::new();

        SEAM.call_once(|| crate::span::otel::set_capture_tracer(tracer_while_capturing));
        let capture = NEXT.fetch_add(1, Ordering::Relaxed);
        live().push(Record {
            capture,
            thread: thread::current().id(),
            sampler,
            traces: HashSet::new(),
            spans: HashSet::new(),
            open: HashMap::new(),
            ended: Vec::new(),
        });
        Self { capture }
    }

    /// Marks the capture as the one being polled on this thread, until the guard is dropped.
    pub(super) fn enter(&self) -> Polled {
        if let Some(record) = find(&mut live(), self.capture) {
            record.thread = thread::current().id();
        }
        POLLED.with_borrow_mut(|polled| polled.push(self.capture));
        Polled(())
    }

    /// Ends the capture and hands out what it has seen.
    pub(super) fn into_traces(self) -> Traces {
        let (ended, open) = match find(&mut live(), self.capture) {
            Some(record) => (std::mem::take(&mut record.ended), std::mem::take(&mut record.open)),
            None => (Vec::new(), HashMap::new()),
        };
        Traces::new(ended, open.into_values().collect())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        live().retain(|record| record.capture != self.capture);
    }
}

pub(super) struct Polled(());

impl Drop for Polled {
    fn drop(&mut self) {
        POLLED.with_borrow_mut(Vec::pop);
    }
}

/// A capture that panicked leaves nothing half done, so its poison means nothing to the others.
fn live() -> MutexGuard<'static, Vec<Record>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(live: &mut [Record], capture: u64) -> Option<&mut Record> {
    live.iter_mut().find(|record| record.capture == capture)
}

/// The capture that a starting span belongs to, by the first of these that knows:
///
/// 1. the capture being polled on this thread. It comes first because two tests may use the same
///    sample `traceparent`;
/// 2. the capture that knows the parent, or else the trace;
/// 3. the capture that knows what the span links to;
/// 4. the only capture living on this thread: that of a task on a current-thread runtime.
fn owner<'l>(
    live: &'l mut [Record],
    trace: TraceId,
    parent: SpanId,
    links: &[Link],
) -> Option<&'l mut Record> {
    let polled = POLLED.with_borrow(|polled| polled.last().copied());
    let capture = polled
        .or_else(|| knower(live, trace, parent))
        .or_else(|| {
            links.iter().find_map(|link| {
                knower(live, link.span_context.trace_id(), link.span_context.span_id())
            })
        })
        .or_else(|| {
            let here = thread::current().id();
            the_only(live, |record| record.thread == here)
        })?;
    find(live, capture)
}

/// The capture that made this very span, or else the only one that has a part of its trace.
fn knower(live: &[Record], trace: TraceId, span: SpanId) -> Option<u64> {
    the_only(live, |record| record.spans.contains(&span))
        .or_else(|| the_only(live, |record| record.traces.contains(&trace)))
}

fn the_only(live: &[Record], is_meant: impl Fn(&Record) -> bool) -> Option<u64> {
    let mut meant = live.iter().filter(|record| is_meant(record));
    match (meant.next(), meant.next()) {
        (Some(record), None) => Some(record.capture),
        _ => None,
    }
}

/// What throughline asks where it would ask for the global tracer. Features unify: in a program
/// that was built with this one and captures nothing, nothing may change.
fn tracer_while_capturing() -> Option<SdkTracer> {
    tracer_for(&live())
}

fn tracer_for(live: &[Record]) -> Option<SdkTracer> {
    static TRACER: OnceLock<SdkTracer> = OnceLock::new();

    if live.is_empty() {
        return None;
    }
    let tracer = TRACER.get_or_init(|| provider().tracer_with_scope(semconv::scope()));
    Some(tracer.clone())
}

/// The provider behind every capture.
///
/// throughline finds it by itself. It is for code that makes spans of its own with the
/// OpenTelemetry API: take a tracer from here, or, where that code asks the global provider, make
/// this one the global provider of the test program. Spans that no capture claims are dropped.
/// Don't shut it down: all captures of the process share it.
///
/// ```
/// # use throughline::testing;
/// use opentelemetry::trace::{Tracer, TracerProvider};
///
/// let tracer = testing::provider().tracer("shop");
/// let traces = testing::capture_sync(|| {
///     tracer.in_span("POST /orders", |_context| { /* .. */ });
/// });
/// traces.span("POST /orders").is_root();
/// ```
pub fn provider() -> SdkTracerProvider {
    static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

    // Everything is set here, so that no variable of the environment changes what a test sees.
    PROVIDER
        .get_or_init(|| {
            SdkTracerProvider::builder()
                .with_sampler(OwnersSampler)
                .with_span_limits(SpanLimits::default())
                .with_resource(Resource::builder_empty().build())
                .with_span_processor(Claimer)
                .build()
        })
        .clone()
}

/// What applications have unless they ask for something else.
pub(super) fn default_sampler() -> Sampler {
    Sampler::ParentBased(Box::new(Sampler::AlwaysOn))
}

/// Samples each span as the capture that owns it wants.
#[derive(Clone, Debug)]
struct OwnersSampler;

impl ShouldSample for OwnersSampler {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let parent = parent_context
            .map_or(SpanId::INVALID, |context| context.span().span_context().span_id());
        let sampler = owner(&mut live(), trace_id, parent, links).map(|record| {
            // Also when the span is not sampled: what continues or links to it is the capture's too.
            record.traces.insert(trace_id);
            Arc::clone(&record.sampler)
        });
        // Outside the lock: a sampler is somebody else's code.
        match sampler {
            Some(sampler) => {
                sampler.should_sample(parent_context, trace_id, name, span_kind, attributes, links)
            }
            None => default_sampler().should_sample(
                parent_context,
                trace_id,
                name,
                span_kind,
                attributes,
                links,
            ),
        }
    }
}

#[derive(Debug)]
struct Claimer;

impl SpanProcessor for Claimer {
    fn on_start(&self, span: &mut Span, _context: &Context) {
        let Some(data) = span.exported_data() else {
            return;
        };
        let context: &SpanContext = span.span_context();
        let mut live = live();
        if let Some(record) = owner(&mut live, context.trace_id(), data.parent_span_id, &data.links)
        {
            record.traces.insert(context.trace_id());
            record.spans.insert(context.span_id());
            record.open.insert(context.span_id(), data.name.into_owned());
        }
    }

    fn on_end(&self, span: SpanData) {
        let id = span.span_context.span_id();
        let mut live = live();
        let Some(record) = live.iter_mut().find(|record| record.spans.contains(&id)) else {
            return;
        };
        record.open.remove(&id);
        // What is recorded and not sampled goes to no exporter either.
        if span.span_context.is_sampled() {
            record.ended.push(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{TraceFlags, TraceState};

    use super::*;

    fn record(capture: u64) -> Record {
        Record {
            capture,
            thread: thread::current().id(),
            sampler: Arc::new(default_sampler()),
            traces: HashSet::new(),
            spans: HashSet::new(),
            open: HashMap::new(),
            ended: Vec::new(),
        }
    }

    fn owner_of(live: &mut [Record], trace: u128, parent: u64, links: &[Link]) -> Option<u64> {
        owner(live, TraceId::from(trace), SpanId::from(parent), links).map(|found| found.capture)
    }

    fn link(trace: u128, span: u64) -> Link {
        Link::with_context(SpanContext::new(
            TraceId::from(trace),
            SpanId::from(span),
            TraceFlags::SAMPLED,
            true,
            TraceState::default(),
        ))
    }

    #[test]
    fn the_polled_capture_comes_before_the_one_that_knows_the_trace() {
        let polled = Claim::new(Arc::new(default_sampler()));
        let mut live = [record(u64::MAX), record(polled.capture)];
        live[0].traces.insert(TraceId::from(7));

        assert_eq!(owner_of(&mut live, 7, 1, &[]), Some(u64::MAX));
        let _guard = polled.enter();
        assert_eq!(owner_of(&mut live, 7, 1, &[]), Some(polled.capture));
    }

    #[test]
    fn where_nothing_is_captured_there_is_no_tracer() {
        assert!(tracer_for(&[]).is_none());
        assert!(tracer_for(&[record(1)]).is_some());
    }

    #[test]
    fn a_capture_lives_until_it_is_dropped() {
        let claim = Claim::new(Arc::new(default_sampler()));
        let capture = claim.capture;
        assert!(find(&mut live(), capture).is_some());
        drop(claim);
        assert!(find(&mut live(), capture).is_none());

        let claim = Claim::new(Arc::new(default_sampler()));
        let capture = claim.capture;
        drop(claim.into_traces());
        assert!(find(&mut live(), capture).is_none());
    }

    #[test]
    fn parent_then_trace_then_links_then_thread() {
        let mut live = [record(1), record(2)];
        live[0].traces.extend([TraceId::from(7), TraceId::from(8)]);
        live[1].traces.insert(TraceId::from(7));
        live[1].spans.insert(SpanId::from(70));

        assert_eq!(owner_of(&mut live, 7, 70, &[]), Some(2), "its parent");
        assert_eq!(owner_of(&mut live, 8, 1, &[]), Some(1), "its trace");
        assert_eq!(owner_of(&mut live, 7, 1, &[]), None, "a trace of both");
        assert_eq!(owner_of(&mut live, 9, 0, &[link(8, 1)]), Some(1));
        assert_eq!(owner_of(&mut live, 9, 0, &[link(7, 70)]), Some(2));
        assert_eq!(owner_of(&mut live, 9, 0, &[]), None, "both live here");
        assert_eq!(owner_of(&mut live[..1], 9, 0, &[]), Some(1), "the only one");

        let elsewhere = thread::spawn(|| thread::current().id()).join().unwrap();
        live[0].thread = elsewhere;
        assert_eq!(owner_of(&mut live[..1], 9, 0, &[]), None);
        assert_eq!(owner_of(&mut live, 9, 0, &[]), Some(2));
    }
}
