//! The only door for generated code. Not part of the public API.

pub use crate::outcome::probe;
#[cfg(feature = "tracing")]
pub use crate::span::failure;
#[cfg(feature = "tracing")]
pub use tracing;
