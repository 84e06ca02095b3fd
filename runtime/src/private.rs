//! The only door for generated code. Not part of the public API.

pub use crate::consumer::{UnstartedSpan, consume};
pub use crate::outcome::probe;
pub use crate::producer::{Existing, produce};
pub use crate::span::ActiveSpan;
#[cfg(feature = "tracing")]
pub use crate::span::failure;
pub use crate::task::task;
pub use crate::{field, outcome, site};
#[cfg(feature = "tracing")]
pub use tracing;
