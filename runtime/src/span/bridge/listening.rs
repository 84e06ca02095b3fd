//! What listens to `tracing` here: an OpenTelemetry layer, and of which kind, or none.
//!
//! Asked about a span that is not made. Where it is disabled: with a bridge it was filtered out on
//! purpose, without one nobody has said anything about traces. Where a bridge has answered and made
//! none: was it filtered out, or can the bridge make none at all?

use std::cell::RefCell;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::trace::TraceContextExt;
use tracing::callsite::{Callsite, Identifier};
use tracing::dispatcher::{self, Dispatch, WeakDispatch};
use tracing::field::FieldSet;
use tracing::level_filters::LevelFilter;
use tracing::metadata::Kind;
use tracing::subscriber::{Interest, NoSubscriber};
use tracing::{Level, Metadata, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Registry;

use crate::span::current::current_span_context;
use crate::span::listener::Listener;
use crate::span::otel::SuppressedParent;

thread_local! {
    static LAST: RefCell<Option<Answer>> = const { RefCell::new(None) };
}

/// The answer for one subscriber, good until some layer is exchanged.
struct Answer {
    registry: usize,
    generation: usize,
    listener: Listener,
    /// Keeps the address from being given to another subscriber.
    #[expect(dead_code, reason = "held, not read")]
    subscriber: WeakDispatch,
}

/// What listens to `tracing` on this thread.
pub(in crate::span) fn listener() -> Listener {
    if LevelFilter::current() == LevelFilter::OFF {
        return Listener::Nobody;
    }
    // Cloned, because a span can't be made while the dispatcher is borrowed.
    let dispatch = dispatcher::get_default(Dispatch::clone);
    if dispatch.is::<NoSubscriber>() {
        return Listener::Nobody;
    }
    // Every bridge stands on a registry, and there is one to a subscriber.
    let Some(registry) = dispatch.downcast_ref::<Registry>() else { return Listener::NoLayer };
    let registry = std::ptr::from_ref(registry).addr();
    PROBE.register();
    let generation = PROBE.generation.load(Ordering::Acquire);
    let known = LAST.with_borrow(|last| {
        let last = last.as_ref()?;
        (last.registry == registry && last.generation == generation).then_some(last.listener)
    });
    known.unwrap_or_else(|| {
        let listener = ask();
        let subscriber = dispatch.downgrade();
        LAST.set(Some(Answer { registry, generation, listener, subscriber }));
        listener
    })
}

/// Makes a span past the filters, with telemetry suppressed so that nothing is exported.
fn ask() -> Listener {
    let parent = SuppressedParent::new();
    let _attached = parent.context.clone().attach();
    let span = Span::new(&METADATA, &METADATA.fields().value_set_all(&[]));
    if span.set_parent(parent.context.clone()).is_ok() {
        let made = span.context();
        return if parent.is_handed_on(made.span().span_context()) {
            Listener::LayerWithoutTracer
        } else {
            Listener::Layer
        };
    }
    let _entered = span.enter();
    if parent.is_handed_on(&current_span_context()) {
        Listener::NoLayer
    } else {
        Listener::LayerOutOfReach
    }
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
