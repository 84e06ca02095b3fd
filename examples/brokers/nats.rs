//! An order sent and handled by way of NATS JetStream, refused once, and the trace that is left of it.
//!
//!     cargo run --example nats
//!
//! `NATS_URL` says where the server is, if not at `nats://127.0.0.1:4222`. It needs JetStream:
//! `nats-server -js`.

use std::env;

use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, AckKind, Context, Message, stream};
use futures_util::TryStreamExt;
use throughline::{async_consumer, async_producer, testing};

/// Each customer has a subject, so that none of them can be part of a span's name.
const ORDERS: &str = "throughline-example-orders.{customer}";

#[async_producer(destination_template = ORDERS)]
async fn place_order(
    jetstream: &Context,
    customer: &str,
    #[message] order: PublishMessage,
) -> Result<(), PublishError> {
    let subject = ORDERS.replace("{customer}", customer);
    jetstream.send_publish(subject, order).await?.await?;
    Ok(())
}

#[async_consumer(continue, destination_template = ORDERS)]
async fn charge_card(order: &Message) -> Result<(), String> {
    let attempt = order.info().map_err(|error| error.to_string())?.delivered;
    if attempt == 1 {
        return Err("the bank is closed".to_owned());
    }
    println!("charged for {}, at attempt {attempt}", String::from_utf8_lossy(&order.payload));
    Ok(())
}

async fn sell() -> Result<(), async_nats::Error> {
    let server = env::var("NATS_URL").unwrap_or_else(|_| "nats://127.0.0.1:4222".to_owned());
    let jetstream = jetstream::new(async_nats::connect(server).await?);
    let config = stream::Config {
        name: "throughline-example-orders".to_owned(),
        subjects: vec![ORDERS.replace("{customer}", "*")],
        retention: stream::RetentionPolicy::WorkQueue,
        ..Default::default()
    };
    let stream = jetstream.get_or_create_stream(config).await?;
    let durable_name = Some("payments".to_owned());
    let consumer: PullConsumer =
        stream.create_consumer(pull::Config { durable_name, ..Default::default() }).await?;

    let order = PublishMessage::build().payload("two lemons".into()).message_id("A-1");
    place_order(&jetstream, "ada", order).await?;

    let mut orders = consumer.messages().await?;
    while let Some(order) = orders.try_next().await? {
        if charge_card(&order).await.is_ok() {
            let ack = order.double_ack();
            throughline::settle("ack").destination_template(ORDERS).run(&order, ack).await?;
            break;
        }
        let nak = order.ack_with(AckKind::Nak(None));
        throughline::settle("nak").destination_template(ORDERS).run(&order, nak).await?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), async_nats::Error> {
    let mut sold = Ok(());
    // A service has a `tracing` subscriber or a global tracer provider in its place.
    let traces = testing::capture(async { sold = sell().await }).await;
    println!("\n{traces}");
    sold
}
