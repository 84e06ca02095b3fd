//! Code that unwinds, a layer's or a destructor's, costs no other span anything: each ends once, by what happened
//! in it, and what is recorded reaches the span that it is meant for.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use throughline::testing::{Capture, Traces};
use throughline::{Outcome, TraceContext, consume};
use throughline_tests::in_both_worlds;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry;

/// Unwinds once after it was armed.
#[derive(Clone, Default)]
struct Trap(Arc<AtomicBool>);

impl Trap {
    fn arm(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn may_snap(&self) {
        assert!(!self.0.swap(false, Ordering::Relaxed), "the trap");
    }
}

struct OnExit(Trap);

impl<S: Subscriber> Layer<S> for OnExit {
    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        self.0.may_snap();
    }
}

/// A subscriber that counts its spans, and is asked to.
struct OnClone(Trap);

impl Subscriber for OnClone {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.0.may_snap();
        id.clone()
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn unwinds(body: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(body)).is_err());
}

#[test]
fn a_layer_that_unwinds_when_a_span_is_left_takes_no_other_span_with_it() {
    let trap = Trap::default();
    let layer = OnExit(trap.clone());
    let capture = Capture::new().with_subscriber(|_| registry().with(layer));
    let traces = capture.run_sync(|| {
        let mut outer = consume("outer").start(&TraceContext::default());
        outer.run_sync(|| {
            unwinds(|| {
                let mut inner = consume("inner").start(&TraceContext::default());
                inner.run_sync(|| trap.arm());
            });
            throughline::record("later", 1);
        });
        outer.finish(Outcome::ok());
    });
    traces.span("outer").has_attribute("later", 1).has_no_attribute("error.type");
    traces.span("inner").is_error();
}

#[test]
fn a_subscriber_that_unwinds_where_something_is_recorded_costs_that_alone() {
    let trap = Trap::default();
    let subscriber = OnClone(trap.clone());
    let traces: Traces = Capture::new().with_subscriber(|_| subscriber).run_sync(|| {
        let mut span = consume("handler").start(&TraceContext::default());
        span.run_sync(|| {
            trap.arm();
            unwinds(|| throughline::record("lost", 1));
            throughline::record("kept", 2);
        });
        span.finish(Outcome::ok());
    });
    traces.span("handler").has_attribute("kept", 2).has_no_attribute("error.type");
}

#[test]
fn a_destructor_that_unwinds_where_a_handler_is_cancelled_does_not_make_it_a_panic() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let message = TraceContext::default();
            let mut handling = Box::pin(consume("handler").run(&message, async {
                let _bomb = Bomb;
                std::future::pending::<()>().await;
            }));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(handling.as_mut().poll(&mut context).is_pending());
            unwinds(|| drop(handling));
        });
        traces.span("handler").is_error().has_attribute("error.type", "cancelled");
    });
}
