//! Which handler or task runs on this thread, and by which messages or whom it was started.
//!
//! A producer asks: a context that its message carries from there was forwarded, not chosen. A
//! handler asks: for a message that is being handled already there is a consumer's span.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

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
    Task {
        /// What the handler around the call handles, and its span.
        message: Option<MessageId>,
        handler: Option<Own>,
        /// Whoever sent it that, and the callers.
        not_chosen: Arc<[Id]>,
    },
}

/// A message as far as it can be told from others. It needs no allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MessageId {
    origin: Option<Id>,
    /// The hash of the id that the message has of its own.
    own: Option<u64>,
}

impl MessageId {
    pub(crate) fn new(origin: Option<&SpanContext>, own: Option<&str>) -> Self {
        let hash = |own: &str| {
            let mut hasher = DefaultHasher::new();
            own.hash(&mut hasher);
            hasher.finish()
        };
        Self { origin: origin.map(id), own: own.map(hash) }
    }

    /// Whether both are surely one message. Without an origin nobody can tell.
    fn is(self, other: Self) -> bool {
        self.origin.is_some() && self == other
    }
}

impl Running {
    pub(crate) fn batch(origins: impl Iterator<Item = Id>) -> Self {
        Self::Batch(origins.collect())
    }

    /// Of a task that is called here by `caller`: the handler around it goes on in the task, wherever
    /// that runs, and what the caller's own span sent is no more chosen there than here.
    pub(crate) fn task(caller: &SpanContext) -> Self {
        let caller = caller.is_valid().then(|| id(caller));
        let around = ask(|handler| match &handler.started_by {
            Self::Unchanged => None,
            Self::Message(message) => Some((Some(*message), message.origin.into_iter().collect())),
            Self::Batch(origins) => Some((None, origins.to_vec())),
            Self::Task { message, not_chosen, .. } => Some((*message, not_chosen.to_vec())),
        });
        // Without any the task is still one: whoever polls it has not started it.
        let (message, around): (Option<MessageId>, Vec<Id>) = around.unwrap_or_default();
        let handler = ask(|handler| handler.span);
        Self::Task { message, handler, not_chosen: around.into_iter().chain(caller).collect() }
    }

    /// For as long as the guard lives, this is what runs, in the span `own`.
    pub(super) fn enter(&self, own: Option<&SpanContext>) -> RunningGuard {
        let mut handler = match self {
            Self::Unchanged => None,
            task @ Self::Task { handler, .. } => {
                Some(Handler { started_by: task.clone(), span: *handler })
            }
            started_by => Some(Handler {
                started_by: started_by.clone(),
                span: own.map(|own| (own.trace_id(), own.span_id(), own.trace_flags())),
            }),
        };
        let entered = handler.is_some();
        // Where the thread's storage is gone already, nobody asks any more.
        let before = RUNNING.try_with(|running| match handler.take() {
            Some(handler) => running.replace(Some(handler)),
            None => None,
        });
        RunningGuard { entered, before: before.unwrap_or_default(), not_send: PhantomData }
    }
}

fn id(span: &SpanContext) -> Id {
    (span.trace_id(), span.span_id())
}

/// A handler that runs.
#[derive(Debug)]
struct Handler {
    started_by: Running,
    span: Option<Own>,
}

thread_local! {
    static RUNNING: RefCell<Option<Handler>> = const { RefCell::new(None) };
}

/// Sets back what ran before.
pub(super) struct RunningGuard {
    entered: bool,
    before: Option<Handler>,
    not_send: PhantomData<*const ()>,
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        if self.entered {
            let before = self.before.take();
            let _ = RUNNING.try_with(|running| running.replace(before));
        }
    }
}

fn ask<T>(question: impl FnOnce(&Handler) -> Option<T>) -> Option<T> {
    RUNNING.try_with(|running| running.borrow().as_ref().and_then(question)).ok().flatten()
}

/// Whether `span` sent a message that the handler around this code was started by, or called the
/// task around it.
pub(crate) fn is_origin_of_the_running_handler(span: &SpanContext) -> bool {
    let sender = id(span);
    ask(|handler| match &handler.started_by {
        Running::Unchanged => None,
        Running::Message(message) => Some(message.origin == Some(sender)),
        Running::Batch(senders) | Running::Task { not_chosen: senders, .. } => {
            Some(senders.contains(&sender))
        }
    })
    .unwrap_or(false)
}

/// Whether the handler around this code was started by this very message.
pub(crate) fn is_handled_already(message: MessageId) -> bool {
    ask(|handler| match handler.started_by {
        Running::Message(running) | Running::Task { message: Some(running), .. } => {
            Some(running.is(message))
        }
        Running::Unchanged | Running::Batch(_) | Running::Task { message: None, .. } => None,
    })
    .unwrap_or(false)
}

/// The span of the handler around this code.
pub(crate) fn running_handler() -> Option<SpanContext> {
    let (trace, span, flags) = ask(|handler| handler.span)?;
    Some(SpanContext::new(trace, span, flags, false, TraceState::NONE))
}
