//! Placeholder
mod capture;
mod claim;
mod expect;
mod order;
#[cfg(test)]
mod tests;
mod traces;
mod tree;

use std::future::Future;

pub use capture::Capture;
pub use claim::provider;
pub use traces::{AttributeValue, Span, Traces};
pub use tree::WithTimes;

/// a
pub fn capture<F: Future>(body: F) -> impl Future<Output = Traces> + use<F> {
    Capture::new().run(body)
}

/// b
pub fn capture_sync<R>(body: impl FnOnce() -> R) -> Traces {
    Capture::new().run_sync(body)
}
