//! An outbox in PostgreSQL. An order and the message about it are written in one transaction; a relay sends
//! the message later. The handler continues the trace of the write, not that of the relay.
//!
//! ```sh
//! cargo run -p throughline-examples --features postgresql --example outbox
//! ```
//!
//! `DATABASE_URL` says where the database is. The tables are temporary.

use std::env;
use std::error::Error;

use sqlx::{Connection, FromRow, PgConnection};
use throughline::{Message, TraceContext, Traced, async_consumer, async_producer, testing};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, error::SendError, unbounded_channel};
use tracing::Instrument;

/// Stands for the broker's topic.
type Topic = UnboundedSender<Traced<String>>;

#[derive(Message, FromRow)]
#[message(system = "postgresql", destination = "outbox")]
struct Waiting {
    #[message(id)]
    id: i64,
    item: String,
    #[message(headers)]
    trace: TraceContext,
}

/// Handles a request: the span `create orders` is the one that the message's handlers relate to.
async fn place_order(db: &mut PgConnection, item: &str) -> sqlx::Result<()> {
    let mut message = Traced::new(item);
    throughline::create("place_order").destination("orders").run_sync(&mut message, |_| ());

    let mut both = db.begin().await?;
    sqlx::query("INSERT INTO orders (item) VALUES ($1)").bind(item).execute(&mut *both).await?;
    let outbox = sqlx::query("INSERT INTO outbox (item, trace) VALUES ($1, $2)");
    outbox.bind(item).bind(message.context()).execute(&mut *both).await?;
    both.commit().await
}

/// Sends what waits. Should it die before the commit, it sends again: each message at least once.
async fn relay(db: &mut PgConnection, topic: &Topic) -> Result<(), Box<dyn Error>> {
    let mut taken = db.begin().await?;
    let waiting = sqlx::query_as(
        "DELETE FROM outbox WHERE id IN (
             SELECT id FROM outbox ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED
         ) RETURNING id, item, trace",
    );
    let poll = throughline::receive("poll").system("postgresql").destination("outbox");
    let waiting: Vec<Waiting> = poll.run(waiting.fetch_all(&mut *taken)).await?;
    for message in waiting {
        tracing::info!(message.id, "relayed");
        publish(topic, Traced::with_context(message.item, message.trace))?;
    }
    Ok(taken.commit().await?)
}

/// The context that the message has was chosen when it was written: it stays, and is linked.
#[async_producer(destination = "orders")]
fn publish(
    topic: &Topic,
    #[message] order: Traced<String>,
) -> Result<(), SendError<Traced<String>>> {
    topic.send(order)
}

#[async_consumer(continue, destination = "orders")]
async fn pack(order: Traced<String>) {
    tracing::info!("packed {}", *order);
}

async fn pack_all(mut orders: UnboundedReceiver<Traced<String>>) {
    while let Some(order) = orders.recv().await {
        pack(order).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("DATABASE_URL").unwrap_or("postgres://postgres@127.0.0.1/test".to_owned());
    let mut db = PgConnection::connect(&url).await?;
    let tables = "
        CREATE TEMPORARY TABLE orders (item text NOT NULL);
        CREATE TEMPORARY TABLE outbox (
            id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            item  text NOT NULL,
            trace jsonb
        )";
    sqlx::raw_sql(tables).execute(&mut db).await?;

    let mut result = Ok(());
    let traces = testing::capture(async {
        result = serve(&mut db).await;
    })
    .await;
    println!("{traces}");
    result
}

async fn serve(db: &mut PgConnection) -> Result<(), Box<dyn Error>> {
    let (topic, orders) = unbounded_channel();
    let request = tracing::info_span!("POST /orders");
    place_order(db, "two lemons").instrument(request).await?;
    relay(db, &topic).instrument(tracing::info_span!("relay")).await?;
    drop(topic); // there will be no more orders
    pack_all(orders).await;
    Ok(())
}
