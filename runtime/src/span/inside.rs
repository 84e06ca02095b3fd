//! The span whose code runs on this thread: what [`record`] fills in.

use std::cell::RefCell;

use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;

use super::{FieldValue, Value};

thread_local! {
    static INNERMOST: RefCell<Option<Inside>> = const { RefCell::new(None) };
}

/// Records a field of the handler, the producer or the task that runs here, also from within other
/// spans inside it.
///
/// The field is one that was declared without a value, `fields(order.total = Empty)`, and is
/// recorded once: OpenTelemetry would export a second value beside the first. A field that was not
/// declared reaches the OpenTelemetry span, and no log line. Where nothing runs, or its span is not
/// made, this does nothing.
///
/// ```
/// use throughline::{Traced, async_consumer, field, testing};
///
/// #[async_consumer(link, fields(order.total = Empty, customer = Empty))]
/// async fn charge_card(order: Traced<Vec<u32>>) {
///     throughline::record("order.total", order.iter().sum::<u32>());
///     throughline::record("customer", field::debug(&("Ada", 7)));
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let traces = testing::capture(charge_card(Traced::new(vec![4, 8]))).await;
/// traces
///     .span("charge_card")
///     .has_attribute("order.total", 12)
///     .has_attribute("customer", r#"("Ada", 7)"#);
/// # }
/// ```
pub fn record(field: &'static str, value: impl Value) {
    // Where the thread's storage is gone already, nothing runs here.
    let innermost = INNERMOST.try_with(|innermost| {
        innermost.borrow().as_ref().map(|inside| Recorder {
            #[cfg(feature = "tracing")]
            tracing: inside.tracing.clone(),
            own: inside.own.clone(),
            #[cfg(feature = "tracing")]
            bridged: inside.bridged,
        })
    });
    if let Ok(Some(recorder)) = innermost {
        // Nothing is borrowed any more: a value's `Display` may run a handler.
        recorder.record(field, &value.as_field());
    }
}

/// The span to be recorded on.
struct Recorder {
    #[cfg(feature = "tracing")]
    tracing: tracing::Span,
    own: Option<Context>,
    #[cfg(feature = "tracing")]
    bridged: bool,
}

impl Recorder {
    fn record(&self, field: &'static str, value: &FieldValue<'_>) {
        #[cfg(feature = "tracing")]
        if self.tracing.has_field(field) {
            if let Some(value) = value.as_tracing() {
                self.tracing.record(field, value);
            }
            if self.bridged {
                return;
            }
        }
        if let (Some(own), Some(attribute)) = (&self.own, value.to_attribute(field)) {
            own.span().set_attribute(attribute);
        }
    }
}

/// A span that is entered, with what it takes to record on it.
///
/// It is moved here for as long as it is entered, because a copy would cost every await some
/// atomic counting.
pub(super) struct Inside {
    #[cfg(feature = "tracing")]
    pub(super) tracing: tracing::span::EnteredSpan,
    pub(super) own: Option<Context>,
    /// Whether what `tracing`'s span records reaches OpenTelemetry's.
    #[cfg(feature = "tracing")]
    pub(super) bridged: bool,
}

impl Inside {
    pub(super) fn enter<'s>(
        self,
        own: &'s mut Option<Context>,
        #[cfg(feature = "tracing")] tracing: &'s mut tracing::Span,
    ) -> InsideGuard<'s> {
        let mut inside = Some(self);
        let before =
            INNERMOST.try_with(|innermost| innermost.replace(inside.take())).unwrap_or_default();
        InsideGuard {
            before,
            not_kept: inside,
            own,
            #[cfg(feature = "tracing")]
            tracing,
        }
    }
}

/// Leaves the span, and gives back what was moved.
pub(super) struct InsideGuard<'s> {
    before: Option<Inside>,
    /// Where the thread's storage is gone already.
    not_kept: Option<Inside>,
    own: &'s mut Option<Context>,
    #[cfg(feature = "tracing")]
    tracing: &'s mut tracing::Span,
}

impl Drop for InsideGuard<'_> {
    fn drop(&mut self) {
        let before = self.before.take();
        let mine = self.not_kept.take().or_else(|| {
            INNERMOST.try_with(|innermost| innermost.replace(before)).unwrap_or_default()
        });
        let Some(inside) = mine else { return };
        *self.own = inside.own;
        #[cfg(feature = "tracing")]
        {
            *self.tracing = inside.tracing.exit();
        }
    }
}
