//! Redis: a stream, and a consumer group of it for each group.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{io, process};

use redis::aio::{ConnectionManager, ConnectionManagerConfig, MultiplexedConnection};
use redis::streams::{StreamAutoClaimOptions, StreamId, StreamReadOptions};
use redis::{AsyncConnectionConfig, AsyncTypedCommands, Client, RedisResult};
use throughline::clients::redis_1::count_deliveries;
use throughline::{async_producer, settle};

use super::{Inbox, OfGroup, PATIENCE, Place, Supply};
use crate::order::Order;
use crate::topic::{Subscription, Topic, Unavailable};

/// The field of an entry that has the order; its context is in fields beside it.
const ORDER: &str = "order";

pub struct Redis {
    stream: OrderStream,
    supply: Supply,
}

#[derive(Clone)]
struct OrderStream {
    client: Client,
    /// For all but reading, which blocks. It connects when it has to.
    connection: ConnectionManager,
    key: String,
    redeliver_after: Duration,
}

#[async_producer(system = "redis", destination = "orders", operation = "publish")]
async fn publish(
    stream: &OrderStream,
    #[message] fields: Vec<(String, Vec<u8>)>,
) -> RedisResult<()> {
    stream.connection.clone().xadd(&stream.key, "*", &fields).await?;
    Ok(())
}

impl Redis {
    pub fn new(place: Place) -> io::Result<Self> {
        let client = Client::open(place.url).map_err(io::Error::other)?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(2)
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let connection = client.get_connection_manager_lazy(config).map_err(io::Error::other)?;
        let (key, redeliver_after) = (place.topic, place.redeliver_after);
        let stream = OrderStream { client, connection, key, redeliver_after };
        Ok(Self { stream, supply: Supply::new() })
    }
}

impl Topic for Redis {
    async fn send(&self, order: Order) -> Result<(), Unavailable> {
        let fields = vec![(ORDER.to_owned(), order.to_json())];
        publish(&self.stream, fields).await.map_err(Unavailable::because)
    }

    async fn subscribe(
        &self,
        group: &'static str,
        most: usize,
    ) -> Result<Subscription, Unavailable> {
        let stream = self.stream.clone();
        self.supply.subscribe(group, most, move |inbox| stream.clone().give_to(group, inbox)).await
    }

    fn close(&self) {
        self.supply.close();
    }
}

impl OrderStream {
    async fn give_to(self, group: &'static str, mut inbox: Inbox) -> RedisResult<()> {
        const WAIT: Duration = Duration::from_millis(500);
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(WAIT + PATIENCE));
        let mut reader = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        match reader.xgroup_create_mkstream(&self.key, group, "0").await {
            // It is there already.
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            made => made?,
        }
        inbox.ready();
        let worker = worker();
        loop {
            let room = inbox.room().await;
            for order in self.claim(&mut reader, group, &worker, room).await? {
                self.deliver(order, group, &inbox).await;
            }
            let room = inbox.room().await;
            let options = StreamReadOptions::default().group(group, &worker);
            let options = options.count(room).block(usize::try_from(WAIT.as_millis()).unwrap_or(1));
            let read = reader.xread_options(&[&self.key], &[">"], &options).await?;
            for order in read.into_iter().flat_map(|read| read.keys).flat_map(|key| key.ids) {
                self.deliver(order, group, &inbox).await;
            }
        }
    }

    /// Takes over what another worker has left undone for too long, and learns how often it was
    /// delivered.
    async fn claim(
        &self,
        reader: &mut MultiplexedConnection,
        group: &str,
        worker: &str,
        room: usize,
    ) -> RedisResult<Vec<StreamId>> {
        let after = usize::try_from(self.redeliver_after.as_millis()).unwrap_or(usize::MAX);
        let options = StreamAutoClaimOptions::default().count(room);
        let reply =
            reader.xautoclaim_options(&self.key, group, worker, after, "0-0", options).await?;
        let mut orders = reply.claimed;
        if let [first, .., last] | [first @ last] = &orders[..] {
            let (first, last) = (first.id.clone(), last.id.clone());
            let pending =
                reader.xpending_consumer_count(&self.key, group, first, last, room, worker).await?;
            count_deliveries(&mut orders, &pending);
        }
        Ok(orders)
    }

    async fn deliver(&self, order: StreamId, group: &'static str, inbox: &Inbox) {
        let payload = order.get::<Vec<u8>>(ORDER).unwrap_or_default();
        let order = Arc::new(OfGroup { group, message: order });
        let acknowledge = {
            let (order, mut connection, key) =
                (Arc::clone(&order), self.connection.clone(), self.key.clone());
            async move {
                let ids = [&order.message.id];
                let ack = connection.xack(&key, group, &ids);
                settle("ack").destination("orders").run(&order, ack).await.map(|_| ())
            }
        };
        inbox.deliver(&payload, order, acknowledge).await;
    }
}

/// A name that no other worker has, now or later: what it has left undone is not its successor's.
fn worker() -> String {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("worker-{}-{}", process::id(), since_1970.as_millis())
}
