//! How a call ended: by its error, or by a closure.

use std::fmt::Display;

use crate::outcome::Outcome;

/// How a [`ConsumerService`](super::ConsumerService) tells from the result how a call ended.
///
/// Closures do it, as [`ConsumerLayer::outcome`](super::ConsumerLayer::outcome) takes them; there is nothing to implement here.
#[diagnostic::on_unimplemented(
    message = "`Result<{Response}, {Error}>` does not say how the call ended",
    label = "this service's error can't be displayed",
    note = "say it: `ConsumerLayer::new(..).outcome(|result: &Result<_, _>| throughline::outcome!(result))`"
)]
pub trait ResponseOutcome<Response, Error> {
    /// How the call ended.
    fn outcome(&self, result: &Result<Response, Error>) -> Outcome;
}

impl<Response, Error, F> ResponseOutcome<Response, Error> for F
where
    F: Fn(&Result<Response, Error>) -> Outcome,
{
    fn outcome(&self, result: &Result<Response, Error>) -> Outcome {
        self(result)
    }
}

/// An `Err` is an error, told by its `Display` and named after its type: what
/// [`ConsumerLayer::new`](super::ConsumerLayer::new) begins with.
#[derive(Debug, Clone, Copy, Default)]
pub struct DefaultResponseOutcome(());

impl<Response, Error: Display> ResponseOutcome<Response, Error> for DefaultResponseOutcome {
    fn outcome(&self, result: &Result<Response, Error>) -> Outcome {
        result.as_ref().map_or_else(Outcome::of_error, |_| Outcome::ok())
    }
}
