//! Traces captured in memory and printed as a tree: what a test of a handler looks at.
//!
//! [`capture`] runs a future and gives back the spans that were made while it ran. It installs
//! nothing global, so that tests run in parallel, each with its own spans.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use throughline::{Traced, testing};
//! # use std::fmt::Error as PaymentError;
//! # async fn charge(_order: &Traced<&str>) -> Result<(), PaymentError> { Ok(()) }
//!
//! async fn charge_card(order: Traced<&str>) -> Result<(), PaymentError> {
//!     throughline::consume("charge_card")
//!         .continue_()
//!         .destination("orders")
//!         .run(&order, charge(&order))
//!         .await
//! }
//!
//! let traces = testing::capture(async {
//!     let mut order = Traced::new("two lemons");
//!     throughline::produce("publish").destination("orders").run_sync(&mut order, |_| {});
//!     charge_card(order).await.unwrap();
//! })
//! .await;
//!
//! traces.span("process orders").continues("send orders").is_kind("consumer").status_is_unset();
//! // Or all at once, as `println!("{traces}")` prints it:
//! traces.assert_tree(
//!     "
//!     trace A
//!       send orders                        producer
//!         process orders                   consumer   continues A/send orders
//!     ",
//! );
//! # }
//! ```
//!
//! With [`Capture`] there is more to choose: OpenTelemetry without `tracing`, the application's own
//! subscriber, another sampler. [`Traces::from_spans`] prints spans that come another way.
//!
//! # The printed tree
//!
//! ```text
//! trace A
//!   POST /orders                       server
//!     publish orders                   producer
//!       process orders                 consumer   continues A/publish orders
//! trace B
//!   process orders                     consumer   links to A/publish orders
//! ```
//!
//! The same spans print as the same text, whatever their ids and times are and in whatever order
//! they ended; [`Traces::assert_tree`] compares it, and the format changes with a major version
//! only. A trace stands after those it links to, spans and traces of one rank by name; where traces
//! link to each other, the top-level trace of a process comes first. After a span's kind comes what
//! else there is to say:
//!
//! | note | the span |
//! |---|---|
//! | `continues A/publish orders` | links to its own parent |
//! | `links to A/publish orders` | links to a span of trace A |
//! | `links to A/poll (ambient)` | does so for this reason, not because it is an origin |
//! | `links to A/publish orders #2` | links to the second one of that name in trace A |
//! | `links to A/x, B/x, C/x and 97 more` | has more links than fit |
//! | `child of a span outside` | has a parent that is not among the spans. With a link to it: `continues a span outside` |
//! | `links to 2 spans outside` | links to spans that are not among the spans |
//! | `2 links dropped` | was given more links than OpenTelemetry keeps |
//! | `error: PaymentError: card refused` | failed, with this `error.type` and description |
//! | `ok` | has the status ok, which throughline never sets |
//!
//! # What a capture does not see
//!
//! A span belongs to the capture that is being polled on its thread; or else to the one that knows
//! its parent, its trace or what it links to; or else to the only one on its thread. That leaves:
//!
//! - **Spans still open at the end.** Wait for the work: await the `JoinHandle`, or the answer,
//!   before the captured future ends. A failing assertion names what had not ended.
//! - **A bare `tokio::spawn` on a multi-thread runtime**, if the task's spans neither continue nor
//!   link to anything of the capture. A handler of a message that was sent in the capture is seen,
//!   and so is an `#[async_task]` that was called in one of its spans. For others, test on a
//!   current-thread runtime (`#[tokio::test]` is one), or make spans in the task under a context
//!   that was carried there.
//! - **Other people's `tracing` spans in spawned tasks.** The subscriber stays with the captured
//!   future: write `tokio::spawn(task.with_current_subscriber())`, with
//!   `tracing::instrument::WithSubscriber`. throughline's own spans need no subscriber and are made
//!   with the OpenTelemetry API there.
//! - **Spans made through OpenTelemetry's global tracer.** Make them with a tracer of [`provider`],
//!   or let that be the global provider of the test program. It drops what no capture claims.
//! - **Spans that are not sampled**, as under a `traceparent` that ends in `-00`.
//!   [`Capture::sampler`] decides otherwise.
//!
//! While a capture lives anywhere in the process, throughline makes the spans that it makes with
//! the OpenTelemetry API here, and not with the global provider. While none does, this feature
//! changes nothing.

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

/// Runs a future and gives the spans that were made while it ran; its output is dropped.
///
/// It is the world most applications live in: a `tracing` subscriber with an OpenTelemetry layer
/// listens. See [`Capture::without_tracing`] for the other one.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use throughline::{Traced, testing};
///
/// let order = Traced::new("two lemons");
/// let traces = testing::capture(async {
///     throughline::consume("pack").run(&order, async {}).await;
/// })
/// .await;
/// traces.span("pack").is_root();
/// # }
/// ```
pub fn capture<F: Future>(body: F) -> impl Future<Output = Traces> + use<F> {
    Capture::new().run(body)
}

/// Runs a closure and gives the spans that were made while it ran: [`capture`] for code that is
/// not async.
///
/// ```
/// use throughline::{Traced, testing};
///
/// let order = Traced::new("two lemons");
/// let traces = testing::capture_sync(|| {
///     throughline::consume("pack").run_sync(&order, || {});
/// });
/// traces.span("pack").is_root();
/// ```
pub fn capture_sync<R>(body: impl FnOnce() -> R) -> Traces {
    Capture::new().run_sync(body)
}
