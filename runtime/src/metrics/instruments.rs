//! The instruments, of whichever meter provider is the global one.

use std::ptr;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use opentelemetry::global;
use opentelemetry::metrics::{Counter, Histogram, Meter, MeterProvider};

use super::names;
use crate::semconv;

/// The boundaries that the conventions advise, in seconds.
const OPERATION: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// The same and on to a day: a message may wait that long.
const WAITING: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0,
    300.0, 900.0, 3600.0, 14400.0, 86400.0,
];

#[derive(Debug)]
pub(super) struct Instruments {
    pub(super) process_duration: Histogram<f64>,
    pub(super) operation_duration: Histogram<f64>,
    pub(super) sent_messages: Counter<u64>,
    pub(super) consumed_messages: Counter<u64>,
    pub(super) wait_duration: Histogram<f64>,
    pub(super) handled_duration: Histogram<f64>,
    pub(super) relations: Counter<u64>,
    pub(super) links_left_out: Counter<u64>,
}

impl Instruments {
    fn of(meter: &Meter) -> Self {
        let seconds = |name, about, boundaries: &[f64]| {
            meter
                .f64_histogram(name)
                .with_unit("s")
                .with_description(about)
                .with_boundaries(boundaries.to_vec())
                .build()
        };
        let counter = |name, unit, about| {
            meter.u64_counter(name).with_unit(unit).with_description(about).build()
        };
        Self {
            process_duration: seconds(
                names::PROCESS_DURATION,
                "Duration of processing operation.",
                OPERATION,
            ),
            operation_duration: seconds(
                names::OPERATION_DURATION,
                "Duration of messaging operation initiated by a producer or consumer client.",
                OPERATION,
            ),
            sent_messages: counter(
                names::SENT_MESSAGES,
                "{message}",
                "Number of messages producer attempted to send to the broker.",
            ),
            consumed_messages: counter(
                names::CONSUMED_MESSAGES,
                "{message}",
                "Number of messages that were delivered to the application.",
            ),
            wait_duration: seconds(
                names::WAIT_DURATION,
                "Time from a message's sending to the start of its handling.",
                WAITING,
            ),
            handled_duration: seconds(
                names::HANDLED_DURATION,
                "Time from a message's sending to the end of its handling.",
                WAITING,
            ),
            relations: counter(
                names::RELATIONS,
                "{handling}",
                "Number of times a handler continued its sender's trace, linked to it or ignored it.",
            ),
            links_left_out: counter(
                names::LINKS_LEFT_OUT,
                "{link}",
                "Number of senders without a link because the span has as many as it may have.",
            ),
        }
    }
}

type Provider = dyn MeterProvider + Send + Sync;

/// An instrument belongs for good to the provider it was made by. The weak pointer keeps that
/// provider's place in memory taken, so that no later one is mistaken for it, and lets it end.
static CURRENT: RwLock<Option<(Weak<Provider>, Arc<Instruments>)>> = RwLock::new(None);

/// The instruments of the provider that is the global one now: made once for each, so that one which
/// is installed late is honoured, at the price of comparing two pointers.
pub(super) fn current() -> Arc<Instruments> {
    let provider = global::meter_provider();
    let is_current =
        |made_by: &Weak<Provider>| ptr::addr_eq(made_by.as_ptr(), Arc::as_ptr(&provider));
    {
        let current = CURRENT.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((made_by, instruments)) = &*current {
            if is_current(made_by) {
                return instruments.clone();
            }
        }
    }
    // Without the lock: a provider is somebody else's code. Two threads may both make them, which an
    // SDK takes for the same instruments.
    let instruments = Arc::new(Instruments::of(&provider.meter_with_scope(semconv::scope())));
    let made = (Arc::downgrade(&provider), instruments.clone());
    *CURRENT.write().unwrap_or_else(PoisonError::into_inner) = Some(made);
    instruments
}
