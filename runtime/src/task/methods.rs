//! Futures and closures that have no function of their own, as tasks.

use super::{RunTask, run_sync, task};
use crate::outcome::Outcome;
use crate::span::Site;

/// A future as a task: [`continued`](Self::continued) and [`linked`](Self::linked) on every future.
///
/// What is active where the method is called is the caller that the task's span relates to, wherever
/// and however late the future runs.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # use throughline::testing;
/// use throughline::TaskFuture;
///
/// # let traces = testing::capture(async {
/// let request = tracing::info_span!("POST /images");
/// let (resizing, mailing) = request.in_scope(|| {
///     let resize = async { Err::<(), _>(std::fmt::Error) };
///     let mail = async { "sent" };
///     (tokio::spawn(resize.continued("resize")), tokio::spawn(mail.linked("mail")))
/// });
/// drop(request); // it may be over by now
/// assert!(resizing.await.unwrap().is_err());
/// assert_eq!(mailing.await.unwrap(), "sent");
/// # }).await;
/// # traces.span("resize").is_child_of("POST /images").is_error();
/// # traces.span("mail").is_root().links_to("POST /images");
/// # }
/// ```
///
/// # What counts as an error
///
/// A panic, a future that is dropped before its end, and an `Err`, whatever else the future may
/// yield. These methods ask nothing of what it yields, so an `Err` is named after its error's type
/// and its words are left out. To have them too, or an [`IntoOutcome`](crate::IntoOutcome) of your
/// own, write [`task("resize").continue_().run(future)`](crate::Task::run), or give the code a
/// function with `#[async_task(continue)]`.
pub trait TaskFuture: Future + Sized {
    /// The future as a task whose span is a child of the one that is active here, also when that
    /// one has ended by then.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use throughline::TaskFuture;
    ///
    /// let resizing = tokio::spawn(async { 320 }.continued("resize"));
    /// assert_eq!(resizing.await.unwrap(), 320);
    /// # }
    /// ```
    fn continued(self, site: impl Into<Site>) -> RunTask<Self> {
        RunTask::new(task(site).continue_(), self, Outcome::of_anything)
    }

    /// The future as a task whose span is the root of its own trace, with a link to the one that is
    /// active here. Baggage is kept.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use throughline::TaskFuture;
    ///
    /// let mut tasks = tokio::task::JoinSet::new();
    /// for width in [320, 640] {
    ///     tasks.spawn(async move { width }.linked("resize"));
    /// }
    /// assert_eq!(tasks.join_all().await.len(), 2);
    /// # }
    /// ```
    fn linked(self, site: impl Into<Site>) -> RunTask<Self> {
        RunTask::new(task(site).link(), self, Outcome::of_anything)
    }
}

impl<F: Future> TaskFuture for F {}

/// A closure as a task: [`continued`](Self::continued) and [`linked`](Self::linked) on every closure
/// without arguments, for threads, `spawn_blocking` and rayon.
///
/// What is active where the method is called is the caller that the task's span relates to, wherever
/// and however late the closure runs. An `Err` and a panic count as errors, as for [`TaskFuture`].
///
/// A closure that returns a future is over when it has returned it: call the method on the future.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # use throughline::testing;
/// use throughline::TaskFn;
///
/// fn resize(image: Vec<u8>) -> Vec<u8> {
///     image
/// }
///
/// # let traces = testing::capture(async {
/// let image = vec![7];
/// let resizing = tracing::info_span!("POST /images").in_scope(|| {
///     tokio::task::spawn_blocking((move || resize(image)).linked("resize"))
/// });
/// assert_eq!(resizing.await.unwrap(), [7]);
/// # }).await;
/// # traces.span("resize").is_root().links_to("POST /images");
/// # }
/// ```
pub trait TaskFn<R>: FnOnce() -> R + Sized {
    /// The closure as a task whose span is a child of the one that is active here, also when that
    /// one has ended by then.
    ///
    /// ```
    /// use throughline::TaskFn;
    ///
    /// let resizing = std::thread::spawn((|| 320).continued("resize"));
    /// assert_eq!(resizing.join().unwrap(), 320);
    /// ```
    fn continued(self, site: impl Into<Site>) -> impl FnOnce() -> R {
        let task = task(site).continue_();
        move || run_sync(task, self, Outcome::of_anything)
    }

    /// The closure as a task whose span is the root of its own trace, with a link to the one that is
    /// active here. Baggage is kept.
    ///
    /// ```
    /// use throughline::TaskFn;
    ///
    /// let resizing = std::thread::spawn((|| 320).linked("resize"));
    /// assert_eq!(resizing.join().unwrap(), 320);
    /// ```
    fn linked(self, site: impl Into<Site>) -> impl FnOnce() -> R {
        let task = task(site).link();
        move || run_sync(task, self, Outcome::of_anything)
    }
}

impl<F: FnOnce() -> R, R> TaskFn<R> for F {}
