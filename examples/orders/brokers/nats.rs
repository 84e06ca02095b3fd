//! NATS with JetStream: a stream that keeps the orders, and a durable consumer for each group.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context, stream};
use async_nats::{ConnectOptions, Event};
use futures_util::TryStreamExt;
use throughline::{async_producer, settle};
use tokio::sync::OnceCell;
use tracing::{info, warn};

use super::{Inbox, Place, Supply};
use crate::order::Order;
use crate::topic::{Subscription, Topic, Unavailable};

pub struct Nats {
    stream: OrderStream,
    /// It is made by whoever comes first, and a message that no stream takes is refused.
    is_made: OnceCell<()>,
    supply: Supply,
}

#[derive(Clone)]
struct OrderStream {
    jetstream: Context,
    subject: String,
    redeliver_after: Duration,
}

#[async_producer(destination = "orders", operation = "publish")]
async fn publish(
    stream: &OrderStream,
    #[message] order: PublishMessage,
) -> Result<(), PublishError> {
    let stored = stream.jetstream.send_publish(stream.subject.clone(), order).await?;
    stored.await?;
    Ok(())
}

impl Nats {
    pub async fn new(place: Place) -> io::Result<Self> {
        // The client connects when it can, and connects again whenever it has to.
        let client = ConnectOptions::new()
            .retry_on_initial_connect()
            .event_callback(|event| async move {
                match event {
                    Event::Connected => info!("connected to NATS"),
                    event => warn!("NATS: {event}"),
                }
            })
            .connect(&place.url)
            .await
            .map_err(io::Error::other)?;
        let stream = OrderStream {
            jetstream: jetstream::new(client),
            subject: place.topic,
            redeliver_after: place.redeliver_after,
        };
        Ok(Self { stream, is_made: OnceCell::new(), supply: Supply::new() })
    }
}

impl Topic for Nats {
    async fn send(&self, order: Order) -> Result<(), Unavailable> {
        let make = async || self.stream.make().await.map(|_| ());
        self.is_made.get_or_try_init(make).await.map_err(Unavailable::because)?;
        let order = PublishMessage::build().payload(order.to_json().into());
        publish(&self.stream, order).await.map_err(Unavailable::because)
    }

    async fn subscribe(
        &self,
        group: &'static str,
        most: usize,
    ) -> Result<Subscription, Unavailable> {
        let stream = self.stream.clone();
        self.supply
            .subscribe(group, most, move |inbox| stream.clone().give_to(group, most, inbox))
            .await
    }

    fn close(&self) {
        self.supply.close();
    }
}

impl OrderStream {
    async fn make(&self) -> Result<stream::Stream, jetstream::context::CreateStreamError> {
        let stream = stream::Config {
            name: self.subject.replace('.', "_"),
            subjects: vec![self.subject.clone()],
            ..Default::default()
        };
        self.jetstream.get_or_create_stream(stream).await
    }

    async fn give_to(
        self,
        group: &'static str,
        most: usize,
        mut inbox: Inbox,
    ) -> Result<(), async_nats::Error> {
        // All that is not acknowledged by then is delivered again, and counted.
        let config = pull::Config {
            durable_name: Some(group.to_owned()),
            ack_wait: self.redeliver_after,
            ..Default::default()
        };
        let consumer: PullConsumer = self.make().await?.create_consumer(config).await?;
        inbox.ready();
        let mut orders = consumer.stream().max_messages_per_batch(most).messages().await?;
        while inbox.room().await > 0 {
            let Some(order) = orders.try_next().await? else { break };
            let (payload, order) = (order.payload.clone(), Arc::new(order));
            let acknowledge = {
                let order = Arc::clone(&order);
                // The one that waits for the server's answer: a handled order is known to be so.
                async move { settle("ack").destination("orders").run(&order, order.double_ack()).await }
            };
            inbox.deliver(&payload, order, acknowledge).await;
        }
        Ok(())
    }
}
