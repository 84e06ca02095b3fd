//! An order sent and handled by way of RabbitMQ, and the trace that is left of it.
//!
//!     cargo run --example rabbitmq
//!
//! `RABBITMQ_URL` says where the server is, if not at `amqp://127.0.0.1:5672`.

use std::env;
use std::error::Error;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use throughline::{async_consumer, async_producer, testing};

/// Sent by way of the default exchange, whose keys are queues.
const QUEUE: &str = "throughline-example-orders";

#[async_producer(destination = QUEUE)]
async fn place_order(
    channel: &Channel,
    #[message] properties: BasicProperties,
    order: &str,
) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions::default();
    channel
        .basic_publish("".into(), QUEUE.into(), options, order.as_bytes(), properties)
        .await?
        .await
}

#[async_consumer(continue, destination = QUEUE)]
async fn charge_card(order: &Delivery) -> Result<(), std::string::FromUtf8Error> {
    println!("charged for {}", String::from_utf8(order.data.clone())?);
    Ok(())
}

async fn sell() -> Result<(), Box<dyn Error>> {
    let server = env::var("RABBITMQ_URL").unwrap_or_else(|_| "amqp://127.0.0.1:5672".to_owned());
    let connection = Connection::connect(&server, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { durable: true, ..Default::default() };
    channel.queue_declare(QUEUE.into(), options, FieldTable::default()).await?;

    let properties = BasicProperties::default().with_message_id("A-1".into());
    place_order(&channel, properties, "two lemons").await?;

    let options = BasicConsumeOptions::default();
    let mut orders =
        channel.basic_consume(QUEUE.into(), "".into(), options, FieldTable::default()).await?;
    let order = orders.next().await.ok_or("no order came")??;
    charge_card(&order).await?;
    let ack = order.ack(BasicAckOptions::default());
    throughline::settle("ack").destination(QUEUE).run(&order, ack).await?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut sold = Ok(());
    // A service has a `tracing` subscriber or a global tracer provider in its place.
    let traces = testing::capture(async { sold = sell().await }).await;
    println!("\n{traces}");
    sold
}
