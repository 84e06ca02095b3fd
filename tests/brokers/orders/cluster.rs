//! Kafka, by the cluster that librdkafka brings: it lives in the test's own process.

use libtest_mimic::Trial;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use throughline_test_brokers::trial;

use super::{Restarted, a_killed_worker_loses_no_order, a_restarted_broker_loses_no_order, run};

pub(crate) fn trials() -> Vec<Trial> {
    let killed = || {
        let cluster = Cluster::new();
        run(a_killed_worker_loses_no_order(cluster.url(), None));
    };
    let restarted = || run(async { a_restarted_broker_loses_no_order(Cluster::new()).await });
    vec![
        trial("orders::a_killed_worker_loses_no_order_on_kafka", None, killed),
        trial("orders::a_restarted_broker_loses_no_order_on_kafka", None, restarted),
    ]
}

struct Cluster(MockCluster<'static, DefaultProducerContext>);

impl Cluster {
    fn new() -> Self {
        Self(MockCluster::new(1).expect("a cluster"))
    }
}

/// Its only broker can't be reached for a while, which is all that clients see of a restart.
impl Restarted for Cluster {
    fn url(&self) -> String {
        format!("kafka://{}", self.0.bootstrap_servers())
    }

    async fn stop(&mut self) {
        self.0.broker_down(1).expect("it is up");
    }

    async fn start_again(&mut self) {
        self.0.broker_up(1).expect("it is down");
    }
}
