//! Every kind of function a handler can be. No lint of the user's fires because of an attribute.
#![deny(warnings, clippy::pedantic)]

mod arguments;
mod clashes;
mod futures;
mod neighbours;
mod tasks;
mod traits;

use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use throughline::testing::{self, Traces};
use throughline::{Message, TraceContext, Traced, async_consumer, async_producer};
use throughline_tests::{Headers, SENDER, current, from};

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> (T, Traces) {
    let mut result = None;
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let traces = runtime.block_on(testing::capture(async { result = Some(future.await) }));
    (result.expect("it ran"), traces)
}

pub(crate) fn call<T>(function: impl FnOnce() -> T) -> (T, Traces) {
    let mut result = None;
    let traces = testing::capture_sync(|| result = Some(function()));
    (result.expect("it ran"), traces)
}

struct Service {
    prefix: String,
    handled: usize,
}

impl Service {
    #[async_consumer(continue)]
    async fn by_reference(&self, message: Headers) -> String {
        format!("{} {}", self.prefix, message.len())
    }

    #[async_consumer(continue)]
    async fn by_mutable_reference(&mut self, message: &Headers) -> &usize {
        self.handled += message.len();
        &self.handled
    }

    #[async_consumer(continue)]
    async fn by_value(self, message: Headers) -> String {
        drop(message);
        self.prefix
    }

    #[async_consumer(continue)]
    async fn by_arc(self: Arc<Self>, message: Headers) -> usize {
        message.len() + self.handled
    }

    #[async_consumer(continue)]
    fn by_pin(self: Pin<&mut Self>, message: &Headers) -> usize {
        self.handled + message.len()
    }

    #[async_consumer(continue)]
    fn sync_borrowing(&mut self, message: &Headers) -> &mut String {
        self.prefix.push_str(&message[0].0);
        &mut self.prefix
    }
}

#[test]
fn methods_with_every_receiver() {
    let mut service = Service { prefix: "got".to_owned(), handled: 0 };
    let (said, traces) = block_on(service.by_reference(from(SENDER)));
    assert_eq!(said, "got 1");
    traces.span("by_reference").continues(SENDER);

    let message = from(SENDER);
    let (handled, traces) = block_on(async { *service.by_mutable_reference(&message).await });
    assert_eq!(handled, 1);
    traces.span("by_mutable_reference").continues(SENDER);

    let (handled, traces) = call(|| Pin::new(&mut service).by_pin(&message));
    assert_eq!(handled, 2);
    traces.span("by_pin").continues(SENDER);

    let (said, traces) = call(|| service.sync_borrowing(&message).clone());
    assert_eq!(said, "gottraceparent");
    traces.span("sync_borrowing").continues(SENDER);

    let (said, traces) = block_on(service.by_value(from(SENDER)));
    assert_eq!(said, "gottraceparent");
    traces.span("by_value").continues(SENDER);

    let service = Arc::new(Service { prefix: String::new(), handled: 5 });
    let (handled, traces) = block_on(service.by_arc(from(SENDER)));
    assert_eq!(handled, 6);
    traces.span("by_arc").continues(SENDER);
}

#[async_consumer(link)]
async fn generic<M, const N: usize>(#[message] message: &M, _sizes: [u8; N]) -> usize
where
    M: Message + ?Sized + Sync,
{
    let _ = message;
    N
}

#[async_consumer(link, from = message)]
fn with_lifetimes<'a, 'b: 'a>(message: &'a Headers, other: &'b str) -> &'a str {
    message.first().map_or(other, |(name, _)| name)
}

#[async_consumer(link, from = message)]
fn with_impl_trait(message: impl Message, shown: impl Display) -> impl Iterator<Item = String> {
    drop(message);
    std::iter::once(shown.to_string())
}

#[async_consumer(link)]
async fn with_impl_debug(message: &Headers) -> Result<impl Debug + use<>, Cow<'static, str>> {
    if message.is_empty() {
        return Err("empty".into());
    }
    Ok(message.len())
}

#[test]
fn generics_lifetimes_and_impl_trait() {
    // `from` is not needed where one argument is the message: `#[message]` says which.
    #[async_consumer(link)]
    async fn marked(#[message] message: Headers, _other: u8) -> usize {
        message.len()
    }

    let (size, traces) = block_on(marked(from(SENDER), 1));
    assert_eq!(size, 1);
    traces.span("marked").links_to(SENDER);

    let message = from(SENDER);
    let (name, traces) = call(|| with_lifetimes(&message, "none").to_owned());
    assert_eq!(name, "traceparent");
    traces.span("with_lifetimes").links_to(SENDER);

    let (shown, traces) = call(|| with_impl_trait(from(SENDER), 7).collect::<Vec<_>>());
    assert_eq!(shown, ["7"]);
    traces.span("with_impl_trait").links_to(SENDER);

    let (shown, traces) = block_on(with_impl_debug(&message));
    assert!(shown.is_ok());
    traces.span("with_impl_debug").links_to(SENDER);
}

