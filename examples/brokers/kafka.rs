//! An order sent and handled by way of Kafka, and the trace that is left of it.
//!
//!     cargo run --example kafka --features kafka
//!
//! `KAFKA_SERVERS` says where the servers are: `127.0.0.1:9092`. Without it, a small cluster that librdkafka
//! brings runs in this process.

use std::env;
use std::error::Error;
use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{FutureProducer, FutureRecord};
use throughline::{async_consumer, async_producer, testing};

const TOPIC: &str = "throughline-example-orders";
const GROUP: &str = "throughline-example-payments";

#[async_producer]
async fn place_order(
    producer: &FutureProducer,
    #[message] order: FutureRecord<'_, str, str>,
) -> Result<(), KafkaError> {
    let delivered = producer.send(order, Duration::from_secs(5)).await;
    delivered.map(|_| ()).map_err(|(error, _)| error)
}

#[async_consumer(continue, consumer_group = GROUP)]
async fn charge_card(order: &BorrowedMessage<'_>) -> Result<(), std::str::Utf8Error> {
    println!("charged for {}", std::str::from_utf8(order.payload().unwrap_or_default())?);
    Ok(())
}

async fn sell(servers: &str) -> Result<(), Box<dyn Error>> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", servers).set("group.id", GROUP);
    config.set("enable.auto.commit", "false").set("auto.offset.reset", "earliest");

    let producer: FutureProducer = config.create()?;
    let order = FutureRecord::to(TOPIC).key("order-7").payload("two lemons");
    place_order(&producer, order).await?;

    let consumer: StreamConsumer = config.create()?;
    consumer.subscribe(&[TOPIC])?;
    let order = consumer.recv().await?;
    charge_card(&order).await?;
    throughline::settle("commit")
        .consumer_group(GROUP)
        .run_sync(&order, || consumer.commit_message(&order, CommitMode::Sync))?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (_cluster, servers) = if let Ok(servers) = env::var("KAFKA_SERVERS") {
        (None, servers)
    } else {
        let cluster = MockCluster::new(1)?;
        let servers = cluster.bootstrap_servers();
        (Some(cluster), servers)
    };
    let mut sold = Ok(());
    // A service has a `tracing` subscriber or a global tracer provider in its place.
    let traces = testing::capture(async { sold = sell(&servers).await }).await;
    println!("\n{traces}");
    sold
}
