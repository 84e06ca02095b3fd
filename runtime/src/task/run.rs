//! A future that runs as a task.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::Task;
use crate::outcome::Outcome;
use crate::span::ActiveSpan;

pin_project! {
    /// A future that runs in a task's span: what [`Task::run`] and the methods of
    /// [`TaskFuture`](crate::TaskFuture) return.
    ///
    /// The span starts at the first poll, and its caller is whatever was active when this was made. A
    /// future that is never polled leaves no trace.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use std::collections::VecDeque;
    /// use throughline::{RunTask, TaskFuture};
    ///
    /// async fn resize(width: u32) -> u32 {
    ///     width
    /// }
    ///
    /// let mut queue: VecDeque<RunTask<_>> = VecDeque::new();
    /// queue.push_back(resize(320).continued("resize"));
    /// queue.push_back(resize(640).continued("resize"));
    /// while let Some(task) = queue.pop_front() {
    ///     assert_ne!(task.await, 0);
    /// }
    /// # }
    /// ```
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RunTask<F>
    where
        F: Future,
    {
        // An option, so that the future can be dropped while the span is entered.
        #[pin]
        future: Option<F>,
        // Until the first poll, then `span`.
        task: Option<Task>,
        span: Option<ActiveSpan>,
        outcome: fn(&F::Output) -> Outcome,
    }

    impl<F> PinnedDrop for RunTask<F>
    where
        F: Future,
    {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(span) = this.span {
                span.drop_inside(this.future);
            }
        }
    }
}

impl<F: Future> RunTask<F> {
    pub(super) fn new(task: Task, future: F, outcome: fn(&F::Output) -> Outcome) -> Self {
        Self { future: Some(future), task: Some(task), span: None, outcome }
    }
}

impl<F: Future> Future for RunTask<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if let Some(task) = this.task.take() {
            *this.span = Some(task.start());
        }
        let Some(span) = this.span else {
            return Poll::Pending; // it has given its result already
        };
        let polled = span.poll_inside(this.future, context);
        if let Poll::Ready(result) = &polled {
            let outcome = (this.outcome)(result);
            if let Some(span) = this.span.take() {
                span.finish(outcome);
            }
        }
        polled
    }
}

impl<F: Future> fmt::Debug for RunTask<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunTask")
            .field("task", &self.task)
            .field("span", &self.span)
            .finish_non_exhaustive()
    }
}
