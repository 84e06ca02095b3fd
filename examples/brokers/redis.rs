//! An order sent and handled by way of a Redis stream, and the trace that is left of it.
//!
//!     cargo run --example redis
//!
//! `REDIS_URL` says where the server is, if not at `redis://127.0.0.1`.

use std::env;
use std::error::Error;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamId, StreamReadOptions};
use redis::{AsyncTypedCommands, Client, RedisResult};
use throughline::{async_consumer, async_producer, testing};

const STREAM: &str = "throughline-example-orders";
const GROUP: &str = "billing";

#[async_producer(system = "redis", destination = STREAM)]
async fn place_order(
    redis: &mut MultiplexedConnection,
    #[message] fields: Vec<(String, String)>,
) -> RedisResult<Option<String>> {
    redis.xadd(STREAM, "*", &fields).await
}

#[async_consumer(continue, destination = STREAM, consumer_group = GROUP)]
async fn charge_card(order: &StreamId) {
    println!("charged for {}", order.get::<String>("item").unwrap_or_default());
}

async fn sell() -> Result<(), Box<dyn Error>> {
    let server = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1".to_owned());
    let mut redis = Client::open(server)?.get_multiplexed_async_connection().await?;
    match redis.xgroup_create_mkstream(STREAM, GROUP, "0").await {
        Err(error) if error.code() != Some("BUSYGROUP") => return Err(error.into()),
        _ => {} // it is there now, or was before
    }

    place_order(&mut redis, vec![("item".to_owned(), "two lemons".to_owned())]).await?;

    let options = StreamReadOptions::default().group(GROUP, "worker").count(10).block(5_000);
    let poll = throughline::receive("read").destination(STREAM).consumer_group(GROUP);
    let read = poll.run(redis.xread_options(&[STREAM], &[">"], &options)).await?;
    let streams = read.ok_or("no order came")?.keys;
    for order in streams.iter().flat_map(|stream| &stream.ids) {
        charge_card(order).await;
        let ack = throughline::settle("ack").destination(STREAM).consumer_group(GROUP);
        ack.run(order, redis.xack(STREAM, GROUP, &[&order.id])).await?;
    }
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
