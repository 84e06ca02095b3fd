//! The span whose code runs on this thread: what [`record`] fills in, and what [`running`](super::running)
//! is asked about.

use std::cell::Cell;
use std::mem::{self, ManuallyDrop};

use opentelemetry::trace::TraceContextExt;
use opentelemetry::{Context, ContextGuard};

#[cfg(feature = "tracing")]
use super::bridge::{self, Undecided};
#[cfg(feature = "tracing")]
use super::current::current_span_context;
use super::current::{Attached, a_subscriber_was_set};
#[cfg(feature = "tracing")]
use super::ways;
use super::{ActiveSpan, FieldValue, Running, Site, Value};
#[cfg(feature = "metrics")]
use crate::metrics::Measured;

thread_local! {
    /// Whoever enters leaves again, so that there is nothing to be dropped when the thread ends: it is
    /// reached without being asked whether it is gone.
    static INNERMOST: Cell<ManuallyDrop<Option<Box<Inside>>>> =
        const { Cell::new(ManuallyDrop::new(None)) };
    /// One that is of no use any more, for the next span: an allocation less for each.
    static SPARE: Cell<Option<Box<Inside>>> = const { Cell::new(None) };
}

fn replace_innermost(by: Option<Box<Inside>>) -> Option<Box<Inside>> {
    ManuallyDrop::into_inner(INNERMOST.replace(ManuallyDrop::new(by)))
}

/// Taken away to be looked at; it is put back also where looking unwinds.
struct Borrowed(Option<Box<Inside>>);

impl Drop for Borrowed {
    fn drop(&mut self) {
        replace_innermost(self.0.take());
    }
}

