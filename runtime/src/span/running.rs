//! Which messages the handler that runs on this thread was started by, and who called the task.
//!
//! A producer asks: a context that its message carries from there was forwarded, not chosen.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::sync::Arc;

use opentelemetry::trace::{SpanContext, SpanId, TraceId};

type Id = (TraceId, SpanId);

/// The origins of one handler, or of the handler around a task and its caller. One alone needs no
/// allocation.
#[derive(Debug, Clone, Default)]
pub(crate) enum Running {
    /// Neither a handler nor a task: whatever runs around it goes on.
    #[default]
    Unchanged,
    One(Option<Id>),
    Many(Arc<[Id]>),
}

thread_local! {
    static RUNNING: RefCell<Running> = const { RefCell::new(Running::Unchanged) };
}

impl Running {
    pub(crate) fn handler<'s>(mut origins: impl ExactSizeIterator<Item = &'s SpanContext>) -> Self {
        let id = |span: &SpanContext| (span.trace_id(), span.span_id());
        if origins.len() > 1 {
            Self::Many(origins.map(id).collect())
        } else {
            Self::One(origins.next().map(id))
        }
    }

    /// Of a task that is called here by `caller`: the handler around it goes on in the task, wherever
    /// that runs, and what the caller's own span sent is no more chosen there than here.
    pub(crate) fn task(caller: &SpanContext) -> Self {
        let caller = caller.is_valid().then(|| (caller.trace_id(), caller.span_id()));
        RUNNING.with(|running| match (&*running.borrow(), caller) {
            (Self::Unchanged | Self::One(None), caller) => Self::One(caller),
            (handler, None) => handler.clone(),
            (Self::One(Some(origin)), Some(caller)) => Self::Many([*origin, caller].into()),
            (Self::Many(origins), Some(caller)) => {
                Self::Many(origins.iter().copied().chain([caller]).collect())
            }
        })
    }

    pub(super) fn enter(&self) -> RunningGuard {
        let before = match self {
            Self::Unchanged => None,
            handler => Some(RUNNING.with(|running| running.replace(handler.clone()))),
        };
        RunningGuard { before, not_send: PhantomData }
    }
}

/// Sets back what ran before.
pub(super) struct RunningGuard {
    before: Option<Running>,
    not_send: PhantomData<*const ()>,
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            RUNNING.with(|running| running.replace(before));
        }
    }
}

/// Whether `span` sent a message that the handler around this code was started by, or called the
/// task around it.
pub(crate) fn is_origin_of_the_running_handler(span: &SpanContext) -> bool {
    let id = (span.trace_id(), span.span_id());
    RUNNING.with(|running| match &*running.borrow() {
        Running::Unchanged => false,
        Running::One(origin) => *origin == Some(id),
        Running::Many(origins) => origins.contains(&id),
    })
}
