//! The handlers under throughline.

use throughline::async_consumer;

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