fn look_at_innermost<T>(look: impl FnOnce(Option<&Inside>) -> T) -> T {
    let innermost = Borrowed(replace_innermost(None));
    look(innermost.0.as_deref())
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
    let recorder = look_at_innermost(|innermost| {
        innermost.map(|inside| Recorder {
            #[cfg(feature = "tracing")]
            tracing: inside.tracing.clone(),
            own: inside.own.clone(),
            #[cfg(feature = "tracing")]
            bridged: !inside.ends_here,
        })
    });
    if let Some(recorder) = recorder {
        // It is back in its place: a value's `Display` may run a handler.
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
        if bridge::records(&self.tracing, field) {
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

/// A span, with what it takes to record on it and to tell what its work was started by.
///
/// It is moved to the thread for as long as it is entered, because a copy would cost every await some
/// atomic counting; in a box, because what is moved then is a pointer.
pub(super) struct Inside {
    #[cfg(feature = "tracing")]
    pub(super) tracing: tracing::Span,
    /// The span itself; none where none is made.
    pub(super) own: Option<Context>,
    pub(super) attach: Attach,
    /// While it is entered: what was attached there.
    pub(super) attached: Option<Attached>,
    /// Whether it is ours to end, and to record on, or does so when `tracing`'s does.
    pub(super) ends_here: bool,
    pub(super) started_by: Running,
    /// What is left to find out when the span is entered for the first time.
    #[cfg(feature = "tracing")]
    pub(super) undecided: Option<Undecided>,
    /// The event that tells of a failure.
    #[cfg(feature = "tracing")]
    pub(super) tells_failure: Option<&'static tracing::callsite::DefaultCallsite>,
    #[cfg(feature = "metrics")]
    pub(super) measured: Option<Box<Measured>>,
    /// What is entered around it on the thread.
    around: Option<Box<Inside>>,
}

/// What is attached where the span is entered.
pub(super) enum Attach {
    /// Entering it is enough.
    Nothing,
    Own,
    /// What passes through, or holds more than the span's own context.
    Other(Context),
}

impl Inside {
    const NONE: Self = Self {
        #[cfg(feature = "tracing")]
        tracing: tracing::Span::none(),
        own: None,
        attach: Attach::Nothing,
        attached: None,
        ends_here: false,
        started_by: Running::Unchanged,
        #[cfg(feature = "tracing")]
        undecided: None,
        #[cfg(feature = "tracing")]
        tells_failure: None,
        #[cfg(feature = "metrics")]
        measured: None,
        around: None,
    };

    #[inline]
    pub(super) fn new() -> Box<Self> {
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        spare.unwrap_or_else(|| Box::new(Self::NONE))
    }

    /// Of a span for this site, whose work is started by `running`.
    #[cfg_attr(
        not(feature = "tracing"),
        expect(unused_variables, reason = "an event of `tracing` tells a failure")
    )]
    #[inline]
    pub(super) fn of(site: Site, failure_event: bool, running: Running) -> Box<Self> {
        let mut inside = Self::new();
        mem::forget(mem::replace(&mut inside.started_by, running));
        #[cfg(feature = "tracing")]
        if failure_event {
            inside.tells_failure = Some(site.failure());
        }
        inside
    }

    /// Drops all that it holds, and keeps it for the next span.
    pub(super) fn retire(mut self: Box<Self>) {
        #[cfg(feature = "tracing")]
        if !self.tracing.is_none() {
            self.tracing = tracing::Span::none();
        }
        self.attach = Attach::Nothing;
        if self.holds_something() {
            *self = Self::NONE;
        } else {
            // What is nothing already need not be written anew.
            self.attached = None;
            self.ends_here = false;
            self.started_by = Running::Unchanged;
            #[cfg(feature = "tracing")]
            {
                self.tells_failure = None;
            }
        }
        let _ = SPARE.try_with(|spare| spare.set(Some(self)));
    }

    /// Whether there is something to be dropped.
    #[inline]
    fn holds_something(&self) -> bool {
        // Each is named: what comes to be held later is not to be forgotten here.
        let Self {
            #[cfg(feature = "tracing")]
                tracing: _, // dropped by then
            own,
            attach: _, // as well
            attached: _,
            ends_here: _,
            started_by,
            #[cfg(feature = "tracing")]
            undecided,
            #[cfg(feature = "tracing")]
                tells_failure: _,
            #[cfg(feature = "metrics")]
            measured,
            around,
        } = self;
        #[cfg(feature = "tracing")]
        if undecided.is_some() {
            return true;
        }
        #[cfg(feature = "metrics")]
        if measured.is_some() {
            return true;
        }
        own.is_some() || started_by.holds_something() || around.is_some()
    }

    /// What passes through where no span is made. Until then it attaches nothing.
    #[inline]
    pub(super) fn attach_instead(&mut self, context: Context) {
        mem::forget(mem::replace(&mut self.attach, Attach::Other(context)));
    }

    /// What has been made. Until then it has no span and attaches nothing.
    #[inline]
    pub(super) fn take_own(&mut self, own: Context, attach: Attach) {
        forget_none(self.own.replace(own));
        mem::forget(mem::replace(&mut self.attach, attach));
    }

    /// What has been made through `tracing`, as far as that shows before it is entered. Until then it has no
    /// span.
    #[cfg(feature = "tracing")]
    #[inline]
    pub(super) fn wait_until_entered(&mut self, span: tracing::Span, undecided: Undecided) {
        mem::forget(mem::replace(&mut self.tracing, span));
        forget_none(self.undecided.replace(undecided));
    }

    /// What is current inside, while the span waits to be entered and where that can be told by then.
    #[cfg(feature = "tracing")]
    pub(super) fn context_before_entered(&self) -> Option<Context> {
        self.undecided.as_ref()?.context_inside(&self.tracing)
    }

    #[inline]
    pub(super) fn to_be_attached(&self) -> Option<&Context> {
        match &self.attach {
            Attach::Nothing => None,
            Attach::Own => self.own.as_ref(),
            Attach::Other(context) => Some(context),
        }
    }

    /// Where what was attached may come to be less near than a span of `tracing`'s.
    #[inline(never)]
    fn note_attached(&mut self) {
        self.attached = self.to_be_attached().map(Attached::note);
    }

    /// Asks the innermost span here, then what is around it, until one answers.
    pub(super) fn ask<T>(question: impl Fn(&Self) -> Option<T>) -> Option<T> {
        look_at_innermost(|innermost| {
            std::iter::successors(innermost, |inside| inside.around.as_deref()).find_map(question)
        })
    }
}

/// While it lives, the span is the current one.
pub(super) struct Entered<'s> {
    span: &'s mut ActiveSpan,
    attached: Option<ContextGuard>,
    #[cfg(feature = "tracing")]
    is_in_tracing: bool,
    is_innermost: bool,
    /// Whether it is the user's code that runs inside.
    is_users: bool,
}

