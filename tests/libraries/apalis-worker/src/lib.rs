//! Workers of [apalis](https://docs.rs/apalis), whose tasks carry the trace context of whoever
//! pushed them.
//!
//! It shows both places where a task can carry it: in its arguments, which are a `Traced<T>` then,
//! and in its metadata, where the arguments have to stay as they are. The layer is the last one of
//! a worker, next to the handler: what retries is outside of it.

use std::collections::HashMap;
use std::fmt;

use apalis::prelude::*;
use throughline::tower::ConsumerLayer;
use throughline::{
    Facts, HeaderReader, Message, Outcome, Traced, async_producer, consume, outcome, produce,
};

/// What a customer wants.
#[derive(Debug, Clone)]
pub struct Order {
    /// The card that is to be charged, and whose owner gets the newsletter.
    pub card: String,
}

/// Why a card was not charged.
#[derive(Debug)]
pub struct PaymentError;

impl fmt::Display for PaymentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no such card")
    }
}

impl std::error::Error for PaymentError {}

/// What goes wrong where a task is pushed.
pub type PushError = TaskSinkError<MemoryStorageError>;

// The context in the arguments.

/// Pushes an order, together with its sender's context.
///
/// # Errors
/// If the storage takes no more.
#[async_producer(destination = "orders")]
pub async fn push_order(
    orders: &mut MemoryStorage<Traced<Order>>,
    #[message] order: Traced<Order>,
) -> Result<(), PushError> {
    orders.push(order).await
}

/// Charges the card of one order, in up to three attempts, and ends. The customer waits for this:
/// it is part of the request's story.
///
/// # Errors
/// If the worker fails; an order that fails is the order's affair.
pub async fn charge_cards(orders: MemoryStorage<Traced<Order>>) -> Result<(), WorkerError> {
    let spans = ConsumerLayer::new("charge_card")
        .continue_()
        .destination("orders")
        .from(|task: &Task<Traced<Order>>| &task.args)
        .outcome(by_its_own_name::<PaymentError>);
    WorkerBuilder::new("payments")
        .backend(orders)
        .retry(RetryPolicy::retries(2))
        .layer(spans)
        .build(charge_card)
        .run()
        .await
}

async fn charge_card(
    order: Traced<Order>,
    attempt: Attempt,
    worker: WorkerContext,
) -> Result<(), PaymentError> {
    let charged = if order.card.is_empty() { Err(PaymentError) } else { Ok(()) };
    if charged.is_ok() || attempt.current() == 3 {
        end(&worker);
    }
    charged
}

/// A real worker has no end.
fn end(worker: &WorkerContext) {
    worker.stop().expect("it is running");
}

/// apalis makes boxes of all errors. This looks into one.
fn by_its_own_name<E: std::error::Error + 'static>(result: &Result<(), BoxDynError>) -> Outcome {
    let own = result.as_ref().err().and_then(|error| error.downcast_ref::<E>());
    own.map_or_else(|| outcome!(result), Outcome::of_error)
}

// The context in the metadata.

/// Pushes an order whose buyer is to get a newsletter, with its sender's context in the metadata.
///
/// # Errors
/// If the storage takes no more.
pub async fn push_newsletter(
    newsletters: &mut MemoryStorage<Order>,
    order: Order,
) -> Result<(), PushError> {
    let mut headers = HashMap::new();
    produce("push_newsletter")
        .destination("newsletters")
        .run(&mut headers, |headers| {
            let metadata = MetadataStore::from_map(headers.clone());
            newsletters.push_task(TaskBuilder::new(order).with_metadata(metadata).build())
        })
        .await
}

/// Sends one newsletter, and ends. Nobody waits for this: it has its own trace.
///
/// # Errors
/// If the worker fails.
pub async fn send_newsletters(newsletters: MemoryStorage<Order>) -> Result<(), WorkerError> {
    let spans = ConsumerLayer::read_with(|task: &Task<Order>| {
        consume("send_newsletter").link().destination("newsletters").read(&Job(task))
    });
    WorkerBuilder::new("newsletters")
        .backend(newsletters)
        .layer(spans)
        .build(send_newsletter)
        .run()
        .await
}

async fn send_newsletter(_order: Order, worker: WorkerContext) {
    end(&worker);
}

/// A task as a message: its metadata are its headers.
struct Job<'t, Args>(&'t Task<Args>);

impl<Args> Message for Job<'_, Args> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        for (name, value) in self.0.metadata().iter() {
            reader.header(name, value);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.system("apalis").attempt(self.0.attempt() as u64 + 1);
        if let Some(id) = self.0.task_id() {
            facts.id(id.to_string());
        }
    }
}

#[cfg(test)]
mod tests;
