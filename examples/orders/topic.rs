//! The topic `orders`: what the service asks of a broker, and a broker that lives in this process.
//!
//! Another broker takes its place by implementing [`Topic`]. `Traced<Order>` is plain JSON under
//! serde, so that a broker without headers can carry one as its payload.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use throughline::{Traced, async_producer};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::order::Order;

/// Where orders are published, and where each group of consumers gets every one of them.
pub trait Topic: Send + Sync + 'static {
    /// Hands an order to every group, or to none. Dropping the future half-way hands it to none.
    fn send(&self, order: Traced<Order>) -> impl Future<Output = Result<(), Unavailable>> + Send;

    /// Gives `group` a queue of its own for the orders published from now on.
    fn subscribe(
        &self,
        group: &'static str,
    ) -> impl Future<Output = Result<Subscription, Unavailable>> + Send;

    /// Takes no more orders. Subscriptions end once what was published is taken from them.
    fn close(&self);

    /// How many deliveries nobody has acknowledged yet.
    fn unacknowledged(&self) -> usize;
}

/// Publishes one order. Its span is what the handlers continue or link to, whichever broker is
/// behind the topic.
#[async_producer(destination = "orders", operation = "publish")]
pub async fn publish(
    topic: &impl Topic,
    #[message] order: Traced<Order>,
) -> Result<(), Unavailable> {
    topic.send(order).await
}

/// One order as one group receives it.
pub struct Delivery {
    pub order: Traced<Order>,
    pub ack: Ack,
}

/// Tells the broker that a delivery need not come again.
pub struct Ack(Box<dyn FnOnce() + Send>);

impl Ack {
    pub fn new(tell: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(tell))
    }

    pub fn acknowledge(self) {
        (self.0)();
    }
}

/// The orders for one group. A broker fills it from a task of its own.
pub struct Subscription {
    deliveries: mpsc::Receiver<Delivery>,
}

impl Subscription {
    /// The next order, or `None` when the topic is closed and all is taken.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.deliveries.recv().await
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
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::Closed => f.write_str("the topic `orders` is closed"),
            Unavailable::ConsumerGone(group) => {
                write!(f, "nobody consumes the topic `orders` for `{group}` any more")
            }
        }
    }
}

impl std::error::Error for Unavailable {}

/// A topic made of tokio channels, one for each group.
#[derive(Default)]
pub struct InProcess {
    /// `None` once closed.
    queues: Mutex<Option<Vec<Queue>>>,
    unacknowledged: Arc<AtomicUsize>,
}

#[derive(Clone)]
struct Queue {
    group: &'static str,
    deliveries: mpsc::Sender<Delivery>,
}

impl InProcess {
    /// A group that falls this many orders behind makes publishers wait.
    const CAPACITY: usize = 1024;

    pub fn new() -> Self {
        Self { queues: Mutex::new(Some(Vec::new())), unacknowledged: Arc::default() }
    }

    fn queues(&self) -> std::sync::MutexGuard<'_, Option<Vec<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delivery(&self, order: Traced<Order>) -> Delivery {
        self.unacknowledged.fetch_add(1, Ordering::Relaxed);
        let unacknowledged = Arc::clone(&self.unacknowledged);
        let ack = Ack::new(move || {
            unacknowledged.fetch_sub(1, Ordering::Relaxed);
        });
        Delivery { order, ack }
    }
}

impl Topic for InProcess {
    async fn send(&self, order: Traced<Order>) -> Result<(), Unavailable> {
        let queues = self.queues().clone().ok_or(Unavailable::Closed)?;
        // First a place in every queue, then all at once: neither a request that is dropped while
        // it waits nor a consumer that is gone leaves an order with some of the groups only.
        let mut places = Vec::with_capacity(queues.len());
        for queue in &queues {
            let place = queue.deliveries.reserve().await;
            places.push(place.map_err(|_| Unavailable::ConsumerGone(queue.group))?);
        }
        for place in places {
            place.send(self.delivery(order.clone()));
        }
        Ok(())
    }

    async fn subscribe(&self, group: &'static str) -> Result<Subscription, Unavailable> {
        let (sender, deliveries) = mpsc::channel(Self::CAPACITY);
        self.queues()
            .as_mut()
            .ok_or(Unavailable::Closed)?
            .push(Queue { group, deliveries: sender });
        Ok(Subscription { deliveries })
    }

    fn close(&self) {
        // The consumers see the end of their queues when the last sender is gone.
        *self.queues() = None;
    }

    fn unacknowledged(&self) -> usize {
        self.unacknowledged.load(Ordering::Relaxed)
    }
}
