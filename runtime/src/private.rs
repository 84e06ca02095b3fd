//! The only door for generated code. Not part of the public API.

pub use crate::carrier::{Facts, HeaderReader, Message, MessageMut, TraceContext};
pub use crate::consumer::{UnstartedSpan, consume};
pub use crate::outcome::probe;
pub use crate::producer::{Existing, produce};
pub use crate::span::{ActiveSpan, Place};
#[cfg(feature = "tracing")]
pub use crate::span::{failure, own_fields};
pub use crate::task::task;
pub use crate::{fact, field, outcome, site};

/// What a function returns, by a way that names `!` too: after an arrow.
pub trait Returns {
    /// The type.
    type Output;
}

impl<R> Returns for fn() -> R {
    type Output = R;
}
#[cfg(feature = "tracing")]
pub use tracing;
