//! MQTT 5: a topic, and a session that outlives its connection for each group.
//!
//! - A session is made by the first worker, so start one before the web: an order that nobody is
//!   subscribed to is refused.
//! - A session belongs to one client, so there is one worker at a time. (Of a shared subscription each
//!   worker has a session of its own, and what was delivered to one that is gone waits for its return.)
//! - MQTT does not count deliveries. An order that comes again says that it is at least the second.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{io, process};

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    Packet, PubAckReason, Publish, PublishProperties, SubscribeReasonCode,
};
use rumqttc::v5::{AsyncClient, Event, MqttOptions};
use throughline::{async_producer, settle};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{Inbox, NotPublished, PATIENCE, Place, Supply};
use crate::order::Order;
use crate::topic::{Subscription, Topic, Unavailable};

pub struct Mqtt {
    broker: Broker,
    /// For publishing, one order at a time: connected with the first, and again after a failure.
    publisher: Mutex<Option<Publisher>>,
    supply: Supply,
}

#[derive(Clone)]
struct Broker {
    host: String,
    port: u16,
    topic: String,
}

#[async_producer(destination = "orders", operation = "publish", into = properties)]
async fn publish(
    publisher: &mut Publisher,
    topic: &str,
    order: Vec<u8>,
    properties: PublishProperties,
) -> Result<(), NotPublished> {
    let qos = QoS::AtLeastOnce;
    publisher.client.publish_with_properties(topic, qos, false, order, properties).await?;
    let answer = timeout(PATIENCE, publisher.answers.recv()).await;
    match answer.map_err(|_| NotPublished::NoAnswer)? {
        Some(PubAckReason::Success) => Ok(()),
        Some(reason) => Err(NotPublished::Refused(format!("{reason:?}"))),
        None => Err(NotPublished::ConnectionLost),
    }
}

impl Mqtt {
    pub fn new(place: Place) -> io::Result<Self> {
        let address = place.url.trim_start_matches("mqtt://").trim_end_matches('/');
        let (host, port) = address.split_once(':').unwrap_or((address, "1883"));
        let port = port.parse().map_err(|_| io::Error::other(format!("`{port}` is no port")))?;
        let broker = Broker { host: host.to_owned(), port, topic: place.topic };
        Ok(Self { broker, publisher: Mutex::new(None), supply: Supply::new() })
    }
}

impl Topic for Mqtt {
    async fn send(&self, order: Order) -> Result<(), Unavailable> {
        let mut place = self.publisher.lock().await;
        let mut publisher = match place.take().filter(Publisher::is_connected) {
            Some(publisher) => publisher,
            None => self.broker.publisher(),
        };
        let (topic, properties) = (&self.broker.topic, PublishProperties::default());
        publish(&mut publisher, topic, order.to_json(), properties)
            .await
            .map_err(Unavailable::because)?;
        // Only now: whatever has gone wrong, and if the customer did not wait, no answer is left over
        // for the next order.
        *place = Some(publisher);
        Ok(())
    }

    async fn subscribe(
        &self,
        group: &'static str,
        most: usize,
    ) -> Result<Subscription, Unavailable> {
        let broker = self.broker.clone();
        self.supply
            .subscribe(group, most, move |inbox| broker.clone().give_to(group, most, inbox))
            .await
    }

    fn close(&self) {
        self.supply.close();
    }
}

/// A client, and the broker's answers to what it publishes.
struct Publisher {
    client: AsyncClient,
    answers: mpsc::Receiver<PubAckReason>,
    /// It ends when the connection is lost, and when this is dropped.
    _connection: JoinSet<()>,
}

impl Publisher {
    fn is_connected(&self) -> bool {
        !self.answers.is_closed()
    }
}

impl Broker {
    fn options(&self, client_id: String) -> MqttOptions {
        let mut options = MqttOptions::new(client_id, &self.host, self.port);
        options.set_connection_timeout(PATIENCE.as_secs());
        options.set_max_packet_size(Some(1024 * 1024));
        options
    }

    fn publisher(&self) -> Publisher {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let client_id = format!("{}.web-{}-{}", self.topic, process::id(), since_1970.as_nanos());
        let (client, mut events) = AsyncClient::new(self.options(client_id), 1);
        let (sender, answers) = mpsc::channel(1);
        let mut connection = JoinSet::new();
        connection.spawn(async move {
            loop {
                match events.poll().await {
                    Ok(Event::Incoming(Packet::PubAck(answer))) => {
                        let _ = sender.send(answer.reason).await;
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the connection for publishing is lost");
                        return;
                    }
                }
            }
        });
        Publisher { client, answers, _connection: connection }
    }

    async fn give_to(
        self,
        group: &'static str,
        most: usize,
        inbox: Inbox,
    ) -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut options = self.options(format!("{}.{group}", self.topic));
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(u32::MAX));
        options.set_manual_acks(true);
        // The inbox has room for as many, and so the connection never waits for a handler.
        options.set_receive_maximum(u16::try_from(most).ok());
        let (client, mut connection) = AsyncClient::new(options, most + 1);
        client.subscribe(&self.topic, QoS::AtLeastOnce).await?;
        let (acks, mut acks_to_send) = mpsc::unbounded_channel();
        let mut unsent = HashMap::<u16, oneshot::Sender<()>>::new();
        loop {
            match connection.poll().await? {
                Event::Incoming(Packet::SubAck(answer)) => match &answer.return_codes[..] {
                    [SubscribeReasonCode::Success(_)] => inbox.ready(),
                    reasons => return Err(format!("no subscription: {reasons:?}").into()),
                },
                Event::Incoming(Packet::Publish(order)) => {
                    let (payload, order) = (order.payload.clone(), Arc::new(order));
                    let ack = acknowledge(client.clone(), Arc::clone(&order), acks.clone());
                    inbox.deliver(&payload, order, ack).await;
                }
                Event::Outgoing(Outgoing::PubAck(order)) => {
                    while let Ok((order, sent)) = acks_to_send.try_recv() {
                        unsent.insert(order, sent);
                    }
                    if let Some(sent) = unsent.remove(&order) {
                        let _ = sent.send(());
                    }
                }
                _ => {}
            }
        }
    }
}

/// Done when the acknowledgement is sent. The connection may be lost by then, and the order comes again.
async fn acknowledge(
    client: AsyncClient,
    order: Arc<Publish>,
    acks: mpsc::UnboundedSender<(u16, oneshot::Sender<()>)>,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let ack = async {
        let (sent, is_sent) = oneshot::channel();
        acks.send((order.pkid, sent))?;
        client.ack(&order).await?;
        is_sent.await?;
        Ok(())
    };
    settle("ack").destination("orders").run(&order, ack).await
}
