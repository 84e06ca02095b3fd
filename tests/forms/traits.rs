//! Methods of traits: in native traits and under `#[async_trait]`, where they are implemented and as defaults.

use async_trait::async_trait;
use std::future::Future;
use throughline::{TraceContext, async_consumer, async_producer};
use throughline_tests::{Headers, SENDER, from};

use crate::block_on;

struct Shop {
    open: bool,
}

trait Handles {
    type Error;

    async fn handle(&self, message: Headers) -> Result<usize, Self::Error>;

    fn handle_later(&self, message: Headers) -> impl Future<Output = usize> + Send;

    #[async_consumer(link)]
    async fn by_default(&self, message: Headers) -> usize {
        message.len()
    }
}

impl Handles for Shop {
    type Error = String;

    #[async_consumer(continue)]
    async fn handle(&self, message: Headers) -> Result<usize, Self::Error> {
        if self.open { Ok(message.len()) } else { Err("closed".to_owned()) }
    }

    #[async_consumer(continue)]
    fn handle_later(&self, message: Headers) -> impl Future<Output = usize> + Send {
        let size = message.len();
        async move { size }
    }
}

#[test]
fn native_traits() {
    let shop = Shop { open: true };
    let (handled, traces) = block_on(Handles::handle(&shop, from(SENDER)));
    assert_eq!(handled, Ok(1));
    traces.span("handle").continues(SENDER);
    let (handled, traces) = block_on(shop.handle_later(from(SENDER)));
    assert_eq!(handled, 1);
    traces.span("handle_later").continues(SENDER);
    let (handled, traces) = block_on(Handles::by_default(&shop, from(SENDER)));
    assert_eq!(handled, 1);
    traces.span("by_default").links_to(SENDER);
}

#[async_trait]
trait DynHandles: Sync {
    async fn handle(&self, message: &Headers) -> Result<usize, String>;

    async fn change(&mut self, message: Headers);

    #[async_consumer(link, fields(size = message.len()))]
    async fn by_default(&self, message: Headers) -> usize {
        message.len()
    }

    async fn publish(&self, topic: &str, message: &mut Headers);
}

#[async_trait]
impl DynHandles for Shop {
    #[async_consumer(continue)]
    async fn handle(&self, message: &Headers) -> Result<usize, String> {
        tokio::task::yield_now().await;
        if self.open { Ok(message.len()) } else { Err("closed".to_owned()) }
    }

    #[async_consumer(continue)]
    async fn change(&mut self, message: Headers) {
        self.open = message.is_empty();
    }

    #[async_producer(destination = topic, into = message)]
    async fn publish(&self, topic: &str, message: &mut Headers) {
        assert!(!message.is_empty() && topic == "orders");
    }
}

#[async_trait(?Send)]
trait LocalHandles {
    async fn handle(&self, message: Headers) -> usize;
}

#[async_trait(?Send)]
impl LocalHandles for Shop {
    #[async_consumer(continue)]
    async fn handle(&self, message: Headers) -> usize {
        std::rc::Rc::new(message).len()
    }
}

#[test]
fn under_async_trait() {
    let mut shop = Shop { open: false };
    let (handled, traces) = {
        let message = from(SENDER);
        let shop: &dyn DynHandles = &shop;
        block_on(async { shop.handle(&message).await })
    };
    assert_eq!(handled, Err("closed".to_owned()));
    traces.span("handle").continues(SENDER).is_error_with("closed");

    let ((), traces) = block_on(DynHandles::change(&mut shop, Headers::new()));
    assert!(shop.open);
    traces.span("change").is_root();

    let (handled, traces) = block_on(DynHandles::by_default(&shop, from(SENDER)));
    assert_eq!(handled, 1);
    traces.span("by_default").links_to(SENDER).has_attribute("size", 1);

    let mut message = Headers::new();
    let ((), traces) = block_on(shop.publish("orders", &mut message));
    let sent = TraceContext::read_from(&message).traceparent().expect("it was written");
    let span = traces.span("send orders").is_kind("producer");
    assert!(sent.contains(&span.span_id().to_string()));

    let (handled, traces) = block_on(LocalHandles::handle(&shop, from(SENDER)));
    assert_eq!(handled, 1);
    traces.span("handle").continues(SENDER);
}
