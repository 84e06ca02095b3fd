//! Kafka, by the cluster that librdkafka brings: it lives in the test's own process.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;

use super::Broker;

pub(crate) struct Cluster(MockCluster<'static, DefaultProducerContext>);

impl Cluster {
    pub(crate) fn new() -> Self {
        Self(MockCluster::new(1).expect("a cluster"))
    }
}

/// Its only broker can't be reached for a while, which is all that clients see of a restart.
impl Broker for Cluster {
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
