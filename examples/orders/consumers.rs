//! The loops between the topic and the handlers: each takes deliveries, calls its handler and
//! acknowledges when that is done: an order whose handler did not end, for whatever reason, comes again.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use crate::handlers::{self, Stock};
use crate::topic::{Delivery, Subscription, Topic, Unavailable};

/// Each gets every order.
pub const GROUPS: [&str; 5] = ["payments", "stock", "newsletter", "analytics", "invoices"];

/// How many orders are recorded at once.
const BATCH: usize = 100;

/// How many invoices are written at once.
const AT_ONCE: usize = 4;

/// Starts the five consumers. They end when the topic is closed and what they have in hand is handled.
pub async fn start(topic: &impl Topic, stock: Arc<Stock>) -> Result<JoinSet<()>, Unavailable> {
    let [for_payments, for_stock, for_newsletter, for_analytics, for_invoices] = GROUPS;
    let mut consumers = JoinSet::new();
    consumers.spawn(payments(topic.subscribe(for_payments, 1).await?));
    consumers.spawn(reservations(topic.subscribe(for_stock, 1).await?, stock));
    consumers.spawn(newsletter(topic.subscribe(for_newsletter, 1).await?));
    consumers.spawn(analytics(topic.subscribe(for_analytics, BATCH).await?));
    consumers.spawn(invoices(topic.subscribe(for_invoices, AT_ONCE).await?));
    Ok(consumers)
}

async fn payments(mut orders: Subscription) {
    while let Some(Delivery { order, ack }) = orders.next().await {
        // A card that was declined stays so: the span tells of it, and receiving the order again
        // would not help.
        let _ = handlers::charge_card(&order).await;
        ack.acknowledge().await;
    }
}

async fn reservations(mut orders: Subscription, stock: Arc<Stock>) {
    while let Some(Delivery { order, ack }) = orders.next().await {
        stock.reserve(&order).await;
        ack.acknowledge().await;
    }
}

async fn newsletter(mut orders: Subscription) {
    while let Some(Delivery { order, ack }) = orders.next().await {
        handlers::send_newsletter(&order).await;
        ack.acknowledge().await;
    }
}

async fn analytics(mut orders: Subscription) {
    while let Some(batch) = orders.next_batch(BATCH, Duration::from_millis(250)).await {
        let (orders, acks): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|Delivery { order, ack }| (order, ack)).unzip();
        handlers::record_sales(&orders).await;
        for ack in acks {
            ack.acknowledge().await;
        }
    }
}

async fn invoices(mut orders: Subscription) {
    let mut unfinished = JoinSet::new();
    while let Some(Delivery { order, ack }) = orders.next().await {
        // It forgets those that are done; the set would grow for as long as the service lives.
        if unfinished.len() >= AT_ONCE {
            unfinished.join_next().await;
        }
        unfinished.spawn(async {
            handlers::write_invoice(order).await;
            ack.acknowledge().await;
        });
    }
    unfinished.join_all().await;
}
