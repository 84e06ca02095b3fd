//! A task's span: related to what was active where the task was called, wherever it runs.

mod methods;
mod run;

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Link, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};

pub use methods::{TaskFn, TaskFuture};
pub use run::RunTask;

use crate::carrier::{self, TraceContext, hops};
use crate::operation::tell;
use crate::outcome::{IntoOutcome, Outcome};
use crate::rare::Rare;
use crate::relation::{Caller, Relation, Sending, TaskPlacement};
use crate::semconv::key;
use crate::span::{
    ActiveSpan, Description, Draft, FieldValue, Lineage, Maker, NoSpan, Plain, Running, Site,
    current_context, without_its_span,
};

/// Begins a task's span without a macro, and takes note of what is active here: the task's caller.
///
/// Takes the task's name, or a [`Site`]. Unless told otherwise the span links. For a future or a
/// closure there are shorter ways: [`TaskFuture`] and [`TaskFn`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # use throughline::testing;
/// async fn resize(image: Vec<u8>) -> Result<Vec<u8>, std::fmt::Error> {
///     Ok(image)
/// }
///
/// # let traces = testing::capture(async {
/// let resizing = tracing::info_span!("POST /images").in_scope(|| {
///     let task = throughline::task("resize").continue_().run(resize(vec![7]));
///     tokio::spawn(task)
/// });
/// assert_eq!(resizing.await.unwrap(), Ok(vec![7]));
/// # }).await;
/// # traces.span("resize").is_child_of("POST /images");
/// # }
/// ```
pub fn task(site: impl Into<Site>) -> Task {
    let site = site.into().of_a_task();
    // Found through `tracing` alone, a context would not know that telemetry is suppressed.
    let active = if Context::is_current_telemetry_suppressed() {
        Context::current()
    } else {
        current_context()
    };
    let running = Running::task(active.span().span_context());
    Task {
        site,
        running,
        caller: TraceContext::detached(&active),
        called: carrier::now(),
        relation: Relation::LINK,
        enabled: true,
        failure_event: true,
        name: Rare::default(),
        fields: Vec::new(),
    }
}

/// A task's span that is being described: see [`task`].
///
/// It knows who called the task, borrows nothing and keeps no span open, so it can wait in a queue
/// or go to another thread before it is started. Dropped before that, it leaves no trace. Where it
/// is started, and within which span, makes no difference.
///
/// ```
/// use throughline::{Outcome, Relation, field};
///
/// let task = throughline::task("resize")
///     .relation(Relation::CONTINUE) // or `.continue_()`, `.link()`
///     .name("resize image")
///     .fields(&[("image.width", field::value(&640))]);
///
/// let resized = std::thread::spawn(|| {
///     let mut span = task.start();
///     let resized = span.run_sync(|| 320);
///     span.finish(Outcome::ok());
///     resized
/// });
/// assert_eq!(resized.join().unwrap(), 320);
/// ```
///
/// Cloned, it stands for several tasks of one caller, as in a parallel loop.
///
/// ```
/// # use throughline::testing;
/// # let traces = testing::capture_sync(|| {
/// let task = throughline::task("resize").link();
/// std::thread::scope(|scope| {
///     for width in [320, 640] {
///         let task = task.clone();
///         scope.spawn(move || task.run_sync(|| Some(width)));
///     }
/// });
/// # });
/// # drop(traces);
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing happens until it is started or run"]
pub struct Task {
    site: Site,
    caller: TraceContext,
    /// When it was called, where there is a clock.
    called: Option<SystemTime>,
    running: Running,
    relation: Relation,
    enabled: bool,
    failure_event: bool,
    name: Rare<Cow<'static, str>>,
    fields: Vec<(&'static str, Plain)>,
}

impl Task {
    /// The span is the root of its own trace, with a link to the caller's. Baggage is kept. The
    /// default.
    pub fn link(self) -> Self {
        self.relation(Relation::LINK)
    }

    /// The span is a child of the caller's, also when that one has ended by then.
    pub fn continue_(self) -> Self {
        self.relation(Relation::CONTINUE)
    }

    /// A relation chosen at run time. [`nested`](Relation::nested) makes no difference, for a task
    /// has nothing around it; `IGNORE` neither links to the caller nor keeps its baggage.
    pub fn relation(mut self, relation: Relation) -> Self {
        self.relation = relation;
        self
    }

    /// Under `continue`: a task that starts later than this after its call is linked. See
    /// [`Relation::within`].
    pub fn within(self, age: Duration) -> Self {
        let relation = self.relation.within(age);
        self.relation(relation)
    }

    /// Under `continue`: a trace that was continued this often is linked. See
    /// [`Relation::max_hops`].
    pub fn max_hops(self, hops: u32) -> Self {
        let relation = self.relation.max_hops(hops);
        self.relation(relation)
    }

