//! The future of one call: its span starts with the first poll, and ends with the response.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::{DefaultResponseOutcome, ResponseOutcome};
use crate::consumer::UnstartedSpan;
use crate::outcome::Outcome;
use crate::span::ActiveSpan;

pin_project! {
    /// The response future of a [`ConsumerService`](super::ConsumerService).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::future::{Ready, ready};
    /// use throughline::{Traced, tower::{ConsumerLayer, ResponseFuture}};
    /// use tower::{Layer, Service, service_fn};
    ///
    /// let service = service_fn(|order: Traced<u32>| ready(Ok::<_, std::fmt::Error>(*order)));
    /// let mut service = ConsumerLayer::new("charge_card").layer(service);
    /// let response: ResponseFuture<Ready<_>> = service.call(Traced::new(7)); // no span yet
    /// assert_eq!(response.await, Ok(7));
    /// # }
    /// ```
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct ResponseFuture<F, Ended = DefaultResponseOutcome> {
        // An option, so that the future can be dropped while the span is entered.
        #[pin]
        inner: Option<F>,
        span: Stage,
        response_outcome: Ended,
    }

    impl<F, Ended> PinnedDrop for ResponseFuture<F, Ended> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Stage::Active(span) = this.span {
                span.drop_inside(this.inner);
            }
        }
    }
}

/// How far the handler's span is.
#[expect(clippy::large_enum_variant, reason = "a box would be an allocation for every call")]
enum Stage {
    Unstarted(UnstartedSpan),
    Active(ActiveSpan),
    Ended,
}

impl Stage {
    fn start(&mut self) {
        *self = match std::mem::replace(self, Self::Ended) {
            Self::Unstarted(span) => Self::Active(span.start()),
            later => later,
        };
    }

    fn finish(&mut self, outcome: Outcome) {
        if let Self::Active(span) = std::mem::replace(self, Self::Ended) {
            span.finish(outcome);
        }
    }
}

impl<F, Ended> ResponseFuture<F, Ended> {
    pub(super) fn new(span: UnstartedSpan, inner: F, response_outcome: Ended) -> Self {
        Self { inner: Some(inner), span: Stage::Unstarted(span), response_outcome }
    }
}

impl<F, Response, Error, Ended> Future for ResponseFuture<F, Ended>
where
    F: Future<Output = Result<Response, Error>>,
    Ended: ResponseOutcome<Response, Error>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        this.span.start();
        // It stays in its place: after a panic the inner future is still dropped inside it.
        let Stage::Active(span) = this.span else {
            return Poll::Pending; // it has given its result already
        };
        let result = ready!(span.poll_inside(this.inner, task));
        let outcome = this.response_outcome.outcome(&result);
        this.span.finish(outcome);
        Poll::Ready(result)
    }
}

impl<F, Ended> fmt::Debug for ResponseFuture<F, Ended> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
