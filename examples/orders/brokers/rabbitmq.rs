//! RabbitMQ: a fanout exchange, and a durable queue for each group.
//!
//! Such a classic queue says of an order that comes again that it is not the first delivery. A quorum queue
//! would count as well, but one of RabbitMQ 3.10 that clients reach while the server starts may stay without
//! a leader, and then gives and takes nothing until the next start.

use std::sync::Arc;

use futures_util::TryStreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind,
};
use throughline::{async_producer, settle};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{Inbox, NotPublished, PATIENCE, Place, Supply};
use crate::consumers::GROUPS;
use crate::order::Order;
use crate::topic::{Subscription, Topic, Unavailable};

pub struct RabbitMq {
    exchange: Exchange,
    /// For publishing: opened with the first order, and again after the connection was lost.
    open: Mutex<Option<Opened>>,
    supply: Supply,
}

#[derive(Clone)]
struct Exchange {
    url: String,
    name: String,
}

#[derive(Clone)]
struct Opened {
    channel: Channel,
    /// It closes when it is dropped.
    _connection: Arc<Connection>,
}

#[async_producer(destination = "orders", operation = "publish")]
async fn publish(
    channel: &Channel,
    exchange: &str,
    order: &[u8],
    #[message] properties: BasicProperties,
) -> Result<(), NotPublished> {
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(exchange.into(), "".into(), options, order, properties);
    let confirmed = timeout(PATIENCE, async { sent.await?.await });
    match confirmed.await.map_err(|_| NotPublished::NoAnswer)?? {
        Confirmation::Ack(_) => Ok(()),
        other => Err(NotPublished::Refused(format!("{other:?}"))),
    }
}

impl RabbitMq {
    pub fn new(place: Place) -> Self {
        let exchange = Exchange { url: place.url, name: place.topic };
        Self { exchange, open: Mutex::new(None), supply: Supply::new() }
    }

    async fn channel(&self) -> Result<Channel, NotPublished> {
        let mut open = self.open.lock().await;
        if let Some(opened) = open.as_ref().filter(|opened| opened.channel.status().connected()) {
            return Ok(opened.channel.clone());
        }
        let opened = timeout(PATIENCE, self.exchange.open());
        let opened = opened.await.map_err(|_| NotPublished::NoAnswer)??;
        // From then on the broker confirms what it keeps.
        opened.channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(open.insert(opened).channel.clone())
    }
}

impl Topic for RabbitMq {
    async fn send(&self, order: Order) -> Result<(), Unavailable> {
        let channel = self.channel().await.map_err(Unavailable::because)?;
        let persistent = BasicProperties::default()
            .with_content_type("application/json".into())
            .with_delivery_mode(2);
        let published = publish(&channel, &self.exchange.name, &order.to_json(), persistent).await;
        if published.is_err() {
            // Whatever is the matter with it, the next order gets another one.
            *self.open.lock().await = None;
        }
        published.map_err(Unavailable::because)
    }

    async fn subscribe(
        &self,
        group: &'static str,
        most: usize,
    ) -> Result<Subscription, Unavailable> {
        let exchange = self.exchange.clone();
        self.supply
            .subscribe(group, most, move |inbox| exchange.clone().give_to(group, most, inbox))
            .await
    }

    fn close(&self) {
        self.supply.close();
    }
}

impl Exchange {
    /// Connects, and declares the exchange with the queues of all groups: whoever comes first, no
    /// order is published that one of them would not get.
    async fn open(&self) -> lapin::Result<Opened> {
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        let durable = ExchangeDeclareOptions { durable: true, ..Default::default() };
        let kind = ExchangeKind::Fanout;
        channel
            .exchange_declare(self.name.as_str().into(), kind, durable, FieldTable::default())
            .await?;
        for group in GROUPS {
            let durable = QueueDeclareOptions { durable: true, ..Default::default() };
            let queue = self.queue(group).into();
            channel.queue_declare(queue, durable, FieldTable::default()).await?;
            let (queue, exchange) = (self.queue(group).into(), self.name.as_str().into());
            let options = QueueBindOptions::default();
            channel.queue_bind(queue, exchange, "".into(), options, FieldTable::default()).await?;
        }
        Ok(Opened { channel, _connection: Arc::new(connection) })
    }

    fn queue(&self, group: &str) -> String {
        format!("{}.{group}", self.name)
    }

    async fn give_to(self, group: &'static str, most: usize, inbox: Inbox) -> lapin::Result<()> {
        let opened = self.open().await?;
        let most = u16::try_from(most).unwrap_or(u16::MAX);
        opened.channel.basic_qos(most, BasicQosOptions::default()).await?;
        let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
        let queue = self.queue(group).into();
        let mut orders = opened.channel.basic_consume(queue, "".into(), options, arguments).await?;
        inbox.ready();
        while let Some(order) = orders.try_next().await? {
            let (payload, order) = (order.data.clone(), Arc::new(order));
            let acknowledge = {
                let order = Arc::clone(&order);
                async move {
                    let ack = order.ack(BasicAckOptions::default());
                    settle("ack").destination("orders").run(&order, ack).await.map(|_| ())
                }
            };
            inbox.deliver(&payload, order, acknowledge).await;
        }
        Ok(())
    }
}
