//! The attributes and derives of [throughline](https://docs.rs/throughline). Use them through that crate, which re-exports
//! them: the code they write calls into it.
//!
//! The folder `snapshots/` beside this source holds whole expansions.

mod args;
mod check;
mod conventions;
mod derive;
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
/// ```
/// use throughline::{Traced, async_consumer};
///
/// struct OrderPlaced {
///     id: u32,
///     card: String,
/// }
///
/// #[async_consumer(continue, destination = "orders")]
/// async fn charge_card(order: Traced<OrderPlaced>) -> Result<(), String> {
///     if order.card.is_empty() { Err("no card".to_owned()) } else { Ok(()) }
/// }
///
/// struct Stock {
///     topic: String,
/// }
///
/// impl Stock {
///     #[async_consumer(link, destination = self.topic, fields(order.id = order.id))]
///     async fn reserve(&self, order: &Traced<OrderPlaced>) {}
/// }
/// ```
///
/// # The message
///
/// It is the only argument (`self` aside). With several, write `#[message]` before one of them, or `from = EXPR`, an
/// expression over the arguments that borrows what carries the context: `from = headers`, `from = job.meta`. A slice,
/// an array or a `Vec` of messages is a batch, whose span links to every sender.
///
/// # Options
///
/// | option | value | default |
/// |---|---|---|
/// | `destination` | the queue or topic | what the message says |
/// | `destination_template` | its pattern, where the name alone is one of many: `"orders.{customer}"` | what the message says |
/// | `system` | the messaging system | what the message says |
/// | `operation` | what is done with the message | `process` |
/// | `name` | the span's name | operation and destination; without a destination, the function's name |
/// | `consumer_group` | the group of consumers that this is one of | what the message says |
/// | `client_id` | the id of the broker's client | what the message says |
/// | `server` | the broker's host, which may have a port: `"broker:9092"` | what the message says |
/// | `fields(..)` | fields of the span, see below | none |
/// | `within` | under `continue`: messages older than this (`"15m"`, `"1h30m"`, or a `Duration`) are linked | no limit |
/// | `max_hops` | under `continue`: traces that were continued this often are linked | no limit |
/// | `heed_break` | under `continue`: whether a sender that asks for a new trace gets one | `true` |
/// | `capture_headers` | headers of the message that are to stand on the span, `["tenant"]` or a `&[&str]` | none |
/// | `max_links` | how many links the span may have | 128, the SDK's own limit |
/// | `err` | how a failure is told in the log: `display`, `debug` or `off` | by `Display` where the error has it, else by `Debug` |
/// | `enabled` | whether this call makes a span | `true` |
/// | `level` | `"trace"`, `"debug"`, `"info"`, `"warn"`, `"error"` | `"info"` |
/// | `target` | the target of the `tracing` span, a string literal or a constant | the module's path |
/// | `from` | where the context is read from | the message |
/// | `crate` | the path of `throughline`, for users of a crate that re-exports it | `::throughline` |
///
/// The first eight are string literals or expressions over the arguments. Expressions see the arguments before the body
/// has them, the names in a message's pattern as references, and are evaluated before it runs.
///
/// ```
/// use throughline::{Traced, async_consumer, testing};
///
/// #[async_consumer(link, destination = "orders", max_links = 16, err = debug, enabled = !order.is_empty())]
/// async fn pack(order: Traced<String>) -> Result<(), std::fmt::Error> {
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let traces = testing::capture(async {
///     pack(Traced::new("two lemons".to_owned())).await.unwrap();
///     pack(Traced::new(String::new())).await.unwrap(); // makes no span
/// })
/// .await;
/// traces.assert_tree(
///     "
/// trace A
///   process orders                     consumer
/// ",
/// );
/// # }
/// ```
///
/// # Bounded traces
///
/// A trace that is continued by every handler of a loop, a schedule or a long queue never ends. `within` ends it by the
/// message's age, which the broker tells, or else the header `throughline-sent` that producers write; where no age is
/// known, the trace goes on. `max_hops` ends it by the number of times it was continued, counted in `tracestate`, where
/// services that know nothing of the count hand it on. A sender may ask for a new trace with
/// `#[async_producer(.., new_trace)]`. In each case the handler links, and `throughline.relation.reason` says why:
/// `age`, `hops` or `sender`.
///
/// ```
/// use throughline::{Traced, async_consumer};
///
/// #[async_consumer(continue, within = "15m", max_hops = 64)]
/// async fn poll_status(order: Traced<u32>) {}
/// ```
///
/// # A handler within a handler
///
/// One message gets one consumer's span. A handler that is called within a handler of the same message makes a span of
/// kind INTERNAL under it, without a relation of its own. Where a framework has made the consumer's span,
/// `throughline::handled_by_current_span` says so.
///
/// # Fields
///
/// In the syntax of `tracing::instrument`: `order.id = order.id`, `"a key" = 1`, `customer = %order.customer` by
/// `Display`, `state = ?state` by `Debug`, `{ KEY } = 1` with a constant's value for a name. A name alone (`order.id`,
/// `%customer`) records the argument of that name. No argument is recorded unless asked. A field that is not known yet is
/// declared as `Empty` and filled later:
///
/// ```
/// use throughline::{Traced, async_consumer, testing};
///
/// #[async_consumer(link, fields(order = %order.join("+"), parcels = Empty))]
/// async fn pack(order: Traced<Vec<String>>) {
///     throughline::record("parcels", order.len());
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let order = vec!["tea".to_owned(), "cup".to_owned()];
/// let traces = testing::capture(pack(Traced::new(order))).await;
/// traces.span("pack").has_attribute("order", "tea+cup").has_attribute("parcels", 2);
/// # }
/// ```
///
/// A `messaging.*` key that the OpenTelemetry conventions have renamed, or one that is nearly theirs, is a warning with
/// the right name; a key in quotes is never looked at.
///
/// # How the handler ends
///
/// An `Err`, a panic, and a future that is dropped before its end make the span an error, and are told in one `tracing`
/// event inside it, `messaging.process.exception` at the level ERROR (conventions, "Messaging exceptions"), with the
/// handler's target. `err = off` leaves it out. An OpenTelemetry layer copies the event onto the span, as it does with
/// every event.
///
/// # Where it can stand
///
/// On free functions and methods, `async` or not, also of traits, native or under `#[async_trait]` (on the method). A
/// function that returns `impl Future` or a boxed future reads its message when it is called, since its body owns the
/// message by the first poll; the span starts then, and what the body does before it returns the future runs outside the
/// span. A future behind an alias is recognised where the body ends in `Box::pin(async ..)`; else it is a value like any
/// other, and the span ends when the function returns it.
///
/// `#[tracing::instrument]` may stand above or below: the handler's span is the outer one.
///
/// # What it expands to
///
/// The code opens a span from the message, runs the body in it, and ends it with what the body returned. All of it calls
/// the public builder, so that whatever it does can be done by hand too.
///
/// ```
/// # mod throughline_user { use throughline::{Traced, async_consumer}; pub struct OrderPlaced; pub struct PaymentError;
/// # async fn charge() -> Result<(), PaymentError> { Ok(()) }
/// #[async_consumer(continue, destination = "orders")]
/// async fn charge_card(msg: Traced<OrderPlaced>) -> Result<(), PaymentError> {
///     charge().await
/// }
/// # }
/// ```
///
/// becomes
///
/// ```
/// # use throughline::Traced; pub struct OrderPlaced; pub struct PaymentError;
/// # async fn charge() -> Result<(), PaymentError> { Ok(()) }
/// async fn charge_card(msg: Traced<OrderPlaced>) -> Result<(), PaymentError> {
///     let mut __span = ::throughline::consume(::throughline::site!(
///             operation: process, function: "charge_card", span: "process orders",
///             target: ::core::module_path!(), level: INFO, fields: []))
///         .continue_()
///         .destination("orders")
///         .start(&msg);
///     let __result = (&mut __span)
///         .run(async move {
///             // Never runs. It tells the compiler what the block returns, so that a wrong value is
///             // shown where it stands.
///             #[allow(clippy::result_large_err)]
///             if false {
///                 return (|| -> Result<(), PaymentError> { ::core::unreachable!() })();
///             }
///             { charge().await }
///         })
///         .await;
///     __span.finish(::throughline::outcome!(&__result));
///     __result
/// }
/// ```
#[proc_macro_attribute]
pub fn async_consumer(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::consumer(options.into(), item.into()).into()
}

/// A span of kind PRODUCER round a function that sends a message; its context is written into the message.
///
/// ```
/// use throughline::{Traced, async_producer};
///
/// #[async_producer(destination = "orders")]
/// async fn publish(order: &mut Traced<String>) -> Result<(), std::io::Error> {
///     Ok(()) // hand it to the broker's client
/// }
///
/// struct Record {
///     headers: Vec<(String, String)>,
/// }
///
/// #[async_producer(destination = topic, into = record.headers)]
/// async fn publish_record(topic: &str, record: Record) -> Result<(), std::io::Error> {
///     Ok(())
/// }
/// ```
///
/// # The message
///
/// It is the only argument (`self` aside), owned or `&mut`. A `Vec`, an array or a slice of messages is a batch: one span,
/// whose context goes into every message that has none of its own. With several arguments, write `#[message]` before one
/// of them, or `into = EXPR`: a place such as `headers` or `msg.headers`, or any expression that yields a `&mut`.
///
/// # Options
///
/// `name`, `system`, `destination`, `destination_template`, `operation` (here `send` by default), `client_id`, `server`,
/// `fields(..)`, `err` (the event is `messaging.send.exception` at the level WARN), `enabled`, `level`, `target` and
/// `crate` as for [`macro@async_consumer`], and
///
/// | option | value | default |
/// |---|---|---|
/// | `into` | where the context is written to | the message |
/// | `existing` | `keep` or `replace` a context that the message already carries | kept and linked, unless it is our own |
/// | `new_trace` | asks whoever handles the message for a new trace: for what is delayed, scheduled or sent to many | |
/// | `retry` | the message is sent again: it keeps its origin, and the next attempt's span links to the failed one's | |
///
/// A function that returns a future starts the span when it is called, for the body has to find the context in the
/// message. Where its body is nothing but an `async move` block, as under `#[async_trait]`, it is as an `async fn`.
///
/// # What it expands to
///
/// ```
/// # mod throughline_user { use throughline::{Traced, async_producer};
/// # async fn send(_: Traced<String>) -> Result<(), std::io::Error> { Ok(()) }
/// #[async_producer(destination = "orders")]
/// async fn publish(order: Traced<String>) -> Result<(), std::io::Error> {
///     send(order).await
/// }
/// # }
/// ```
///
/// becomes
///
/// ```
/// # use throughline::Traced;
/// # async fn send(_: Traced<String>) -> Result<(), std::io::Error> { Ok(()) }
/// async fn publish(mut order: Traced<String>) -> Result<(), std::io::Error> {
///     let mut __span = ::throughline::produce(::throughline::site!(
///             operation: send, function: "publish", span: "send orders",
///             target: ::core::module_path!(), level: INFO, fields: []))
///         .destination("orders")
///         .start(&mut order);
///     let __result = (&mut __span)
///         .run(async move {
///             // Never runs, as above.
///             #[allow(clippy::result_large_err)]
///             if false {
///                 return (|| -> Result<(), std::io::Error> { ::core::unreachable!() })();
///             }
///             #[allow(unused_variables)]
///             let order = order; // not `mut`, as written
///             { send(order).await }
///         })
///         .await;
///     __span.finish(::throughline::outcome!(&__result));
///     __result
/// }
/// ```
#[proc_macro_attribute]
pub fn async_producer(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::producer(options.into(), item.into()).into()
}

/// A span of kind INTERNAL round a task: work that a request starts and does not wait for. It is related to what was
/// active where the function was *called*, wherever and however late it runs.
///
/// | written | the task's span |
/// |---|---|
/// | `continue` | is a child of its caller's span, in the caller's trace |
/// | `link` | is the root of its own trace, with a link to its caller's span |
/// | `mode = EXPR` | is as the `Relation` says that the expression yields, for each call anew |
///
/// The caller is whatever span is active where the function is called. So `tokio::spawn(resize(image))`, a `JoinSet` or a
/// queue of futures work with no other change: the span that is active where the future is polled is not looked at. A
/// child of a caller that has ended by then is still its child. Nothing keeps the caller's span open.
///
/// ```
/// use throughline::{Outcome, async_task, testing};
///
/// #[async_task(continue)]
/// async fn resize(image: Vec<u8>) -> Result<usize, std::io::Error> {
///     Ok(image.len())
/// }
///
/// #[async_task(link)]
/// async fn send_receipt(address: String) {}
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let traces = testing::capture(async {
///     // Stands for the span that a web framework makes for a request.
///     let mut request = throughline::task("POST /images").start();
///     let (resizing, sending) = request.run_sync(|| {
///         (tokio::spawn(resize(vec![7])), tokio::spawn(send_receipt("ann@example.org".to_owned())))
///     });
///     request.finish(Outcome::ok());
///
///     resizing.await.unwrap().unwrap();
///     sending.await.unwrap();
/// })
/// .await;
/// traces.assert_tree(
///     "
/// trace A
///   POST /images                       internal
///     resize                           internal
/// trace B
///   send_receipt                       internal   links to A/POST /images
/// ",
/// );
/// # }
/// ```
///
/// It is the call that counts: in `spawn(async { resize(image).await })` the function is called when the outer future
/// runs, where no request is active any more. Such a root without a caller says
/// `throughline.relation.reason` = `no_context`. For a future that is no function's, and for closures, there are
/// `.continued("resize")` and `.linked("resize")` of the traits `TaskFuture` and `TaskFn`.
///
/// # Options
///
/// `name`, `fields(..)`, `err` (the event is `exception` at the level ERROR), `enabled`, `level`, `target` and `crate` as
/// for [`macro@async_consumer`]. They are evaluated when the task starts, but where a function returns a future, and see
/// the arguments before the body has them. `throughline::record` fills in a field later.
///
/// ```
/// use throughline::{async_task, testing};
///
/// #[async_task(link, name = "resize image", fields(image.bytes = image.len(), image.parts = Empty))]
/// async fn resize(image: Vec<u8>, parts: usize) {
///     throughline::record("image.parts", parts);
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let traces = testing::capture(resize(vec![7], 3)).await;
/// traces.span("resize image").has_attribute("image.bytes", 1).has_attribute("image.parts", 3);
/// # }
/// ```
///
/// # How a task ends
///
/// As a handler does: an `Err`, a panic, and a future that is dropped after it has begun are errors. A future that is
/// never polled makes no span.
///
/// # Where it can stand
///
/// On free functions and methods, `async` or not, also of traits, native or under `#[async_trait]` (on the method), and
/// on functions that return a future; what such a function does before it returns the future runs outside the span. The
/// span of a plain function starts when it is called.
///
/// An `async fn` becomes a function that returns `impl Future`, as the documentation then shows it. To its callers, to a
/// trait that declares it and to lints it is what it was, save that `#[must_use]` on it speaks of the future. An attribute
/// that wants an `async fn` stands above this one; `main`, `test` and `instrument` may stand below as well.
///
/// # What it expands to
///
/// ```
/// # mod throughline_user { use throughline::async_task; pub struct Image; pub struct ImageError;
/// # async fn scaled(_: Image) -> Result<Image, ImageError> { Ok(Image) }
/// #[async_task(continue)]
/// async fn resize(image: Image) -> Result<Image, ImageError> {
///     scaled(image).await
/// }
/// # }
/// ```
///
/// becomes
///
/// ```
/// # pub struct Image; pub struct ImageError;
/// # async fn scaled(_: Image) -> Result<Image, ImageError> { Ok(Image) }
/// fn resize(image: Image) -> impl ::core::future::Future<Output = Result<Image, ImageError>> {
///     // Takes note of the caller.
///     let __task = ::throughline::task(::throughline::site!(
///             operation: task, function: "resize", span: "resize",
///             target: ::core::module_path!(), level: INFO, fields: []));
///     async move {
///         let image = image; // as in an `async fn`, also where the body does not use it
///         let mut __span = __task.continue_().start();
///         let __result = (&mut __span)
///             .run(async move {
///                 // Never runs, as in a handler.
///                 #[allow(clippy::result_large_err)]
///                 if false {
///                     return (|| -> Result<Image, ImageError> { ::core::unreachable!() })();
///                 }
///                 { scaled(image).await }
///             })
///             .await;
///         __span.finish(::throughline::outcome!(&__result));
///         __result
///     }
/// }
/// ```
#[proc_macro_attribute]
pub fn async_task(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::task(options.into(), item.into()).into()
}

/// A message of your own: which of its fields carries the trace context, and what the others tell.
///
/// ```
/// use std::time::SystemTime;
/// use throughline::{Message, MessageMut, async_consumer, async_producer, testing};
///
/// #[derive(Message, MessageMut)]
/// #[message(system = "shop_jobs", destination = "jobs")]
/// struct Job {
///     #[message(headers)]
///     headers: Vec<(String, String)>,
///     #[message(id)]
///     number: u64,
///     #[message(sent_at)]
///     sent: Option<SystemTime>,
///     #[message(body)]
///     body: Vec<u8>,
///     priority: u8, // tells nothing
/// }
///
/// #[async_producer]
/// fn send(job: Job) -> Job {
///     job // hand it to the broker's client
/// }
///
/// #[async_consumer(continue)]
/// fn run(job: Job) {}
///
/// # let job = || Job { headers: vec![], number: 7, sent: None, body: vec![1, 2, 3], priority: 1 };
/// let traces = testing::capture_sync(|| run(send(job())));
/// traces
///     .span("process jobs")
///     .continues("send jobs")
///     .has_attribute("messaging.message.id", "7")
///     .has_attribute("messaging.message.body.size", 3);
/// ```
///
/// # Fields
///
/// | mark | the field | is told as |
/// |---|---|---|
/// | `#[message(headers)]` | carries the context: a map or list of headers, a `TraceContext`, a `Traced<T>`, or any other message | whatever it tells itself, where nothing else is said |
/// | `#[message(id)]` | a text: a string, an integer | `messaging.message.id` |
/// | `#[message(conversation_id)]` | a text | `messaging.message.conversation_id` |
/// | `#[message(system)]` | a text | `messaging.system` |
/// | `#[message(destination)]` | a text | `messaging.destination.name`, and in the span's name |
/// | `#[message(varying_destination)]` | a text that is one of many | `messaging.destination.name`, and in no span's name |
/// | `#[message(destination_template)]` | a text | `messaging.destination.template`, and in the span's name |
/// | `#[message(partition)]` | a text | `messaging.destination.partition.id` |
/// | `#[message(subscription)]` | a text | `messaging.destination.subscription.name` |
/// | `#[message(consumer_group)]` | a text | `messaging.consumer.group.name` |
/// | `#[message(client_id)]` | a text | `messaging.client.id` |
/// | `#[message(kafka_key)]` | a text | `messaging.kafka.message.key` |
/// | `#[message(kafka_offset)]` | an integer | `messaging.kafka.offset` |
/// | `#[message(rabbitmq_routing_key)]` | a text | `messaging.rabbitmq.destination.routing_key` |
/// | `#[message(rabbitmq_delivery_tag)]` | an integer | `messaging.rabbitmq.message.delivery_tag` |
/// | `#[message(body)]` | the body: bytes, a string, whatever is `AsRef<[u8]>` | `messaging.message.body.size` |
/// | `#[message(body_size)]` | its number of bytes, an integer | the same |
/// | `#[message(envelope_size)]` | the number of bytes of the body and all that goes with it | `messaging.message.envelope.size` |
/// | `#[message(sent_at)]` | a time: a `SystemTime`, or what is `Clone` and turns into one by `Into`, as times of `chrono`, `time` and `jiff` do | the age, and `within` of a handler that continues |
/// | `#[message(sent_at_unix_ms)]` | that time in milliseconds since 1970, an integer | the same |
/// | `#[message(attempt)]` | which delivery it is, an integer | `throughline.message.attempt` |
///
/// One field can have several: `#[message(id, conversation_id)]`. A field without a mark is left alone. `None`, an empty
/// text and a negative number tell nothing. `display` beside a text tells it by the field's `Display`:
///
/// ```
/// # use std::net::IpAddr; use throughline::{Message, Traced};
/// #[derive(Message)]
/// struct Ping {
///     #[message(headers)]
///     payload: Traced<()>,
///     #[message(id, display)]
///     host: Option<IpAddr>,
/// }
/// ```
///
/// For a type of your own, the traits of the module `fact` say what a field of it tells.
///
/// # The type
///
/// What holds for every value stands before the type: `#[message(system = "shop", destination = TOPIC)]`, the texts of
/// the table above, each a string literal or an expression that has `Display`. In an expression `self` is the message.
/// `crate = PATH` says where `throughline` is, for users of a crate that re-exports it.
///
/// One field has to carry the context. A message that has none says so, `#[message(no_context)]`: its handlers start a
/// trace of their own.
///
/// # Enums
///
/// Each variant marks its fields for itself, and can have facts of its own, which go before those of the whole enum.
///
/// ```
/// use throughline::{Message, Traced};
///
/// #[derive(Message)]
/// #[message(system = "shop_events", destination = "orders")]
/// enum Event {
///     Placed(#[message(headers)] Traced<u32>, #[message(id)] String),
///     #[message(destination = "payments")]
///     Paid {
///         #[message(headers)]
///         order: Traced<u32>,
///     },
///     #[message(no_context)]
///     Heartbeat,
/// }
/// ```
///
/// # Generics
///
/// The impl asks of a type parameter what the marked fields need, and nothing else: `#[message(headers)] headers: H`
/// makes it an impl for `H: Message`.
///
/// # What it expands to
///
/// ```
/// # mod throughline_user { use throughline::{Message, Traced}; pub struct Order;
/// #[derive(Message)]
/// #[message(system = "shop")]
/// pub struct Job {
///     #[message(headers)]
///     order: Traced<Order>,
///     #[message(id)]
///     number: u64,
/// }
/// # }
/// ```
///
/// becomes
///
/// ```
/// # use throughline::Traced; pub struct Order; pub struct Job { order: Traced<Order>, number: u64 }
/// impl ::throughline::Message for Job {
///     fn headers<'__m>(&'__m self, __reader: &mut ::throughline::HeaderReader<'__m>) {
///         let Self { order: __order, .. } = self;
///         ::throughline::Message::headers(&*__order, __reader);
///     }
///     fn describe<'__m>(&'__m self, __facts: &mut ::throughline::Facts<'__m>) {
///         let Self { order: __order, number: __number, .. } = self;
///         ::throughline::Message::describe(&*__order, __facts);
///         __facts.system("shop");
///         if let ::core::option::Option::Some(__told) = ::throughline::fact::text(&*__number) {
///             __facts.id(__told);
///         }
///     }
/// }
/// ```
#[proc_macro_derive(Message, attributes(message))]
pub fn message(item: TokenStream) -> TokenStream {
    derive::message(syn::parse_macro_input!(item)).into()
}

/// A message of your own that a producer can send: its context is written into the field marked `headers`.
///
/// It goes beside `#[derive(Message)]`, whose marks it reads, and needs that one or an impl written by hand.
///
/// ```
/// use throughline::{Message, MessageMut, TraceContext};
///
/// #[derive(Message, MessageMut)]
/// struct Job {
///     #[message(headers)]
///     headers: Vec<(String, String)>,
/// }
///
/// let sent = vec![(
///     "traceparent".to_owned(),
///     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
/// )];
/// let mut job = Job { headers: Vec::new() };
/// TraceContext::read_from(&sent).write_to(&mut job);
/// assert_eq!(job.headers, sent);
/// ```
///
/// A field that is `None`, and a variant marked `no_context`, take nothing: what is written to them is lost.
#[proc_macro_derive(MessageMut, attributes(message))]
pub fn message_mut(item: TokenStream) -> TokenStream {
    derive::message_mut(syn::parse_macro_input!(item)).into()
}
