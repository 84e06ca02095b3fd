//! A device's state sent and stored by way of MQTT 5, and the trace that is left of it.
//!
//!     cargo run --example mqtt
//!
//! `MQTT_SERVER` says where the server is, if not at `127.0.0.1:1883`.

use std::env;
use std::error::Error;

use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish, PublishProperties};
use rumqttc::v5::{AsyncClient, ClientError, Event, MqttOptions};
use throughline::{async_consumer, async_producer, testing};

/// Each device has a topic, so that none of them can be part of a span's name.
const STATES: &str = "throughline-example/{device}/state";

#[async_producer(destination_template = STATES, into = properties)]
async fn publish(
    client: &AsyncClient,
    device: &str,
    state: &'static str,
    properties: PublishProperties,
) -> Result<(), ClientError> {
    let topic = STATES.replace("{device}", device);
    client.publish_with_properties(topic, QoS::AtLeastOnce, false, state, properties).await
}

#[async_consumer(continue, destination_template = STATES)]
async fn store(state: &Publish) -> Result<(), std::str::Utf8Error> {
    println!("stored that it is {}", std::str::from_utf8(&state.payload)?);
    Ok(())
}

async fn watch() -> Result<(), Box<dyn Error>> {
    let server = env::var("MQTT_SERVER").unwrap_or_else(|_| "127.0.0.1:1883".to_owned());
    let (host, port) = server.rsplit_once(':').ok_or("MQTT_SERVER is no host:port")?;
    let mut options = MqttOptions::new("throughline-example", host, port.parse()?);
    // The server keeps what is not acknowledged, for an hour, and delivers it again.
    options.set_clean_start(false);
    options.set_session_expiry_interval(Some(3600));
    options.set_manual_acks(true);
    // Without this the client takes no packet above 10 KiB, and headers count.
    options.set_max_packet_size(Some(1 << 20));
    let (client, mut connection) = AsyncClient::new(options, 10);

    client.subscribe(STATES.replace("{device}", "+"), QoS::AtLeastOnce).await?;
    publish(&client, "d7", "on", PublishProperties::default()).await?;

    // Nothing moves unless somebody polls.
    loop {
        match connection.poll().await? {
            Event::Incoming(Packet::Publish(state)) => {
                store(&state).await?;
                let ack = client.ack(&state);
                throughline::settle("ack").destination_template(STATES).run(&state, ack).await?;
            }
            // Here a service would go on.
            Event::Outgoing(rumqttc::Outgoing::PubAck(_)) => return Ok(()),
            _ => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut watched = Ok(());
    // A service has a `tracing` subscriber or a global tracer provider in its place.
    let traces = testing::capture(async { watched = watch().await }).await;
    println!("\n{traces}");
    watched
}
