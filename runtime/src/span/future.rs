//! A future that runs inside a span.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{ActiveSpan, MarkPanic};

pin_project! {
    /// A future that runs inside a span: see [`ActiveSpan::run`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Run<'s, F> {
        // An option, so that the future can be dropped while the span is entered.
        #[pin]
        future: Option<F>,
        span: &'s mut ActiveSpan,
    }

    impl<F> PinnedDrop for Run<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if this.future.is_some() {
                this.span.enter_with(|_| this.future.set(None));
            }
        }
    }
}

impl<'s, F> Run<'s, F> {
    pub(super) fn new(span: &'s mut ActiveSpan, future: F) -> Self {
        Self { future: Some(future), span }
    }
}

impl<F: Future> Future for Run<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let mut this = self.project();
        this.span.enter_with(|panicked| {
            let Some(future) = this.future.as_mut().as_pin_mut() else {
                return Poll::Pending; // it has given its result already
            };
            let mark = MarkPanic::armed(panicked);
            let polled = future.poll(task);
            if polled.is_ready() {
                // What the future still holds is dropped inside the span as well.
                this.future.set(None);
            }
            mark.disarm();
            polled
        })
    }
}

impl<F> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("span", &self.span).finish_non_exhaustive()
    }
}