impl<'s> Entered<'s> {
    /// Not yet.
    #[inline]
    pub(super) fn outside(span: &'s mut ActiveSpan, is_users: bool) -> Self {
        Self {
            span,
            attached: None,
            #[cfg(feature = "tracing")]
            is_in_tracing: false,
            is_innermost: false,
            is_users,
        }
    }

    /// Runs `action` inside.
    #[inline]
    pub(super) fn around<R>(mut self, action: impl FnOnce() -> R) -> R {
        self.enter();
        let result = action();
        self.leave();
        mem::forget(self);
        result
    }

    /// Enters `tracing`'s span, attaches what is to be attached, and moves the rest to the thread.
    fn enter(&mut self) {
        #[cfg(feature = "tracing")]
        self.enter_tracing();
        let Some(inside) = &mut self.span.inside else { return };
        if let Some(context) = inside.to_be_attached() {
            let guard = context.clone().attach();
            forget_none(self.attached.replace(guard));
            if a_subscriber_was_set() {
                inside.note_attached();
            }
        }
        forget_none(mem::replace(&mut inside.around, replace_innermost(None)));
        forget_none(replace_innermost(self.span.inside.take()));
        self.is_innermost = true;
    }

    #[cfg(feature = "tracing")]
    #[inline]
    fn enter_tracing(&mut self) {
        let Some(inside) = &mut self.span.inside else { return };
        if inside.undecided.is_some() {
            self.enter_tracing_and_decide();
        } else if !inside.tracing.is_none() {
            inside.tracing.with_subscriber(|(id, subscriber)| subscriber.enter(id));
            self.is_in_tracing = true;
        }
    }

    /// Finds out what there is to be attached, where that shows only when it is entered.
    #[cfg(feature = "tracing")]
    #[cold]
    fn enter_tracing_and_decide(&mut self) {
        let before = current_span_context();
        let Some(inside) = &mut self.span.inside else { return };
        let Some(undecided) = inside.undecided.take() else { return };
        inside.tracing.with_subscriber(|(id, subscriber)| subscriber.enter(id));
        self.is_in_tracing = true;
        let way = undecided.decide(inside, &before);
        ways::note(way, inside.own.as_ref());
    }

    /// Leaves the span, and gives back what was moved: once, also where a part of that unwinds.
    fn leave(&mut self) {
        self.attached = None;
        if mem::take(&mut self.is_innermost) {
            let mut inside = replace_innermost(None);
            if let Some(inside) = &mut inside {
                forget_none(replace_innermost(inside.around.take()));
            }
            forget_none(mem::replace(&mut self.span.inside, inside));
        }
        #[cfg(feature = "tracing")]
        if mem::take(&mut self.is_in_tracing) {
            if let Some(inside) = &mut self.span.inside {
                inside.tracing.with_subscriber(|(id, subscriber)| subscriber.exit(id));
            }
        }
    }
}

/// Of what a place held that is known to be empty, for a span is entered once at a time: looking whether there is
/// something to be dropped is a good part of entering it.
#[inline]
fn forget_none<T>(nothing: Option<T>) {
    mem::forget(nothing);
}

/// Only of what unwinds: what has been left is forgotten. Asking the thread whether it is panicking would be
/// wrong: a future may be dropped by code that unwinds for a reason of its own.
impl Drop for Entered<'_> {
    #[cold]
    fn drop(&mut self) {
        self.span.panicked |= self.is_users;
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "tracing")]
    use crate::Site;

    #[test]
    fn what_is_kept_for_the_next_span_has_nothing_of_the_last() {
        let mut last = Inside::new();
        last.own = Some(Context::new());
        last.attach = Attach::Own;
        last.attached = Some(Attached::NOBODY);
        last.ends_here = true;
        last.started_by = Running::batch([].into_iter());
        #[cfg(feature = "tracing")]
        {
            last.tells_failure = Some(Site::from("last").failure());
            last.undecided =
                Some(Undecided::Answered { passes_through: Context::new(), late: Vec::new() });
        }
        last.around = Some(Box::new(Inside::NONE));
        last.retire();

        let next = Inside::new();
        assert!(next.own.is_none() && next.around.is_none());
        assert!(matches!(next.attach, Attach::Nothing) && next.attached.is_none());
        assert!(matches!(next.started_by, Running::Unchanged) && !next.ends_here);
        #[cfg(feature = "tracing")]
        assert!(next.tells_failure.is_none() && next.undecided.is_none());
    }
}
