//! The service as its customers and its operators see it: orders over HTTP, and their spans.

use std::sync::Arc;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use throughline::testing::{Span, Traces};
use tokio::net::TcpListener;
use tracing::subscriber::DefaultGuard;

use crate::brokers::in_process::InProcess;
use crate::customers;
use crate::handlers::Stock;
use crate::order::Order;
use crate::service::Service;
use crate::telemetry::Telemetry;
use crate::topic::{Topic, Unavailable};

#[tokio::test]
async fn an_order_is_one_story_with_its_payment_and_the_others_tell_their_own() {
    let shop = Shop::open().await;
    let answer = shop.place(&order("A-1")).await;
    assert_eq!(answer, (StatusCode::ACCEPTED, json!({ "accepted": "A-1" })));
    let stock = Arc::clone(&shop.stock);
    let traces = shop.close().await;

    assert_eq!(stock.reserved("tea"), 2);
    assert_eq!(traces.len(), 7, "{traces}");
    traces
        .span("POST /orders")
        .is_root()
        .is_kind("server")
        .has_attribute("http.response.status_code", 202)
        .status_is_unset();
    traces.span("publish orders").is_child_of("POST /orders").is_kind("producer");
    of(&traces, "charge_card").continues("publish orders").has_links(1);
    for function in ["reserve", "send_newsletter", "record_sales", "write_invoice"] {
        of(&traces, function).is_root().links_to("publish orders").has_links(1);
    }
    for handler in traces.spans("process orders") {
        handler.is_kind("consumer").status_is_unset();
    }
}

#[tokio::test]
async fn a_declined_card_is_an_error_of_its_handler_alone() {
    let shop = Shop::open().await;
    let mut order = order("A-2");
    order["card"] = json!("4000000000000002");
    assert_eq!(shop.place(&order).await.0, StatusCode::ACCEPTED);
    let traces = shop.close().await;

    let charge = of(&traces, "charge_card");
    charge.is_error().has_attribute("error.type", "PaymentError");
    for span in traces.all() {
        if span.span_id() != charge.span_id() {
            span.is_ok();
        }
    }
}

#[tokio::test]
async fn a_bad_order_is_refused_in_words_and_the_next_one_is_handled() {
    let without_card = {
        let mut order = order("B-1");
        order.as_object_mut().unwrap().remove("card");
        order
    };
    let with = |field: &str, value: Value| {
        let mut order = order("B-2");
        order[field] = value;
        order.to_string()
    };
    let bad = [
        ("two cups of tea".to_owned(), StatusCode::BAD_REQUEST, "as JSON"),
        (String::new(), StatusCode::BAD_REQUEST, "as JSON"),
        (without_card.to_string(), StatusCode::UNPROCESSABLE_ENTITY, "missing field `card`"),
        (with("id", json!(" ")), StatusCode::UNPROCESSABLE_ENTITY, "`id` must not be empty"),
        (with("items", json!([])), StatusCode::UNPROCESSABLE_ENTITY, "at least one item"),
        (
            with("items", json!([{ "sku": "tea", "quantity": 0 }])),
            StatusCode::UNPROCESSABLE_ENTITY,
            "items[0].quantity: invalid value: integer `0`",
        ),
        (
            with("items", json!([{ "sku": "", "quantity": 1 }])),
            StatusCode::UNPROCESSABLE_ENTITY,
            "`items[0].sku` must not be empty",
        ),
    ];
    let shop = Shop::open().await;
    for (body, status, words) in &bad {
        let (answered, answer) = shop.place_text(body.clone()).await;
        assert_eq!(answered, *status, "{body}");
        let why = answer["error"].as_str().unwrap_or_default();
        assert!(why.contains(words), "{body} was answered {why:?}");
    }
    assert_eq!(shop.place(&order("A-3")).await.0, StatusCode::ACCEPTED);
    let traces = shop.close().await;

    assert_eq!(traces.spans("POST /orders").len(), bad.len() + 1);
    assert_eq!(traces.spans("publish orders").len(), 1);
    assert_eq!(traces.spans("process orders").len(), 5);
}

#[tokio::test]
async fn a_batch_links_to_each_of_its_orders() {
    let shop = Shop::open().await;
    for id in ["A-4", "A-5", "A-6"] {
        assert_eq!(shop.place(&order(id)).await.0, StatusCode::ACCEPTED);
    }
    let traces = shop.close().await;

    let published = traces.spans("publish orders");
    assert_eq!(published.len(), 3);
    for publish in published {
        // On a busy machine the orders may come in more than one batch.
        let batches = traces.spans("process orders").into_iter().filter(|span| {
            is_of(*span, "record_sales")
                && span.links().iter().any(|link| link.span_context.span_id() == publish.span_id())
        });
        assert_eq!(batches.count(), 1, "{traces}");
    }
}

#[tokio::test]
async fn an_order_that_one_group_can_not_get_goes_to_none() {
    let topic = InProcess::new();
    let mut payments = topic.subscribe("payments", 1).await.unwrap();
    drop(topic.subscribe("stock", 1).await.unwrap());

    let order: Order = serde_json::from_value(order("A-7")).unwrap();
    let sent = topic.send(order).await;

    assert_eq!(sent, Err(Unavailable::ConsumerGone("stock")));
    assert_eq!(topic.unacknowledged(), 0);
    topic.close();
    assert!(payments.next().await.is_none());
}

/// A service of the test's own, and a customer.
struct Shop {
    service: Service<InProcess>,
    stock: Arc<Stock>,
    client: Client,
    telemetry: Telemetry,
    // For this thread alone, on which the test's whole service runs: it sees only its own spans.
    _subscriber: DefaultGuard,
}

impl Shop {
    async fn open() -> Self {
        let telemetry = Telemetry::in_memory("orders");
        let subscriber = tracing::subscriber::set_default(telemetry.subscriber());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stock = Arc::new(Stock::default());
        let service = Service::start(Some(listener), InProcess::new(), Some(Arc::clone(&stock)))
            .await
            .unwrap();
        let client = customers::client().unwrap();
        Self { service, stock, client, telemetry, _subscriber: subscriber }
    }

    async fn place(&self, order: &Value) -> (StatusCode, Value) {
        self.place_text(order.to_string()).await
    }

    async fn place_text(&self, order: String) -> (StatusCode, Value) {
        customers::place(&self.client, self.service.address().unwrap(), order).await.unwrap()
    }

    async fn close(self) -> Traces {
        self.service.stop().await.unwrap();
        self.telemetry.traces()
    }
}

fn order(id: &str) -> Value {
    json!({
        "id": id, "customer": "Ada", "card": "4000000000000001",
        "items": [{ "sku": "tea", "quantity": 2 }],
    })
}

/// The span of the handler that is this function: all five are named after what they do.
fn of<'t>(traces: &'t Traces, function: &str) -> Span<'t> {
    let mut spans = traces.spans("process orders");
    spans.retain(|span| is_of(*span, function));
    let [span] = spans[..] else {
        panic!("{} spans of {function}\n\n{traces}", spans.len());
    };
    span
}

fn is_of(span: Span<'_>, function: &str) -> bool {
    let name = span.attribute("code.function.name").map(ToString::to_string);
    name.is_some_and(|name| name.rsplit("::").next() == Some(function))
}
