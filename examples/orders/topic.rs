//! The topic `orders`: what the service asks of a broker. Each one in `brokers/` implements it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

use crate::order::Order;
use crate::received::Received;

/// Where orders are published, and where each group of consumers gets every one of them.
pub trait Topic: Send + Sync + 'static {
    /// Publishes an order for every group. It is done when the broker has said that it keeps the
    /// order; what is not done may have been published all the same, if the answer was lost.
    fn send(&self, order: Order) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// The orders for `group`, of which it has about `most` in hand. An order that is not
    /// acknowledged comes again, to this process or another one.
    fn subscribe(
        &self,
        group: &'static str,
        most: usize,
    ) -> impl Future<Output = Result<Subscription, Unavailable>> + Send;

    /// Takes no more orders, and ends the subscriptions. What a broker still has it keeps; a topic
    /// that ends with the process gives out first what it has.
    fn close(&self);

    /// How many deliveries nobody has acknowledged yet, and nobody will see again.
    fn unacknowledged(&self) -> usize {
        0
    }
}

/// One order as one group receives it.
pub struct Delivery {
    pub order: Received,
    pub ack: Ack,
}

/// Tells the broker that a delivery need not come again.
pub struct Ack(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Ack {
    /// `tell` runs when the delivery is acknowledged, and never if it is not.
    pub fn new<E: fmt::Display>(
        tell: impl Future<Output = Result<(), E>> + Send + 'static,
    ) -> Self {
        Self(Box::pin(async {
            if let Err(error) = tell.await {
                warn!(%error, "the broker does not know that an order is handled; it will come again");
            }
        }))
    }

    pub async fn acknowledge(self) {
        self.0.await;
    }
}

/// The orders for one group. A broker fills it from a task of its own.
pub struct Subscription {
    deliveries: mpsc::Receiver<Delivery>,
    closed: watch::Receiver<bool>,
}

impl Subscription {
    /// It ends when all senders of `deliveries` are gone and all is taken, or at once when `closed`
    /// becomes true.
    pub fn new(deliveries: mpsc::Receiver<Delivery>, closed: watch::Receiver<bool>) -> Self {
        Self { deliveries, closed }
    }

    /// The next order, or `None` when there will be no more.
    pub async fn next(&mut self) -> Option<Delivery> {
        tokio::select! {
            biased;
            Ok(_) = self.closed.wait_for(|closed| *closed) => None,
            delivery = self.deliveries.recv() => delivery,
        }
    }

    /// The orders that arrive within `linger` of the first, at most `most`; `None` as with
    /// [`Subscription::next`].
    pub async fn next_batch(&mut self, most: usize, linger: Duration) -> Option<Vec<Delivery>> {
        let mut batch = vec![self.next().await?];
        let deadline = Instant::now() + linger;
        while batch.len() < most {
            // Both a late order and a closed topic end the batch.
            let Ok(Some(delivery)) = timeout_at(deadline, self.next()).await else {
                break;
            };
            batch.push(delivery);
        }
        Some(batch)
    }
}

/// The topic can't take or give orders at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unavailable {
    Closed,
    ConsumerGone(&'static str),
    Broker(String),
}

impl Unavailable {
    pub fn because(error: impl fmt::Display) -> Self {
        Unavailable::Broker(error.to_string())
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::Closed => f.write_str("the topic `orders` is closed"),
            Unavailable::ConsumerGone(group) => {
                write!(f, "nobody consumes the topic `orders` for `{group}` any more")
            }
            Unavailable::Broker(why) => {
                write!(f, "the broker does not take orders at the moment: {why}")
            }
        }
    }
}

impl std::error::Error for Unavailable {}
