//! The attribute macros of [throughline](https://docs.rs/throughline). Use them through that crate, which re-exports
//! them: the code they write calls into it.
//!
//! # What a handler expands to
//!
//! A macro opens a span from the message, runs the body in it, and ends it with what the body returned. All that it
//! writes is a call to the public builder, so that everything it does can be done by hand too.
//!
//! ```text
//! #[async_consumer(continue, destination = "orders")]
//! async fn charge_card(msg: OrderPlaced) -> Result<(), PaymentError> {
//!     gateway().charge(&msg.card).await
//! }
//! ```
//!
//! becomes, but for a line that helps the compiler blame the right tokens,
//!
//! ```text
//! async fn charge_card(msg: OrderPlaced) -> Result<(), PaymentError> {
//!     let mut __span = ::throughline::consume(::throughline::site!(
//!             function: "charge_card", span: "process orders",
//!             target: ::core::module_path!(), level: INFO, fields: []))
//!         .continue_()
//!         .destination("orders")
//!         .start(&msg);
//!     let __result: Result<(), PaymentError> = __span
//!         .run(async move { gateway().charge(&msg.card).await })
//!         .await;
//!     __span.finish(::throughline::outcome!(&__result));
//!     __result
//! }
//! ```
//!
//! The folder `snapshots/` beside this source holds whole expansions.

mod args;
mod check;
mod conventions;
mod expand;
mod fallback;
mod future;
mod instrument;
mod item;
mod message;
mod mistakes;
mod nearest;
#[cfg(test)]
mod snapshots;
mod warnings;

use proc_macro::TokenStream;

/// A span of kind CONSUMER round a function that handles a message, related to whoever sent the message.
///
/// One relation is required, for it decides what the trace tells:
///
/// | written | the handler's span |
/// |---|---|
/// | `link` | is the root of its own trace, with a link to the sender |
/// | `link, nested` | is a child of the span active where the handler starts, with a link to the sender |
/// | `continue` | is a child of the sender's span, in the sender's trace |
/// | `ignore` | is the root of its own trace; what the message carries isn't read |
/// | `mode = EXPR` | is as the `Relation` says that the expression yields, for each call anew |
///
/// ```text
/// #[async_consumer(continue, destination = "orders")]
/// async fn charge_card(msg: OrderPlaced) -> Result<(), PaymentError> { .. }
///
/// #[async_consumer(link, destination = "orders", fields(order.id = %msg.id))]
/// async fn reserve_stock(&self, msg: &OrderPlaced) -> Result<(), StockError> { .. }
/// ```
///
/// # The message
///
/// It is the only argument (`self` aside). With several, write `#[message]` before one of them, or `from = EXPR`, an
/// expression over the arguments that borrows what carries the context: `from = headers`, `from = job.meta`.
///
/// # Options
///
/// | option | value | default |
/// |---|---|---|
/// | `destination` | the queue or topic | what the message says |
/// | `system` | the messaging system | what the message says |
/// | `operation` | what is done with the message | `process` |
/// | `name` | the span's name | operation and destination; without a destination, the function's name |
/// | `fields(..)` | fields in the syntax of `tracing::instrument`: `order.id = %id`, `"a key" = 1`, `?state`, `later = Empty` | none |
/// | `level` | `"trace"`, `"debug"`, `"info"`, `"warn"`, `"error"` | `"info"` |
/// | `target` | the target of the `tracing` span | the module's path |
/// | `from` | where the context is read from | the message |
/// | `crate` | the path of `throughline` | `::throughline` |
///
/// The first four are string literals or expressions over the arguments; they are evaluated before the body runs.
/// A field that is only a name (`id`) records the argument of that name.
///
/// A field whose name OpenTelemetry's messaging conventions changed (`messaging.client_id`), or that misses one of their
/// names narrowly (`messaging.message.ids`), makes a warning of the lint `deprecated`; a name in quotes never does.
#[proc_macro_attribute]
pub fn async_consumer(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::consumer(options.into(), item.into()).into()
}

/// A span of kind PRODUCER round a function that sends a message; its context is written into the message.
///
/// ```text
/// #[async_producer(destination = "orders")]
/// async fn publish(msg: &mut OrderPlaced) -> Result<(), BrokerError> { .. }
///
/// #[async_producer(destination = self.topic, into = msg.headers)]
/// async fn publish(&self, key: &str, msg: Record) -> Result<(), BrokerError> { .. }
/// ```
///
/// # The message
///
/// It is the only argument (`self` aside), owned or `&mut`. With several, write `#[message]` before one of them, or
/// `into = EXPR`: a place such as `headers` or `msg.headers`, or any expression that yields a `&mut`.
///
/// # Options
///
/// `name`, `system`, `destination`, `operation` (here `send` by default), `fields(..)`, `level`, `target` and `crate`
/// as for [`macro@async_consumer`], and
///
/// | option | value | default |
/// |---|---|---|
/// | `into` | where the context is written to | the message |
/// | `existing` | `keep` or `replace` a context that the message already carries | kept and linked, unless it is our own |
#[proc_macro_attribute]
pub fn async_producer(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::producer(options.into(), item.into()).into()
}