#[test]
fn const_generics() {
    #[async_consumer(link)]
    async fn sized<const N: usize>(message: [(&str, &str); N]) -> usize {
        message.len()
    }

    let (size, traces) = block_on(sized([("traceparent", SENDER), ("other", "x")]));
    assert_eq!(size, 2);
    traces.span("sized").links_to(SENDER);
    drop(generic::<Headers, 2>(&from(SENDER), [0, 1]));
}

#[test]
fn patterns_mut_and_unused_arguments() {
    struct Job {
        headers: Headers,
        weight: usize,
    }
    impl Message for Job {
        fn headers<'m>(&'m self, reader: &mut throughline::HeaderReader<'m>) {
            self.headers.headers(reader);
        }
    }

    #[async_consumer(link)]
    async fn destructured(Job { headers, weight }: Job) -> usize {
        weight + headers.len()
    }

    #[async_consumer(link)]
    async fn changed(mut message: Headers) -> usize {
        message.clear();
        message.len()
    }

    #[async_consumer(link)]
    async fn unused(_: Headers) {}

    let (sum, traces) = block_on(destructured(Job { headers: from(SENDER), weight: 4 }));
    assert_eq!(sum, 5);
    traces.span("destructured").links_to(SENDER);
    let (left, traces) = block_on(changed(from(SENDER)));
    assert_eq!(left, 0);
    traces.span("changed").links_to(SENDER);
    let ((), traces) = block_on(unused(from(SENDER)));
    traces.span("unused").links_to(SENDER);
}

#[test]
fn early_returns_and_the_question_mark_leave_the_body_alone() {
    #[async_consumer(link, from = &message)]
    async fn parsed(message: Headers, text: &str) -> Result<u8, std::num::ParseIntError> {
        drop(message);
        if text.is_empty() {
            return Ok(0);
        }
        let number = text.parse::<u8>()?;
        Ok(number)
    }

    let (parsed_text, traces) = block_on(parsed(from(SENDER), "x"));
    assert!(parsed_text.is_err());
    traces
        .span("parsed")
        .is_error_with("invalid digit found in string")
        .has_attribute("error.type", "ParseIntError");
    let (parsed_text, traces) = block_on(parsed(from(SENDER), ""));
    assert_eq!(parsed_text, Ok(0));
    traces.span("parsed").status_is_unset();
}

#[test]
fn modules_that_shadow_common_names() {
    #[allow(dead_code)]
    mod shadowed {
        pub(super) struct Result;
        pub(super) struct Option;
        pub(super) struct String;
        pub(super) struct Vec;
        pub(super) mod std {}
        pub(super) mod core {}
        pub(super) mod tracing {}
        pub(super) mod opentelemetry {}

        #[throughline::async_consumer(link, fields(shadow = 1))]
        pub(super) async fn handled(message: super::Headers) -> ::std::string::String {
            ::std::format!("{}", message.len())
        }

        #[throughline::async_consumer(link)]
        pub(super) fn handled_at_once(message: &super::Headers) -> usize {
            message.len()
        }
    }

    let (said, traces) = block_on(shadowed::handled(from(SENDER)));
    assert_eq!(said, "1");
    traces.span("handled").links_to(SENDER).has_attribute("shadow", 1);
    let (size, _) = call(|| shadowed::handled_at_once(&from(SENDER)));
    assert_eq!(size, 1);
}

macro_rules! handler {
    ($name:ident, $relation:tt) => {
        #[async_consumer($relation)]
        async fn $name(message: Headers) -> usize {
            message.len()
        }
    };
}

handler!(made_to_continue, continue);
handler!(made_to_link, link);

#[test]
fn handlers_made_by_a_macro_with_the_relation_passed_in() {
    let (_, traces) = block_on(made_to_continue(from(SENDER)));
    traces.span("made_to_continue").continues(SENDER);
    let (_, traces) = block_on(made_to_link(from(SENDER)));
    traces.span("made_to_link").is_root();
}

#[test]
fn every_option_names_what_it_says() {
    struct Order {
        headers: Headers,
        id: u32,
        topic: String,
    }

    #[async_consumer(
        link,
        from = &order.headers,
        system = "kafka",
        destination = order.topic,
        operation = "consume",
        fields(order.id = order.id, customer = %"ann", shape = ?(1, 2), "quoted key" = true, flag),
    )]
    async fn handled(order: Order, flag: bool) -> u32 {
        order.id
    }

    #[async_consumer(link, name = "bill the customer", destination = "orders")]
    async fn named(message: Headers) {
        drop(message);
    }

    let order = Order { headers: from(SENDER), id: 7, topic: "orders".to_owned() };
    let (_, traces) = block_on(handled(order, true));
    traces
        .span("consume orders")
        .has_attribute("messaging.system", "kafka")
        .has_attribute("messaging.destination.name", "orders")
        .has_attribute("messaging.operation.name", "consume")
        .has_attribute("messaging.operation.type", "process")
        .has_attribute("order.id", 7)
        .has_attribute("customer", "ann")
        .has_attribute("shape", "(1, 2)")
        .has_attribute("quoted key", true)
        .has_attribute("flag", true);
    let ((), traces) = block_on(named(from(SENDER)));
    traces.span("bill the customer").has_attribute("messaging.destination.name", "orders");
}

