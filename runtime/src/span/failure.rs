//! A failure told in the log: one event inside the span that failed.

use tracing::callsite::{Callsite, DefaultCallsite};
use tracing::{Event, Level, Value};

use super::bridge;
use crate::outcome::Failure;
use crate::semconv::event;

/// A call site of such an event is made by [`site!`](crate::site), for its target is the handler's.
pub const FIELDS: &[&str] = &["message", event::EXCEPTION_TYPE, event::EXCEPTION_MESSAGE];

/// Of a handler.
pub mod process {
    /// The event's name.
    pub const NAME: &str = super::event::PROCESS_EXCEPTION;
    /// The event's level.
    pub const LEVEL: super::Level = super::Level::ERROR;
}

/// Of a producer.
pub mod send {
    /// The event's name.
    pub const NAME: &str = super::event::SEND_EXCEPTION;
    /// The event's level.
    pub const LEVEL: super::Level = super::Level::WARN;
}

/// Of a message's creation.
pub mod create {
    /// The event's name.
    pub const NAME: &str = super::event::CREATE_EXCEPTION;
    /// The event's level.
    pub const LEVEL: super::Level = super::Level::WARN;
}

/// Of a poll.
pub mod receive {
    /// The event's name.
    pub const NAME: &str = super::event::RECEIVE_EXCEPTION;
    /// The event's level.
    pub const LEVEL: super::Level = super::Level::WARN;
}

/// Of a settlement.
pub mod settle {
    /// The event's name.
    pub const NAME: &str = super::event::SETTLE_EXCEPTION;
    /// The event's level.
    pub const LEVEL: super::Level = super::Level::WARN;
}

/// Of a task.
pub mod task {
    /// The event's name.
    pub const NAME: &str = super::event::EXCEPTION;
    /// The event's level.
    pub const LEVEL: super::Level = super::Level::ERROR;
}

/// Tells of `failure` where somebody listens.
pub(super) fn tell(failure: &Failure, callsite: &'static DefaultCallsite) {
    if !bridge::is_enabled(callsite) {
        return;
    }
    let metadata = callsite.metadata();
    let message = "failed";
    let error_type = failure.error_type.as_ref();
    let text = Some(failure.text()).filter(|text| !text.is_empty());
    let text = text.as_ref().map(|text| text as &dyn Value);
    let values: [Option<&dyn Value>; 3] = [Some(&message), Some(&error_type), text];
    Event::dispatch(metadata, &metadata.fields().value_set_all(&values));
}
