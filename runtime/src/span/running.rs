//! Which handler or task runs on this thread, and by which messages or whom it was started.
//!
//! A producer asks: a context that its message carries from there was forwarded, not chosen. A
//! handler asks: for a message that is being handled already there is a consumer's span.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::num::NonZeroU64;
use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

use super::inside::Inside;

type Id = (TraceId, SpanId);
type Own = (TraceId, SpanId, TraceFlags);

/// What started a handler or a task.
#[derive(Debug, Clone, Default)]
pub(crate) enum Running {
    /// Neither a handler nor a task: whatever runs around it goes on.
    #[default]
    Unchanged,
    Message(MessageId),
    Batch(Arc<[Id]>),
    Task(TaskStart),
}

/// What started a task.
#[derive(Debug, Clone)]
pub(crate) struct TaskStart {
    /// Invalid where none is known.
    caller: Id,
    /// Boxed, for it is larger than all else that may have started something.
    around: Option<Box<Around>>,
}

/// What ran around the call of a task.
#[derive(Debug, Clone)]
struct Around {
    /// What the handler there handles, and its span.
    message: Option<MessageId>,
    handler: Option<Own>,
    /// The senders of its batch, and the callers of the tasks there.
    others: Vec<Id>,
}

/// A message as far as it can be told from others. It needs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageId {
    /// Invalid where none is known.
    origin: Id,
    /// The hash of the id that the message has of its own.
    own: Option<NonZeroU64>,
}

impl MessageId {
    #[inline]
    pub(crate) fn new(origin: Option<&SpanContext>, own: Option<&str>) -> Self {
        Self { origin: origin.map_or(NOBODY, id), own: own.map(hash) }
    }

    fn origin(self) -> Option<Id> {
        (self.origin != NOBODY).then_some(self.origin)
    }

    /// Whether both are surely one message. Without an origin nobody can tell.
    fn is(self, other: Self) -> bool {
        self.origin != NOBODY && self == other
    }
}

impl Running {
    /// Whether there is something to be dropped.
    pub(super) fn holds_something(&self) -> bool {
        match self {
            Self::Unchanged | Self::Message(_) => false,
            Self::Task(task) => task.around.is_some(),
            Self::Batch(_) => true,
        }
    }

    pub(crate) fn batch(origins: impl Iterator<Item = Id>) -> Self {
        Self::Batch(origins.collect())
    }

    /// Of a task that is called here by `caller`: the handler around it goes on in the task, wherever
    /// that runs, and what the caller's own span sent is no more chosen there than here.
    pub(crate) fn task(caller: &SpanContext) -> Self {
        let caller = if caller.is_valid() { id(caller) } else { NOBODY };
        let around = anything_runs_here().then(Around::here).flatten();
        // Without any the task is still one: whoever polls it has not started it.
        Self::Task(TaskStart { caller, around })
    }
}

impl Around {
    #[inline(never)]
    fn here() -> Option<Box<Self>> {
        let handler = handler_span();
        ask(|started_by| {
            let (message, others) = match started_by {
                Running::Unchanged => (None, Vec::new()),
                Running::Message(message) => (Some(*message), Vec::new()),
                Running::Batch(senders) => (None, senders.to_vec()),
                Running::Task(task) => (task.message(), task.others()),
            };
            Box::new(Self { message, handler, others })
        })
    }
}

impl TaskStart {
    fn message(&self) -> Option<MessageId> {
        self.around.as_ref()?.message
    }

    fn handler(&self) -> Option<Own> {
        self.around.as_ref()?.handler
    }

    /// Those who did not choose what is sent here, but for the sender of the message.
    fn others(&self) -> Vec<Id> {
        let around = self.around.iter().flat_map(|around| &around.others);
        around.copied().chain([self.caller]).collect()
    }

    /// Whether it is the caller, or whoever started what ran around the call.
    fn was_started_by(&self, sender: Id) -> bool {
        self.caller == sender
            || self.message().and_then(MessageId::origin) == Some(sender)
            || self.around.as_ref().is_some_and(|around| around.others.contains(&sender))
    }
}

const NOBODY: Id = (TraceId::INVALID, SpanId::INVALID);

fn hash(own: &str) -> NonZeroU64 {
    let mut hasher = DefaultHasher::new();
    own.hash(&mut hasher);
    NonZeroU64::new(hasher.finish()).unwrap_or(NonZeroU64::MIN)
}

fn id(span: &SpanContext) -> Id {
    (span.trace_id(), span.span_id())
}

/// Asks what the handler or the task around this code was started by.
fn ask<T>(question: impl Fn(&Running) -> T) -> Option<T> {
    Inside::ask(|inside| match &inside.started_by {
        Running::Unchanged => None,
        started_by => Some(question(started_by)),
    })
}

/// Whether this code runs inside a span of ours.
pub(crate) fn anything_runs_here() -> bool {
    Inside::ask(|_| Some(())).is_some()
}

/// Whether `span` sent a message that the handler around this code was started by, or called the
/// task around it.
pub(crate) fn is_origin_of_the_running_handler(span: &SpanContext) -> bool {
    let sender = id(span);
    let is_origin = ask(|started_by| match started_by {
        Running::Unchanged => false,
        Running::Message(message) => message.origin() == Some(sender),
        Running::Batch(senders) => senders.contains(&sender),
        Running::Task(task) => task.was_started_by(sender),
    });
    is_origin.unwrap_or(false)
}

/// Whether the handler around this code was started by this very message.
pub(crate) fn is_handled_already(message: MessageId) -> bool {
    let is_handled = ask(|started_by| match started_by {
        Running::Message(running) => running.is(message),
        Running::Task(task) => task.message().is_some_and(|running| running.is(message)),
        Running::Unchanged | Running::Batch(_) => false,
    });
    is_handled.unwrap_or(false)
}

/// The span of the handler around this code.
pub(crate) fn running_handler() -> Option<SpanContext> {
    let (trace, span, flags) = handler_span()?;
    Some(SpanContext::new(trace, span, flags, false, TraceState::NONE))
}

fn handler_span() -> Option<Own> {
    let span = Inside::ask(|inside| match &inside.started_by {
        Running::Unchanged => None,
        Running::Task(task) => Some(task.handler()),
        Running::Message(_) | Running::Batch(_) => Some(inside.own.as_ref().map(|own| {
            let own = own.span();
            let own = own.span_context();
            (own.trace_id(), own.span_id(), own.trace_flags())
        })),
    });
    span.flatten()
}
