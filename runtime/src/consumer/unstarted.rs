//! A handler's span between the call that brought the message and the first poll of its future.

use super::{Handler, Received};
use crate::outcome::IntoOutcome;
use crate::span::{ActiveSpan, FieldValue, Plain};

/// A message that has been read, and the span that is to start when its handling does: see
/// [`Consumer::read`](crate::Consumer::read).
///
/// Dropped before that, it leaves no trace.
///
/// ```
/// use throughline::{Outcome, Traced};
///
/// let order = Traced::new(7);
/// let span = throughline::consume("charge_card").link().read(&order);
/// drop(order); // the message may be gone by now
/// let mut span = span.start();
/// let charged = span.run_sync(|| 12);
/// span.finish(Outcome::ok());
/// # let _ = charged;
/// ```
#[derive(Debug)]
#[must_use = "nothing happens until it is started or run"]
pub struct UnstartedSpan {
    handler: Handler,
    received: Received<'static>,
    max_links: usize,
    fields: Vec<(&'static str, Plain)>,
}

impl UnstartedSpan {
    pub(super) fn new(
        handler: Handler,
        received: Received<'static>,
        max_links: usize,
        fields: &[(&'static str, FieldValue<'_>)],
    ) -> Self {
        Self { handler, received, max_links, fields: Plain::all(fields) }
    }

    /// Starts the span, where the span that is active now is the ambient one.
    pub fn start(mut self) -> ActiveSpan {
        self.handler.start(&mut self.received, self.max_links, &Plain::as_fields(&self.fields))
    }

    /// Runs `make_future`, outside the span, and gives back what it returns: the future that is to
    /// run in it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use throughline::Traced;
    ///
    /// let span = throughline::consume("charge_card").link().read(&Traced::new(7));
    /// let future = span.prepare(|| async {});
    /// span.run(future).await;
    /// # }
    /// ```
    pub fn prepare<F: Future>(&self, make_future: impl FnOnce() -> F) -> F {
        make_future()
    }

    /// Runs `future` inside the span, which starts when the returned future is first polled.
    pub async fn run<F>(self, future: F) -> F::Output
    where
        F: Future<Output: IntoOutcome>,
    {
        let mut span = self.start();
        let result = span.run(future).await;
        span.finish(result.outcome());
        result
    }
}
