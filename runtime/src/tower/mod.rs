//! A layer for workers that are built on [`tower`](https://docs.rs/tower): it makes a handler's
//! span around each call of the service below it.
//!
//! Where the request is itself a [`Message`](crate::Message), a name and a relation are enough:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use throughline::{Traced, testing, tower::ConsumerLayer};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! async fn charge_card(order: Traced<&str>) -> Result<u32, std::fmt::Error> {
//!     Ok(12)
//! }
//!
//! let traces = testing::capture(async {
//!     let worker = ServiceBuilder::new()
//!         .layer(ConsumerLayer::new("charge_card").continue_().destination("orders"))
//!         .service(service_fn(charge_card));
//!
//!     let mut order = Traced::new("two lemons");
//!     throughline::produce("publish").destination("orders").run_sync(&mut order, |_| ());
//!     worker.oneshot(order).await.unwrap();
//! })
//! .await;
//!
//! traces.span("process orders").continues("send orders");
//! # }
//! ```
//!
//! Where the context is in a part of the request, [`from`](ConsumerLayer::from) points at it. And
//! [`read_with`](ConsumerLayer::read_with) describes the whole span call by call, with what
//! [`consume`](crate::consume) offers:
//!
//! ```
//! use throughline::{Relation, Traced, consume, tower::ConsumerLayer};
//!
//! struct Task {
//!     queue: &'static str,
//!     order: Traced<u32>,
//!     nightly: bool,
//! }
//!
//! let layer = ConsumerLayer::new("charge_card").continue_().from(|task: &Task| &task.order);
//! # let _ = layer;
//!
//! let layer = ConsumerLayer::read_with(|task: &Task| {
//!     let relation = if task.nightly { Relation::LINK } else { Relation::CONTINUE };
//!     consume("charge_card").relation(relation).destination(task.queue).read(&task.order)
//! });
//! # let _ = layer;
//! ```
//!
//! # When things happen
//!
//! The message is read when the service is called, for the service below owns the request from
//! then on. The span starts when the response future is first polled, and the span that is active
//! there is the ambient one; a response future that is never polled leaves no trace. The span ends
//! when the future does: with the response, with a panic, or when it is dropped.
//!
//! What a service does in its `call`, before there is a future, therefore runs *outside* the span.
//! An `async fn` does nothing there, but other layers do: one that makes a span of its own in
//! `call`, as `TraceLayer`s do, would make it beside this one's and not below. So let this layer be
//! the last one, next to the handler, and what retries outside of it: each attempt then has its
//! span.
//!
//! # How it ended
//!
//! An `Err` is an error, with the name of the error's type as `error.type`: `_OTHER` for boxed ones,
//! which many frameworks make of all errors. [`outcome`](ConsumerLayer::outcome) takes a closure
//! that knows better, also of responses which are failures.

//!
//! # Short-lived workers
//!
//! Where the process is frozen or ends soon after it has answered, as on AWS Lambda, the spans that
//! a batch exporter still holds have to be sent before the answer: between the end of this layer's
//! span and whoever waits for the response.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # use opentelemetry_sdk::trace::SdkTracerProvider;
//! # let traces = SdkTracerProvider::builder().build();
//! use throughline::{Traced, tower::ConsumerLayer};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # type Charged = Result<u32, std::fmt::Error>;
//! async fn charge_card(order: Traced<u32>) -> Charged {
//!     Ok(*order * 100)
//! }
//!
//! let worker = ServiceBuilder::new()
//!     .then(|charged: Charged| async move {
//!         // It blocks its thread, which the exporter may need.
//!         let sent = tokio::task::spawn_blocking(move || traces.force_flush()).await;
//!         assert!(matches!(sent, Ok(Ok(()))));
//!         charged
//!     })
//!     .layer(ConsumerLayer::new("charge_card").continue_())
//!     .service(service_fn(charge_card));
//! # assert_eq!(worker.oneshot(Traced::new(7)).await, Ok(700));
//! # }
//! ```

mod future;
mod layer;
mod read_request;
mod response_outcome;
mod service;

pub use future::ResponseFuture;
pub use layer::ConsumerLayer;
pub use read_request::{DefaultReadRequest, ReadRequest};
pub use response_outcome::{DefaultResponseOutcome, ResponseOutcome};
pub use service::ConsumerService;