#[test]
fn names_of_the_messaging_conventions() {
    #[async_consumer(
        link,
        destination = "orders",
        fields(
            messaging.client.id = "c1",
            messaging.operation.type = "settle",
            messaging.nats.subject = "orders.new",
            "messaging.client_id" = "quoted",
            "messaging.message.ids" = 2,
        )
    )]
    async fn handled(message: Headers) {
        drop(message);
    }

    #[allow(deprecated)]
    #[async_consumer(link, fields(messaging.kafka.message.offset = 7, Messaging.System = "kafka"))]
    fn allowed(message: &Headers) -> usize {
        message.len()
    }

    let ((), traces) = block_on(handled(from(SENDER)));
    traces
        .span("process orders")
        .has_attribute("messaging.client.id", "c1")
        .has_attribute("messaging.nats.subject", "orders.new")
        .has_attribute("messaging.client_id", "quoted")
        .has_attribute("messaging.message.ids", 2);
    let (_, traces) = call(|| allowed(&from(SENDER)));
    traces.span("allowed").has_attribute("messaging.kafka.message.offset", 7);
}

#[test]
fn producers_by_value_and_by_reference() {
    #[async_producer(destination = "orders")]
    async fn by_value(message: Headers) -> Headers {
        message
    }

    #[async_producer(destination = "orders", operation = "publish")]
    fn by_reference(message: &mut Headers) -> Option<String> {
        message.push(("own".to_owned(), "header".to_owned()));
        current()
    }

    #[async_producer(into = &mut envelope.headers)]
    async fn into_a_part(envelope: &mut Envelope) {
        envelope.sent = true;
    }

    struct Envelope {
        headers: Headers,
        sent: bool,
    }

    let (sent, traces) = block_on(by_value(Headers::new()));
    traces.span("send orders").is_kind("producer");
    assert!(!TraceContext::read_from(&sent).is_empty());

    let mut message = Headers::new();
    let (inside, traces) = call(|| by_reference(&mut message));
    traces.span("publish orders").is_kind("producer");
    assert_eq!(TraceContext::read_from(&message).traceparent(), inside);

    let mut envelope = Envelope { headers: Headers::new(), sent: false };
    block_on(into_a_part(&mut envelope));
    assert!(envelope.sent && !envelope.headers.is_empty());
}

#[test]
fn a_handler_that_is_send_stays_send() {
    fn needs_send<T: Send>(value: T) -> T {
        value
    }

    #[async_consumer(link)]
    async fn spawnable(message: Traced<String>) -> usize {
        tokio::task::yield_now().await;
        message.len()
    }

    let (length, traces) = block_on(needs_send(spawnable(Traced::new("four".to_owned()))));
    assert_eq!(length, 4);
    traces.span("spawnable").is_root();
}

#[test]
fn a_handler_need_not_be_send() {
    use std::rc::Rc;

    #[async_consumer(link, from = &message)]
    async fn local(message: Headers, shared: Rc<u8>) -> u8 {
        tokio::task::yield_now().await;
        drop(message);
        *shared
    }

    let (shared, _) = block_on(local(from(SENDER), Rc::new(3)));
    assert_eq!(shared, 3);
}

#[test]
fn a_producers_field_may_be_a_part_of_the_message_it_writes_into() {
    #[async_producer(destination = "orders", fields(first = %message[0].0, length = message.len()))]
    async fn publish(message: Headers) -> usize {
        message.len()
    }

    let (_, traces) = block_on(publish(vec![("own".to_owned(), "header".to_owned())]));
    traces.span("send orders").has_attribute("first", "own").has_attribute("length", 1);
}

#[test]
fn handlers_that_never_return() {
    #[async_consumer(link)]
    async fn waiting(message: Headers) -> ! {
        drop(message);
        loop {
            tokio::task::yield_now().await;
        }
    }

    #[async_consumer(link)]
    fn leaving(message: &Headers) -> ! {
        std::panic::resume_unwind(Box::new(message.len()))
    }

    let ((), traces) = block_on(async {
        assert!(::futures::poll!(Box::pin(waiting(from(SENDER)))).is_pending());
    });
    traces.span("waiting").links_to(SENDER).has_attribute("error.type", "cancelled");
    let (left, traces) = call(|| std::panic::catch_unwind(|| leaving(&from(SENDER))).is_err());
    assert!(left);
    traces.span("leaving").links_to(SENDER).has_attribute("error.type", "panic");
}
