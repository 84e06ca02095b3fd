//! The example service `orders` with its web and its worker as processes of their own and a broker between
//! them: a worker is killed, a broker is restarted, and no order is lost.

#[cfg(feature = "kafka")]
mod cluster;
mod collector;
mod own_server;
mod process;
mod shop;
mod story;

use std::future::Future;
use std::time::Duration;

use libtest_mimic::Trial;
use throughline_test_brokers::trial;
use tokio::time::timeout;

#[cfg(feature = "kafka")]
use cluster::Cluster;
use own_server::{Kind, OwnServer};
use shop::Shop;
use story::Story;

/// How long anything that is waited for may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// The tests of the example.
pub(crate) fn trials() -> Vec<Trial> {
    let mut all = collector::trials();
    for kind in [Kind::Mosquitto, Kind::Nats, Kind::RabbitMq, Kind::Redis] {
        all.extend(both(kind.scheme(), kind.missing(), Some(2), move || OwnServer::start(kind)));
    }
    #[cfg(feature = "kafka")]
    all.extend(both("kafka", None, None, async || Cluster::new()));
    all
}

/// Both tests on a broker, which says of an order that comes again that it is the `second` attempt, or
/// does not count.
fn both<B: Broker>(
    name: &str,
    missing: Option<String>,
    second: Option<u64>,
    start: impl AsyncFn() -> B + Copy + Send + 'static,
) -> [Trial; 2] {
    let killed = format!("orders::a_killed_worker_loses_no_order_on_{name}");
    let restarted = format!("orders::a_restarted_broker_loses_no_order_on_{name}");
    [
        trial(killed, missing.clone(), move || {
            run(async { a_killed_worker_loses_no_order(start().await, second).await });
        }),
        trial(restarted, missing, move || {
            run(async { a_restarted_broker_loses_no_order(start().await).await });
        }),
    ]
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let in_time = async { timeout(4 * PATIENCE, test).await.expect("in time") };
    runtime.expect("a runtime").block_on(in_time);
}

/// Payment, reservation, newsletter, invoice and the sales.
const HANDLERS: usize = 5;

async fn a_killed_worker_loses_no_order(broker: impl Broker, second: Option<u64>) {
    let shop = Shop::on(&broker.url()).await;
    // It does not get any further: it will be killed in the middle of every handler.
    let mut slow = shop.worker(Some(PATIENCE * 100)).await;
    let web = shop.web().await;
    web.place("A-1").await;
    slow.until_said("at work", HANDLERS).await;
    web.place("A-2").await;
    slow.kill().await;
    web.place("A-3").await;
    let worker = shop.worker(None).await;

    let story = shop.story_of(&["A-1", "A-2", "A-3"]).await;
    for order in ["A-1", "A-2", "A-3"] {
        story.assert_is_joined(order);
        story.assert_is_settled(order);
    }
    match second {
        Some(attempt) => story.assert_every_handler_made_attempt("A-1", attempt),
        None => story.assert_nobody_counts_attempts("A-1"),
    }
    worker.stop().await;
    web.stop().await;
}

/// A broker that can be stopped, and started again with what it had.
trait Broker {
    fn url(&self) -> String;
    async fn stop(&mut self);
    async fn start_again(&mut self);
}

async fn a_restarted_broker_loses_no_order(mut broker: impl Broker) {
    let shop = Shop::on(&broker.url()).await;
    let mut worker = shop.worker(Some(Duration::from_millis(300))).await;
    let web = shop.web().await;
    web.place("A-1").await;
    web.place("A-2").await;
    web.place("A-3").await;
    worker.until_said("at work", 1).await;
    broker.stop().await;
    web.is_refused("B-1").await;
    broker.start_again().await;
    web.place_in_the_end("A-4").await;

    let story = shop.story_of(&["A-1", "A-2", "A-3", "A-4"]).await;
    for order in ["A-1", "A-2", "A-3", "A-4"] {
        story.assert_is_joined(order);
    }
    worker.stop().await;
    web.stop().await;
}
