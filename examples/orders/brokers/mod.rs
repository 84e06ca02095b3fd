//! The brokers that the service runs on: one in this process, and a file for each real one.

// No broker needs all that they have in common; what none of them needs shows in a usual build.
#![cfg_attr(
    not(all(feature = "mqtt", feature = "nats", feature = "rabbitmq", feature = "redis")),
    allow(dead_code, unused_imports)
)]

pub mod in_process;
#[cfg(feature = "kafka")]
pub mod kafka;
#[cfg(feature = "mqtt")]
pub mod mqtt;
#[cfg(feature = "nats")]
pub mod nats;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;
#[cfg(feature = "redis")]
pub mod redis;
mod supply;

use std::error::Error;
use std::fmt;
use std::time::Duration;

pub use supply::{Inbox, Supply};
#[cfg(any(feature = "kafka", feature = "redis"))]
use throughline::Message;

/// How long a customer waits for a broker at most.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where a topic is.
#[derive(Debug, Clone)]
pub struct Place {
    pub url: String,
    /// What the broker calls it. In the traces it is `orders` always.
    pub topic: String,
    /// How long a worker may have an order before it goes to another one, where the broker does not see
    /// by the connection that a worker is gone. A handler must not take longer.
    pub redeliver_after: Duration,
}

/// A message, with the group that it was given to: a message of Kafka or Redis does not know.
#[cfg(any(feature = "kafka", feature = "redis"))]
#[derive(Message)]
struct OfGroup<M> {
    #[message(consumer_group)]
    group: &'static str,
    #[message(headers)]
    message: M,
}

/// Why an order may not have been published.
#[derive(Debug)]
enum NotPublished {
    NoAnswer,
    ConnectionLost,
    Refused(String),
    Failed(Box<dyn Error + Send + Sync>),
}

impl<E: Error + Send + Sync + 'static> From<E> for NotPublished {
    fn from(error: E) -> Self {
        NotPublished::Failed(Box::new(error))
    }
}

impl fmt::Display for NotPublished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotPublished::NoAnswer => write!(f, "it did not answer within {PATIENCE:?}"),
            NotPublished::ConnectionLost => f.write_str("the connection is lost"),
            NotPublished::Refused(why) => write!(f, "it refused the order: {why}"),
            NotPublished::Failed(error) => error.fmt(f),
        }
    }
}
