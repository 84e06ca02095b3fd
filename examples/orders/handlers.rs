//! What is done with an order. Each handler says on itself how its work relates to the request
//! that sent the order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use throughline::async_consumer;
use tokio::time::sleep;
use tracing::info;

use crate::received::Received;

/// The customer waits for this one, so it belongs to the trace of the request, however long the
/// queue is.
#[async_consumer(continue, destination = "orders", fields(order.id = %order.id))]
pub async fn charge_card(order: &Received) -> Result<(), PaymentError> {
    work(12).await;
    if order.card.is_declined() {
        return Err(PaymentError::Declined);
    }
    Ok(())
}

/// What is in store. A handler may be a method as well.
#[derive(Debug, Default)]
pub struct Stock {
    reserved: Mutex<BTreeMap<String, u64>>,
}

impl Stock {
    /// The warehouse has its own pace and its own traces; each leads back to its order by a link.
    #[async_consumer(
        link,
        destination = "orders",
        fields(order.id = %order.id, order.items = order.items.len()),
    )]
    pub async fn reserve(&self, order: &Received) {
        work(4).await;
        let mut reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        for item in &order.items {
            *reserved.entry(item.sku.clone()).or_default() += u64::from(item.quantity.get());
        }
    }

    /// How many of `sku` are set aside.
    #[cfg(test)]
    pub fn reserved(&self, sku: &str) -> u64 {
        let reserved = self.reserved.lock().unwrap_or_else(PoisonError::into_inner);
        reserved.get(sku).copied().unwrap_or_default()
    }
}

/// Nobody looks for the newsletter in the trace of an order.
#[async_consumer(link, destination = "orders", fields(order.id = %order.id))]
pub async fn send_newsletter(order: &Received) {
    work(2).await;
    // A log line belongs to the handler's span like any other.
    info!(customer = %order.customer, "newsletter sent");
}

/// Many orders at once. One span can't have many parents, so it links to every order of the batch.
#[async_consumer(link, destination = "orders", fields(order.items = count_items(orders)))]
pub async fn record_sales(orders: &[Received]) {
    work(6).await;
    info!(orders = orders.len(), "sales recorded");
}

/// Takes its time, so several are written at once: it owns the order, and can be spawned.
#[async_consumer(link, destination = "orders", fields(order.id = %order.id))]
pub async fn write_invoice(order: Received) {
    work(8).await;
    info!(customer = %order.customer, "invoice written");
}

/// The customer's bank did not pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentError {
    Declined,
}

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PaymentError::Declined => f.write_str("the bank declined the card"),
        }
    }
}

impl std::error::Error for PaymentError {}

fn count_items(orders: &[Received]) -> usize {
    orders.iter().map(|order| order.items.len()).sum()
}

/// Stands for what a real handler would wait for: a bank, a database, a mail server. With
/// `ORDERS_WORK_MS` set it takes as long as they do on a bad day, and says that it has begun.
async fn work(milliseconds: u64) {
    let bad_day = std::env::var("ORDERS_WORK_MS").ok().and_then(|set| set.parse().ok());
    if bad_day.is_some() {
        info!("at work");
    }
    sleep(Duration::from_millis(bad_day.unwrap_or(milliseconds))).await;
}
