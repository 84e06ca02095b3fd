//! Whether an OpenTelemetry layer listens to the current subscriber at all.
//!
//! Asked only about a span that is disabled: with a bridge it was filtered out on purpose, without
//! one nobody has said anything about traces.

use std::cell::RefCell;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::callsite::{Callsite, Identifier};
use tracing::dispatcher::{self, Dispatch, WeakDispatch};
use tracing::field::FieldSet;
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;
use tracing::{Level, Metadata, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Registry;

thread_local! {
    static LAST: RefCell<Option<Answer>> = const { RefCell::new(None) };
}

/// The answer for one subscriber, good until some layer is exchanged.
struct Answer {
    registry: usize,
    generation: usize,
    listens: bool,
    /// Keeps the address from being given to another subscriber.
    #[expect(dead_code, reason = "held, not read")]
    subscriber: WeakDispatch,
}

/// Whether a bridge listens to the subscriber of this thread.
pub(super) fn a_bridge_listens() -> bool {
    if LevelFilter::current() == LevelFilter::OFF {
        return false;
    }
    // Cloned, because a span can't be made while the dispatcher is borrowed.
    let dispatch = dispatcher::get_default(Dispatch::clone);
    // Every bridge stands on a registry, and there is one to a subscriber.
    let Some(registry) = dispatch.downcast_ref::<Registry>() else { return false };
    let registry = std::ptr::from_ref(registry).addr();
    PROBE.register();
    let generation = PROBE.generation.load(Ordering::Acquire);
    let known = LAST.with_borrow(|last| {
        let last = last.as_ref()?;
        (last.registry == registry && last.generation == generation).then_some(last.listens)
    });
    known.unwrap_or_else(|| {
        let listens = ask();
        let subscriber = dispatch.downgrade();
        LAST.set(Some(Answer { registry, generation, listens, subscriber }));
        listens
    })
}

/// Makes a span past the filters, with telemetry suppressed so that nothing is exported.
fn ask() -> bool {
    let marker = SpanContext::new(
        TraceId::from(1),
        SpanId::from(1),
        TraceFlags::NOT_SAMPLED,
        false,
        TraceState::NONE,
    );
    let suppressed =
        Context::new().with_remote_span_context(marker.clone()).with_telemetry_suppressed();
    let _attached = suppressed.clone().attach();
    let span = Span::new(&METADATA, &METADATA.fields().value_set_all(&[]));
    if span.set_parent(suppressed).is_ok() {
        return true;
    }
    let _entered = span.enter();
    super::super::current_span_context() != marker // a bridge behind `reload`
}

/// A call site that learns when layers change: `tracing` then asks every subscriber anew which
/// spans it wants.
struct Probe {
    generation: AtomicUsize,
    registered: Once,
}

static PROBE: Probe = Probe { generation: AtomicUsize::new(0), registered: Once::new() };

static METADATA: Metadata<'static> = Metadata::new(
    "throughline probe",
    "throughline",
    Level::TRACE,
    None,
    None,
    None,
    FieldSet::new(&[], Identifier(&PROBE)),
    Kind::SPAN,
);

impl Probe {
    fn register(&'static self) {
        self.registered.call_once(|| tracing::callsite::register(self));
    }
}

impl Callsite for Probe {
    fn set_interest(&self, _: Interest) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}
