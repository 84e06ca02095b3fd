//! A broker that lives in this process: tokio channels, one for each group.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use throughline::{Traced, async_producer};
use tokio::sync::{mpsc, watch};

use crate::order::Order;
use crate::received::Received;
use crate::topic::{Ack, Delivery, Subscription, Topic, Unavailable};

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

/// A channel has no headers, so the order is wrapped together with its context.
#[async_producer(destination = "orders", operation = "publish")]
async fn publish(topic: &InProcess, #[message] order: Traced<Order>) -> Result<(), Unavailable> {
    let queues = topic.queues().clone().ok_or(Unavailable::Closed)?;
    // First a place in every queue, then all at once: neither a request that is dropped while
    // it waits nor a consumer that is gone leaves an order with some of the groups only.
    let mut places = Vec::with_capacity(queues.len());
    for queue in &queues {
        let place = queue.deliveries.reserve().await;
        places.push(place.map_err(|_| Unavailable::ConsumerGone(queue.group))?);
    }
    for place in places {
        place.send(topic.delivery(&order));
    }
    Ok(())
}

impl InProcess {
    /// A group that falls this many orders behind makes publishers wait.
    const CAPACITY: usize = 1024;

    pub fn new() -> Self {
        Self { queues: Mutex::new(Some(Vec::new())), unacknowledged: Arc::default() }
    }

    fn queues(&self) -> MutexGuard<'_, Option<Vec<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delivery(&self, order: &Traced<Order>) -> Delivery {
        self.unacknowledged.fetch_add(1, Ordering::Relaxed);
        let unacknowledged = Arc::clone(&self.unacknowledged);
        let ack = Ack::new(async move {
            unacknowledged.fetch_sub(1, Ordering::Relaxed);
            Ok::<_, Infallible>(())
        });
        let message = Traced::with_context((), order.context().clone());
        Delivery { order: Received::new(Order::clone(order), message), ack }
    }
}

impl Topic for InProcess {
    /// Hands the order to every group, or to none. Dropping the future half-way hands it to none.
    async fn send(&self, order: Order) -> Result<(), Unavailable> {
        publish(self, Traced::new(order)).await
    }

    async fn subscribe(
        &self,
        group: &'static str,
        _most: usize,
    ) -> Result<Subscription, Unavailable> {
        let (sender, deliveries) = mpsc::channel(Self::CAPACITY);
        self.queues()
            .as_mut()
            .ok_or(Unavailable::Closed)?
            .push(Queue { group, deliveries: sender });
        // Nobody says so: what was published is handled before the end.
        let (_, closed) = watch::channel(false);
        Ok(Subscription::new(deliveries, closed))
    }

    fn close(&self) {
        // The consumers see the end of their queues when the last sender is gone.
        *self.queues() = None;
    }

    fn unacknowledged(&self) -> usize {
        self.unacknowledged.load(Ordering::Relaxed)
    }
}
