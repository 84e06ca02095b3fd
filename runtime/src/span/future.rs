//! A future that runs inside a span.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::ActiveSpan;

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
            let this = this.project();
            this.span.drop_inside(this.future);
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
        let this = self.project();
        this.span.poll_inside(this.future, task)
    }
}

/// For a future that keeps the span and what runs in it side by side.
impl ActiveSpan {
    /// Polls the future, if there is one, and drops it when it has given its result.
    pub(crate) fn poll_inside<F: Future>(
        &mut self,
        mut future: Pin<&mut Option<F>>,
        task: &mut Context<'_>,
    ) -> Poll<F::Output> {
        self.run_inside(|| {
            let Some(running) = future.as_mut().as_pin_mut() else {
                return Poll::Pending; // it has given its result already
            };
            let polled = running.poll(task);
            if polled.is_ready() {
                // What the future still holds is dropped inside the span as well.
                future.set(None);
            }
            polled
        })
    }

    /// Drops the future, if there is one.
    pub(crate) fn drop_inside<F>(&mut self, mut future: Pin<&mut Option<F>>) {
        if future.is_some() {
            self.do_inside(|| future.set(None));
        }
    }
}

impl<F> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("span", &self.span).finish_non_exhaustive()
    }
}
