//! Kafka, by rdkafka: each test has a cluster of its own, in this process, which librdkafka brings. Its
//! records all have the same time.

use std::time::Duration;

use libtest_mimic::Trial;
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use throughline::testing::{Capture, Traces};
use throughline::{async_consumer, async_producer};
use throughline_test_brokers::trial;
use throughline_tests::{baggage, in_both_worlds};
use tokio::time::timeout;

use crate::python::{self, Python};

/// The tests of this client.
pub(crate) fn trials() -> Vec<Trial> {
    let tests: [(&str, fn()); 0] = [];
    let alone = tests.map(|(name, test)| trial(format!("kafka::{name}"), None, test));
    let with_python = python::trials(
        "kafka",
        None,
        &[
            ("a_record_from_python_is_continued_here", a_record_from_python_is_continued_here),
            ("a_record_from_here_is_linked_in_python", a_record_from_here_is_linked_in_python),
        ],
    );
    alone.into_iter().chain(with_python).collect()
}

const TOPIC: &str = "orders";
const GROUP: &str = "billing";

struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl Kafka {
    fn new() -> Self {
        let cluster = MockCluster::new(1).expect("a cluster");
        cluster.create_topic(TOPIC, 2, 1).expect("a topic");
        Self { cluster }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.cluster.bootstrap_servers());
        config.set("group.id", GROUP).set("enable.auto.commit", "false");
        config.set("auto.offset.reset", "earliest");
        config
    }

    fn producer(&self) -> FutureProducer {
        self.config().create().expect("a producer")
    }

    /// Reads all partitions from the start, without the seconds that a group takes to gather.
    fn reader(&self) -> StreamConsumer {
        let reader: StreamConsumer = self.config().create().expect("a consumer");
        let mut partitions = TopicPartitionList::new();
        for partition in 0..2 {
            partitions
                .add_partition_offset(TOPIC, partition, Offset::Beginning)
                .expect("a partition");
        }
        reader.assign(&partitions).expect("it is there");
        reader
    }
}

/// Captures what happens in `body`, which must not take long.
fn captured<F: Future>(capture: Capture, body: impl FnOnce() -> F) -> Traces {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let body = async { timeout(Duration::from_mins(1), body()).await.expect("in time") };
    runtime.expect("a runtime").block_on(capture.run(body))
}

#[async_producer]
async fn publish(
    producer: &FutureProducer,
    #[message] record: FutureRecord<'_, str, str>,
) -> Result<(), KafkaError> {
    let delivered = producer.send(record, Duration::ZERO).await;
    delivered.map(|_| ()).map_err(|(error, _)| error)
}

#[async_consumer(continue, consumer_group = GROUP)]
async fn charge_card(order: &BorrowedMessage<'_>) -> Option<String> {
    assert_eq!(order.topic(), TOPIC);
    baggage("tenant")
}

fn a_record_from_python_is_continued_here(python: &Python) {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let servers = kafka.cluster.bootstrap_servers();
        let mut script = python.start("kafka.py", &["produce", &servers, TOPIC]);
        let traces = captured(capture, || async {
            let consumer = kafka.reader();
            let order = consumer.recv().await.expect("a record");
            assert_eq!(order.payload(), Some(b"two lemons".as_slice()));
            assert_eq!(charge_card(&order).await.as_deref(), Some("Größe&Söhne,Hamburg"));
        });
        let sent = script.span("orders send");
        let request = script.span("request");
        assert_eq!(sent["parent"], ids(&request));
        script.finish();

        let process = traces.span("process orders").has_links(1);
        process.has_attribute("messaging.kafka.message.key", "order-7");
        let link = &process.links()[0].span_context;
        assert_eq!(json!(process.trace_id().to_string()), sent["trace_id"]);
        assert_eq!(json!(process.parent_outside().map(|it| it.to_string())), sent["span_id"]);
        assert_eq!(json!(link.trace_id().to_string()), sent["trace_id"]);
        assert_eq!(json!(link.span_id().to_string()), sent["span_id"]);
    });
}

fn a_record_from_here_is_linked_in_python(python: &Python) {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let servers = kafka.cluster.bootstrap_servers();
        let mut script = python.start("kafka.py", &["consume", &servers, TOPIC]);
        let traces = captured(capture, || async {
            let headers = OwnedHeaders::new();
            let headers = headers.insert(Header { key: "shop", value: Some("corner") });
            let record = FutureRecord::to(TOPIC).key("order-7").payload("two lemons");
            publish(&kafka.producer(), record.headers(headers)).await.expect("it is sent");
        });
        let send = traces.span("send orders");
        let record = script.told("record");
        let process = script.span("orders process");
        script.finish();

        let ours = json!({
            "trace_id": send.trace_id().to_string(),
            "span_id": send.span_id().to_string(),
        });
        assert_eq!(process["links"], json!([ours]));
        let traceparent = format!("00-{}-{}-01", send.trace_id(), send.span_id());
        let headers = json!([["shop", "corner"], ["traceparent", traceparent]]);
        assert_eq!(record["headers"], headers);
    });
}

/// Where a span is, of the facts that a script tells of it.
fn ids(span: &Value) -> Value {
    json!({ "trace_id": span["trace_id"], "span_id": span["span_id"] })
}
