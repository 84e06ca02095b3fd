//! Ours as the global propagator, and how it is known to be that without asking.

use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::{Context, global};

use super::W3c;

/// Sets [`W3c`] as the global propagator, for throughline and for everything else in the process.
///
/// Everything else finds what `opentelemetry::global::set_text_map_propagator(W3c::new())` would have set.
/// Throughline is told when another takes its place, which is honoured as ever. So it need not ask, for each
/// message, which one is set: under a lock that all threads share, and through a trait object that copies
/// what throughline reads where it is.
///
/// ```
/// use opentelemetry::Context;
/// use std::collections::HashMap;
///
/// throughline::propagation::set_global();
///
/// let headers = HashMap::from([("baggage".to_owned(), "tenant=acme".to_owned())]);
/// let mut passed_on = HashMap::new();
/// opentelemetry::global::get_text_map_propagator(|it| {
///     it.inject_context(&it.extract_with_context(&Context::new(), &headers), &mut passed_on);
/// });
/// assert_eq!(passed_on, headers);
/// ```
pub fn set_global() {
    global::set_text_map_propagator(Global::new());
}

/// Whether the global propagator is the one that [`set_global`] has set, and no other.
#[inline]
pub(crate) fn is_global() -> bool {
    LIVING.load(Ordering::Acquire) != 0
}

/// How many there are: one while it is the global one, and one more for as long as it takes to be replaced by
/// the next.
static LIVING: AtomicUsize = AtomicUsize::new(0);

/// Nobody else can make one or have it, and who sets another propagator drops it.
#[derive(Debug)]
struct Global(W3c);

impl Global {
    fn new() -> Self {
        LIVING.fetch_add(1, Ordering::Release);
        Self(W3c::new())
    }
}

impl Drop for Global {
    fn drop(&mut self) {
        LIVING.fetch_sub(1, Ordering::Release);
    }
}

impl TextMapPropagator for Global {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        self.0.inject_context(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        self.0.extract_with_context(context, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}
