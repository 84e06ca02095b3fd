//! Kafka: a topic, and a consumer group for each group.
//!
//! Kafka does not count deliveries. An order that comes again has the same partition and offset.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::OwnedMessage;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use throughline::{async_producer, settle};
use tokio::task::spawn_blocking;
use tracing::warn;

use super::{Inbox, OfGroup, PATIENCE, Place, Supply};
use crate::order::Order;
use crate::topic::{Subscription, Topic, Unavailable};

pub struct Kafka {
    producer: FutureProducer,
    log: OrderLog,
    supply: Supply,
}

#[derive(Clone)]
struct OrderLog {
    servers: String,
    topic: String,
}

#[async_producer(destination = "orders", operation = "publish")]
async fn publish(
    producer: &FutureProducer,
    #[message] record: FutureRecord<'_, str, [u8]>,
) -> KafkaResult<()> {
    producer.send(record, PATIENCE).await.map(|_| ()).map_err(|(error, _)| error)
}

impl Kafka {
    pub fn new(place: Place) -> KafkaResult<Self> {
        let servers = place.url.trim_start_matches("kafka://").trim_end_matches('/').to_owned();
        let log = OrderLog { servers, topic: place.topic };
        let mut config = log.config();
        config.set("acks", "all").set("message.timeout.ms", PATIENCE.as_millis().to_string());
        Ok(Self { producer: config.create()?, log, supply: Supply::new() })
    }
}

impl Topic for Kafka {
    async fn send(&self, order: Order) -> Result<(), Unavailable> {
        let payload = order.to_json();
        // The orders of one customer stay in order.
        let record = FutureRecord::to(&self.log.topic).key(order.customer.as_str());
        publish(&self.producer, record.payload(&payload[..])).await.map_err(Unavailable::because)
    }

    async fn subscribe(
        &self,
        group: &'static str,
        most: usize,
    ) -> Result<Subscription, Unavailable> {
        let log = self.log.clone();
        self.supply.subscribe(group, most, move |inbox| log.clone().give_to(group, inbox)).await
    }

    fn close(&self) {
        self.supply.close();
    }
}

impl OrderLog {
    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.servers);
        config
    }

    async fn give_to(self, group: &'static str, mut inbox: Inbox) -> KafkaResult<()> {
        let mut config = self.config();
        config
            .set("group.id", format!("{}.{group}", self.topic))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("allow.auto.create.topics", "true")
            // A worker that is killed is missed after this.
            .set("session.timeout.ms", "6000");
        let consumer: Arc<StreamConsumer> = Arc::new(config.create()?);
        consumer.subscribe(&[&self.topic])?;
        // What is published from now on, and before, stays in the topic.
        inbox.ready();
        let in_hand = InHand::default();
        while inbox.room().await > 0 {
            let order = match consumer.recv().await {
                Ok(order) => Arc::new(OfGroup { group, message: order.detach() }),
                // The client knows these to pass, and goes on by itself.
                Err(KafkaError::MessageConsumption(error)) => {
                    warn!(group, %error, "no orders from Kafka");
                    continue;
                }
                Err(error) => return Err(error),
            };
            in_hand.take(&order.message);
            let commit = commit(Arc::clone(&consumer), Arc::clone(&order), in_hand.clone());
            inbox
                .deliver(order.message.payload().unwrap_or_default(), Arc::clone(&order), commit)
                .await;
        }
        Ok(())
    }
}

/// Says how far the group has handled the order's partition.
async fn commit(
    consumer: Arc<StreamConsumer>,
    order: Arc<OfGroup<OwnedMessage>>,
    in_hand: InHand,
) -> KafkaResult<()> {
    let OfGroup { message, .. } = &*order;
    let next = Offset::Offset(in_hand.put_away(message));
    let mut handled = TopicPartitionList::new();
    handled.add_partition_offset(message.topic(), message.partition(), next)?;
    let commit = async {
        // The one that waits for the broker's answer blocks its thread.
        let commit = spawn_blocking(move || consumer.commit(&handled, CommitMode::Sync));
        commit.await.unwrap_or(Err(KafkaError::Canceled))
    };
    settle("commit").destination("orders").run(&order, commit).await
}

/// The offsets that are being handled, by partition. A commit says that all before it is handled, and so must not
/// get ahead of a slower handler.
#[derive(Clone, Default)]
struct InHand(Arc<Mutex<HashMap<i32, Partition>>>);

#[derive(Default)]
struct Partition {
    in_hand: BTreeSet<i64>,
    next: i64,
}

impl InHand {
    fn take(&self, order: &OwnedMessage) {
        let mut partitions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let partition = partitions.entry(order.partition()).or_default();
        partition.in_hand.insert(order.offset());
        partition.next = order.offset() + 1;
    }

    /// The first offset that is not handled yet.
    fn put_away(&self, order: &OwnedMessage) -> i64 {
        let mut partitions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let partition = partitions.entry(order.partition()).or_default();
        partition.in_hand.remove(&order.offset());
        partition.in_hand.first().copied().unwrap_or(partition.next)
    }
}