    /// The span's name, in place of the function's.
    pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into()).into();
        self
    }

    /// The user's own fields as they are now, by the names and in the order of the [`Site`].
    pub fn fields(mut self, fields: &[(&'static str, FieldValue<'_>)]) -> Self {
        self.fields = Plain::all(fields);
        self
    }

    /// Whether a span is made at all; it is unless told otherwise. Where none is made, the context
    /// passes through to the work inside as if the span were filtered out.
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Whether a failure is told in one `tracing` event inside the span, `exception` at the level
    /// ERROR; it is unless told otherwise. Without the feature `tracing` there is none.
    pub fn failure_event(mut self, failure_event: bool) -> Self {
        self.failure_event = failure_event;
        self
    }

    /// Starts the span.
    pub fn start(mut self) -> ActiveSpan {
        let fields = std::mem::take(&mut self.fields);
        self.start_with(&Plain::as_fields(&fields))
    }

    /// Starts the span with these fields, in place of those that it was told before. What they
    /// borrow is looked at only where somebody records it.
    ///
    /// ```
    /// use throughline::{Outcome, field};
    ///
    /// let image = vec![7_u8; 1024];
    /// let task = throughline::task("resize").link();
    /// let span = task.start_with(&[("image.bytes", field::value(&image.len()))]);
    /// span.finish(Outcome::ok());
    /// ```
    pub fn start_with(self, fields: &[(&'static str, FieldValue<'_>)]) -> ActiveSpan {
        let Self {
            site, caller, called, running, relation, enabled, failure_event, mut name, ..
        } = self;
        let caller = caller.into_context();
        if caller.is_telemetry_suppressed() {
            // What is called where nothing is traced is not traced elsewhere either.
            return ActiveSpan::passing_through(Some(caller));
        }
        let placement = relation.place_task(
            caller.span().span_context(),
            Sending {
                age: called.filter(|_| relation.depends_on_age()).and_then(carrier::age),
                hops: hops::count(caller.span().span_context()),
                asks_for_new_trace: false,
            },
        );
        let maker = Maker::of(site, enabled);
        if let Maker::Nobody(way) = maker {
            return NoSpan {
                way,
                site,
                failure_event,
                parent: parent(placement, caller),
                running,
                // A task is no messaging operation.
                #[cfg(feature = "metrics")]
                measured: None,
            }
            .start();
        }
        Draft {
            site,
            maker,
            failure_event,
            description: Description {
                name: name.take().unwrap_or(Cow::Borrowed(site.function())),
                kind: SpanKind::Internal,
                links: links(placement, &caller),
                attributes: attributes(placement, site),
            },
            parent: parent(placement, caller),
            // Below the caller's, `tracing` would keep that span open until the task ends.
            lineage: Lineage::Root,
            fields,
            running,
            // A task is no messaging operation.
            #[cfg(feature = "metrics")]
            measured: None,
        }
        .start()
    }

    /// Runs `make_future`, outside the span, and gives back what it returns: the future that is to
    /// run in it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let task = throughline::task("resize").link();
    /// let future = task.prepare(|| async {});
    /// task.run(future).await;
    /// # }
    /// ```
    pub fn prepare<F: Future>(&self, make_future: impl FnOnce() -> F) -> F {
        make_future()
    }

    /// Runs `future` inside the span, which starts when the returned future is first polled.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut tasks = tokio::task::JoinSet::new();
    /// for part in [1, 2, 3] {
    ///     let task = throughline::task("resize").link().name(format!("part {part}"));
    ///     tasks.spawn(task.run(async { Ok::<u8, std::fmt::Error>(7) }));
    /// }
    /// assert_eq!(tasks.join_all().await, [Ok(7); 3]);
    /// # }
    /// ```
    pub fn run<F>(self, future: F) -> RunTask<F>
    where
        F: Future<Output: IntoOutcome>,
    {
        RunTask::new(self, future, IntoOutcome::outcome)
    }

    /// Runs `body` inside the span, here and now.
    ///
    /// ```
    /// let task = throughline::task("resize").continue_();
    /// let resized = std::thread::spawn(|| task.run_sync(|| Some(320)));
    /// assert_eq!(resized.join().unwrap(), Some(320));
    /// ```
    pub fn run_sync<R: IntoOutcome>(self, body: impl FnOnce() -> R) -> R {
        run_sync(self, body, IntoOutcome::outcome)
    }
}

fn run_sync<R>(task: Task, body: impl FnOnce() -> R, outcome: fn(&R) -> Outcome) -> R {
    let mut span = task.start();
    let result = span.run_sync(body);
    span.finish(outcome(&result));
    result
}

fn links(placement: TaskPlacement, caller: &Context) -> Vec<Link> {
    if placement.caller == Caller::Linked {
        vec![Link::with_context(caller.span().span_context().clone())]
    } else {
        Vec::new()
    }
}

fn attributes(placement: TaskPlacement, site: Site) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(3);
    let function = (key::FUNCTION_NAME, site.qualified_function());
    tell(&mut attributes, [function, (key::RELATION_KIND, placement.kind.as_str())]);
    tell(&mut attributes, placement.reason.map(|why| (key::RELATION_REASON, why.as_str())));
    attributes
}

fn parent(placement: TaskPlacement, caller: Context) -> Context {
    if placement.caller == Caller::Parent {
        return hops::continued(caller, placement.hops);
    }
    if placement.keeps_baggage { without_its_span(&caller) } else { Context::new() }
}
