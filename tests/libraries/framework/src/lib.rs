//! A worker framework: it gives each delivery of a broker to the handler of its topic.
//!
//! It shows how a framework makes the span around its users' handlers, so that they write no
//! attribute: with the builder, [`consume`], and a [`Relation`] that is chosen where a handler is
//! registered.

use std::any::type_name;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;

use broker::{Broker, Delivery};
use throughline::{Relation, consume};

/// How often a handler gets the same record before the worker gives up on it.
const ATTEMPTS: u64 = 2;

/// Answers whether the delivery was handled.
type Handler = Box<dyn for<'d> Fn(&'d Delivery) -> Handling<'d> + Send + Sync>;
type Handling<'d> = Pin<Box<dyn Future<Output = bool> + Send + 'd>>;

/// Handlers by topic.
///
/// ```
/// use broker::{Broker, Record};
/// use throughline::Relation;
/// use throughline_test_framework::Worker;
///
/// async fn charge_card(order: Vec<u8>) -> Result<(), std::fmt::Error> {
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let broker = Broker::default();
/// broker.send(Record { topic: "orders".into(), ..Record::default() });
/// Worker::new().on("orders", Relation::CONTINUE, charge_card).run(&broker).await;
/// # }
/// ```
#[derive(Default)]
pub struct Worker {
    handlers: HashMap<&'static str, Handler>,
}

impl Worker {
    /// A worker without handlers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives what arrives on `topic` to `handler`, whose span is related to the sender's as
    /// `relation` says.
    #[must_use]
    pub fn on<H, F, E>(mut self, topic: &'static str, relation: Relation, handler: H) -> Self
    where
        H: Fn(Vec<u8>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send,
        E: fmt::Display,
    {
        // The span is made here, where the error's type is known, which becomes `error.type`.
        let handle: Handler = Box::new(move |delivery| {
            let handler = handler.clone();
            Box::pin(async move {
                // The span tells whose it is by the handler's type, which for a function is its
                // path. The handler is called inside it: it may do much before its first `await`.
                consume(type_name::<H>())
                    .relation(relation)
                    .destination(topic)
                    .run(delivery, async { handler(delivery.record.body.clone()).await })
                    .await
                    .is_ok()
            })
        });
        self.handlers.insert(topic, handle);
        self
    }

    /// Handles all that is waiting, one after another. What fails is tried once more.
    pub async fn run(&self, broker: &Broker) {
        while let Some(delivery) = broker.receive() {
            let Some(handle) = self.handlers.get(delivery.record.topic.as_str()) else { continue };
            if !handle(&delivery).await && delivery.attempt < ATTEMPTS {
                broker.give_back(delivery);
            }
        }
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.handlers.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
