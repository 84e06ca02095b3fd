//! The handlers under throughline.

use throughline::{Traced, async_consumer, async_producer, async_task};

use crate::body;
use crate::messages::{Message, Record};

/// Its own trace, with a link back.
#[async_consumer(link)]
pub async fn link(#[message] message: &Message, awaits: usize) -> usize {
    body(message, awaits).await
}

/// A child of the sender's span.
#[async_consumer(continue)]
pub async fn continued(#[message] message: &Message, awaits: usize) -> usize {
    body(message, awaits).await
}

/// Of a message that tells of itself what there is to know.
#[async_consumer(link, consumer_group = "billing")]
pub async fn record(#[message] record: &Record) -> usize {
    body(&record.headers, 0).await
}

/// A batch.
#[async_consumer(link)]
pub async fn batch(messages: &[Message]) -> usize {
    std::hint::black_box(messages.len())
}

/// A message on its way out.
#[async_producer(system = "kafka", destination = "orders")]
pub async fn send(#[message] headers: &mut Message) -> usize {
    std::hint::black_box(headers.len())
}

/// A message that has come by a channel within the process.
#[async_consumer(link)]
pub async fn link_in_memory(order: &Traced<usize>) -> usize {
    std::hint::black_box(**order)
}

/// A message on its way into such a channel.
#[async_producer(destination = "orders")]
pub async fn send_in_memory(order: &mut Traced<usize>) -> usize {
    std::hint::black_box(**order)
}

/// Work that goes on elsewhere.
#[async_task(continue)]
pub async fn task(work: usize) -> usize {
    std::hint::black_box(work)
}
