//! At a ratio of 1 %: with a plain ratio sampler nearly every exported link is dead, with ours none
//! is, and no sampled sender misses its handler.
//!
//! A program of its own: for ids that are the same in every run it has a provider of its own, and a
//! capture that runs beside it would be asked before that one.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::global;
use opentelemetry::trace::{SpanId, SpanKind, TraceId, TracerProvider};
use opentelemetry_sdk::trace::{
    IdGenerator, InMemorySpanExporter, Sampler, SdkTracerProvider, ShouldSample,
};
use throughline::sampler::LinkSampler;
use throughline::{async_consumer, async_producer};
use throughline_tests::Headers;
use tracing_subscriber::{Registry, layer::SubscriberExt};

/// In each world, with each sampler.
const SENDS: usize = 5_000;

#[async_producer(destination = "orders")]
fn send(message: Headers) -> Headers {
    message
}

#[async_consumer(link, destination = "orders")]
fn handle(message: &Headers) {}

/// Ids that look random and are the same in every run: the generator SplitMix64.
#[derive(Debug, Default)]
struct SameIds(AtomicU64);

impl SameIds {
    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut id = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        id ^ (id >> 31)
    }
}

impl IdGenerator for SameIds {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from(u128::from(self.next()) << 64 | u128::from(self.next()))
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(self.next())
    }
}

fn send_and_handle() {
    for _ in 0..SENDS {
        handle(&send(Headers::new()));
    }
}

fn with_opentelemetry_alone(provider: &SdkTracerProvider) {
    global::set_tracer_provider(provider.clone());
    send_and_handle();
}

fn through_the_bridge(provider: &SdkTracerProvider) {
    let bridge = tracing_opentelemetry::layer().with_tracer(provider.tracer("bridge"));
    tracing::subscriber::with_default(Registry::default().with(bridge), send_and_handle);
}

/// What a backend has got in the end.
#[derive(Debug)]
struct Exported {
    senders: usize,
    handlers: usize,
    /// Handlers whose link leads to a sender that was not exported.
    dead_links: usize,
    /// Senders whose handler was not exported.
    without_their_handler: usize,
}

fn exported(world: fn(&SdkTracerProvider), sampler: impl ShouldSample + 'static) -> Exported {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_id_generator(SameIds::default())
        .with_sampler(sampler)
        .with_simple_exporter(exporter.clone())
        .build();
    world(&provider);

    let (mut senders, mut linked) = (HashSet::new(), HashSet::new());
    for span in exporter.get_finished_spans().expect("not shut down") {
        let is_new = if span.span_kind == SpanKind::Producer {
            senders.insert((span.span_context.trace_id(), span.span_context.span_id()))
        } else {
            let [link] = &span.links.links[..] else { panic!("{span:?}") };
            linked.insert((link.span_context.trace_id(), link.span_context.span_id()))
        };
        assert!(is_new, "each message is sent and handled once");
    }
    Exported {
        senders: senders.len(),
        handlers: linked.len(),
        dead_links: linked.difference(&senders).count(),
        without_their_handler: senders.difference(&linked).count(),
    }
}

// One test, for `tracing` may ask nobody about a handler that is first called on a thread without a
// subscriber while another thread has the only one.
#[test]
fn a_linked_pair_is_exported_both_or_neither() {
    let ratio = Sampler::TraceIdRatioBased(0.01);
    let about_one_in_a_hundred = SENDS / 200..SENDS / 50;
    // In this order, so that the first one is without a subscriber that was ever there.
    for world in [with_opentelemetry_alone as fn(&_), through_the_bridge] {
        let plain = exported(world, Sampler::ParentBased(Box::new(ratio.clone())));
        assert!(about_one_in_a_hundred.contains(&plain.handlers), "{plain:?}");
        assert!(plain.dead_links > plain.handlers * 9 / 10, "{plain:?}");
        assert!(plain.without_their_handler > plain.senders * 9 / 10, "{plain:?}");

        let ours = exported(world, LinkSampler::new(ratio.clone()));
        assert!(about_one_in_a_hundred.contains(&ours.handlers), "{ours:?}");
        assert_eq!((ours.dead_links, ours.without_their_handler), (0, 0), "{ours:?}");

        // Seen with `--nocapture`.
        println!("of {SENDS}, plain: {plain:?}\nof {SENDS}, ours:  {ours:?}");
    }
}
