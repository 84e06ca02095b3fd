//! Kafka, by rdkafka: each test has a cluster of its own, in this process, which librdkafka brings. Its
//! records all have the same time.

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use futures_util::TryStreamExt;
use libtest_mimic::Trial;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::FutureExt;
use opentelemetry::{Context, KeyValue, Value as Attribute};
use rdkafka::ClientContext;
use rdkafka::Message as _;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer,
};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders, OwnedMessage};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{
    BaseProducer, BaseRecord, DefaultProducerContext, FutureProducer, FutureRecord, Producer,
};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::util::millis_to_epoch;
use serde_json::{Value, json};
use throughline::testing::{Capture, Span, Traces};
use throughline::{async_consumer, async_producer};
use throughline_test_brokers::trial;
use throughline_tests::{OTHER_SENDER, SENDER, baggage, in_both_worlds};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::python::{self, Python};

/// The tests of this client.
pub(crate) fn trials() -> Vec<Trial> {
    let tests: [(&str, fn()); 10] = [
        ("a_record_tells_all_that_it_knows", a_record_tells_all_that_it_knows),
        ("a_tombstone_says_so", a_tombstone_says_so),
        (
            "a_record_of_a_base_producer_is_read_as_owned",
            a_record_of_a_base_producer_is_read_as_owned,
        ),
        ("a_poll_and_a_commit_link_to_the_sender", a_poll_and_a_commit_link_to_the_sender),
        ("what_was_not_committed_comes_again", what_was_not_committed_comes_again),
        (
            "a_group_shares_its_records_after_a_rebalance",
            a_group_shares_its_records_after_a_rebalance,
        ),
        ("a_batch_of_a_stream_links_to_each_sender", a_batch_of_a_stream_links_to_each_sender),
        ("headers_of_other_libraries_are_read", headers_of_other_libraries_are_read),
        ("a_forwarded_record_keeps_its_other_headers", a_forwarded_record_keeps_its_other_headers),
        ("no_send_fails_for_its_headers", no_send_fails_for_its_headers),
    ];
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
/// How long may be waited for anything.
const PATIENCE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

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
        // After this long the cluster takes a member that has gone for gone.
        config.set("session.timeout.ms", "6000").set("heartbeat.interval.ms", "500");
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
    let body = async { timeout(PATIENCE, body()).await.expect("in time") };
    runtime.expect("a runtime").block_on(capture.run(body))
}

#[async_producer]
async fn publish(
    producer: &FutureProducer,
    #[message] record: FutureRecord<'_, str, str>,
) -> Result<(), KafkaError> {
    let delivered = producer.send(record, PATIENCE).await;
    delivered.map(|_| ()).map_err(|(error, _)| error)
}

#[async_consumer(continue, consumer_group = GROUP)]
async fn charge_card(order: &BorrowedMessage<'_>) -> Option<String> {
    assert_eq!(order.topic(), TOPIC);
    baggage("tenant")
}

type Pair<'a> = (&'a str, Option<&'a [u8]>);
type Pairs<'a> = &'a [Pair<'a>];

/// A record with these headers, which somebody else has written.
fn from<'a>(headers: Pairs<'_>, payload: &'a str) -> FutureRecord<'a, str, str> {
    let insert =
        |all: OwnedHeaders, (key, value): &Pair<'_>| all.insert(Header { key, value: *value });
    let headers = headers.iter().fold(OwnedHeaders::new(), insert);
    FutureRecord::to(TOPIC).payload(payload).headers(headers)
}

/// Sends a record as it is: somebody else's.
async fn send(producer: &FutureProducer, record: FutureRecord<'_, str, str>) {
    producer.send(record, PATIENCE).await.expect("it is sent");
}

fn offset(span: Span<'_>) -> i64 {
    match span.attribute("messaging.kafka.offset") {
        Some(Attribute::I64(offset)) => *offset,
        other => panic!("no offset: {other:?}"),
    }
}

fn a_record_tells_all_that_it_knows() {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let traces = captured(capture, || async {
            let record = FutureRecord::to(TOPIC).key("order-7").payload("two lemons").partition(1);
            let an_hour_ago = SystemTime::now() - HOUR;
            let record = record.timestamp(millis_to_epoch(an_hour_ago));
            publish(&kafka.producer(), record).await.expect("it is sent");
            let consumer = kafka.reader();
            charge_card(&consumer.recv().await.expect("a record")).await;
        });
        traces
            .span("send orders")
            .is_root()
            .is_kind("producer")
            .has_attribute("messaging.system", "kafka")
            .has_attribute("messaging.destination.name", TOPIC)
            .has_attribute("messaging.destination.partition.id", "1")
            .has_attribute("messaging.kafka.message.key", "order-7")
            .has_attribute("messaging.message.body.size", 10)
            .has_no_attribute("messaging.kafka.message.tombstone")
            .has_no_attribute("messaging.kafka.offset")
            .status_is_unset();
        let process = traces
            .span("process orders")
            .continues("send orders")
            .is_kind("consumer")
            .has_attribute("messaging.system", "kafka")
            .has_attribute("messaging.destination.name", TOPIC)
            .has_attribute("messaging.destination.partition.id", "1")
            .has_attribute("messaging.kafka.offset", 0)
            .has_attribute("messaging.kafka.message.key", "order-7")
            .has_attribute("messaging.message.body.size", 10)
            .has_attribute("messaging.consumer.group.name", GROUP)
            .has_no_attribute("messaging.kafka.message.tombstone")
            .has_no_attribute("throughline.message.attempt");
        let Some(Attribute::F64(age)) = process.attribute("throughline.message.age") else {
            panic!("no age: {:?}", process.data().attributes);
        };
        let at_least = HOUR.as_secs_f64();
        assert!((at_least..at_least + 100.0).contains(age), "{age}");
    });
}

fn a_tombstone_says_so() {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let traces = captured(capture, || async {
            let record: FutureRecord<'_, str, str> = FutureRecord::to(TOPIC).key("order-7");
            publish(&kafka.producer(), record).await.expect("it is sent");
            let consumer = kafka.reader();
            charge_card(&consumer.recv().await.expect("a record")).await;
        });
        for name in ["send orders", "process orders"] {
            traces
                .span(name)
                .has_attribute("messaging.kafka.message.tombstone", true)
                .has_attribute("messaging.kafka.message.key", "order-7")
                .has_no_attribute("messaging.message.body.size");
        }
    });
}

#[async_producer]
fn publish_at_once(
    producer: &BaseProducer,
    #[message] record: BaseRecord<'_, [u8], [u8]>,
) -> Result<(), KafkaError> {
    producer.send(record).map_err(|(error, _)| error)?;
    producer.flush(PATIENCE)
}

#[async_consumer(link)]
fn archive(order: OwnedMessage) -> Option<i64> {
    Some(order.offset())
}

fn a_record_of_a_base_producer_is_read_as_owned() {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let traces = captured(capture, || async {
            let producer: BaseProducer = kafka.config().create().expect("a producer");
            let key = 65_u32.to_be_bytes();
            let record = BaseRecord::to(TOPIC).key(&key[..]).payload(b"two lemons".as_slice());
            publish_at_once(&producer, record).expect("it is sent");
            let consumer = kafka.reader();
            let order = consumer.recv().await.expect("a record").detach();
            assert_eq!(archive(order), Some(0));
        });
        let sent = traces.span("send orders").has_no_attribute("messaging.kafka.message.key");
        sent.has_no_attribute("messaging.destination.partition.id");
        let process = traces.span("process orders").is_root().links_to("send orders").has_links(1);
        process.has_attribute("messaging.kafka.offset", 0);
        process.has_attribute("messaging.message.body.size", 10);
        process.has_no_attribute("messaging.kafka.message.key");
    });
}

fn a_poll_and_a_commit_link_to_the_sender() {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let traces = captured(capture, || async {
            send(&kafka.producer(), from(&[("traceparent", Some(SENDER.as_bytes()))], "a")).await;
            let consumer = kafka.reader();
            let poll = throughline::receive("poll").destination(TOPIC).operation("poll");
            let poll = poll.consumer_group(GROUP);
            let order = poll.run(consumer.recv()).await.expect("a record");
            let commit = throughline::settle("commit").consumer_group(GROUP);
            commit
                .run_sync(&order, || consumer.commit_message(&order, CommitMode::Sync))
                .expect("it is committed");

            // A poll that waits no longer; no record is left.
            let idle: BaseConsumer = kafka.config().create().expect("a consumer");
            let poll = throughline::receive("poll").destination(TOPIC);
            let none = poll.run_sync(|| idle.poll(Duration::ZERO).transpose());
            assert!(none.expect("no failure").is_none());
        });
        traces
            .span("poll orders")
            .is_kind("client")
            .links_to(SENDER)
            .has_links(1)
            .has_attribute("messaging.operation.type", "receive")
            .has_attribute("messaging.kafka.offset", 0)
            .has_attribute("messaging.consumer.group.name", GROUP)
            .has_no_attribute("messaging.batch.message_count");
        traces
            .span("commit orders")
            .is_kind("client")
            .links_to(SENDER)
            .has_links(1)
            .has_attribute("messaging.operation.type", "settle")
            .has_attribute("messaging.kafka.offset", 0)
            .has_attribute("messaging.consumer.group.name", GROUP)
            .has_no_attribute("messaging.message.body.size")
            .has_no_attribute("messaging.kafka.message.key")
            .status_is_unset();
        traces
            .span("receive orders")
            .has_no_links()
            .has_attribute("messaging.batch.message_count", 0);
    });
}

fn what_was_not_committed_comes_again() {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let member = || {
            let consumer: StreamConsumer = kafka.config().create().expect("a consumer");
            consumer.subscribe(&[TOPIC]).expect("a topic");
            consumer
        };
        let traces = captured(capture, || async {
            let producer = kafka.producer();
            for payload in ["first", "second"] {
                let record = FutureRecord::to(TOPIC).payload(payload).partition(0);
                publish(&producer, record).await.expect("it is sent");
            }

            // Goes away before it has told the broker.
            let failing = member();
            charge_card(&failing.recv().await.expect("a record")).await;
            drop(failing);

            let second = member();
            let order = second.recv().await.expect("a record");
            charge_card(&order).await;
            let commit = throughline::settle("commit");
            commit
                .run_sync(&order, || second.commit_message(&order, CommitMode::Sync))
                .expect("it is committed");
            charge_card(&second.recv().await.expect("a record")).await;

            let mut committed = TopicPartitionList::new();
            committed.add_partition(TOPIC, 0);
            let committed = second.committed_offsets(committed, PATIENCE).expect("it is told");
            assert_eq!(committed.elements()[0].offset(), Offset::Offset(1));
        });
        let sent = traces.spans("send orders");
        let parents = |at| -> Vec<_> {
            let handled = traces.spans("process orders").into_iter().filter(|it| offset(*it) == at);
            handled.map(|span| span.parent_span_id().expect("a parent")).collect()
        };
        assert_eq!(parents(0), [sent[0].span_id(), sent[0].span_id()]);
        assert_eq!(parents(1), [sent[1].span_id()]);
        let commit = traces.span("commit orders").has_links(1);
        assert_eq!(commit.links()[0].span_context.span_id(), sent[0].span_id());
    });
}

/// Tells the partitions that a member of a group is given.
struct Telling(UnboundedSender<usize>);

impl ClientContext for Telling {}

impl ConsumerContext for Telling {
    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            // The test may be over.
            let _ = self.0.send(partitions.count());
        }
    }
}

/// Polls, as a member has to if it is to be given partitions, until something else is done.
async fn polling<T>(member: &StreamConsumer<Telling>, until: impl Future<Output = T>) -> T {
    tokio::select! {
        polled = member.recv() => panic!("nothing was sent yet: {polled:?}"),
        done = until => done,
    }
}

fn a_group_shares_its_records_after_a_rebalance() {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let member = || -> (StreamConsumer<Telling>, UnboundedReceiver<usize>) {
            let (sender, partitions) = unbounded_channel();
            let consumer = kafka.config().create_with_context(Telling(sender));
            let consumer: StreamConsumer<Telling> = consumer.expect("a consumer");
            consumer.subscribe(&[TOPIC]).expect("a topic");
            (consumer, partitions)
        };
        let traces = captured(capture, || async {
            let (first, mut of_first) = member();
            assert_eq!(polling(&first, of_first.recv()).await, Some(2));
            let (second, mut of_second) = member();
            let shared = async {
                // On a busy machine one may have gone and come back before.
                while of_first.recv().await.expect("partitions") != 1 {}
                while of_second.recv().await.expect("partitions") != 1 {}
            };
            polling(&first, polling(&second, shared)).await;

            let producer = kafka.producer();
            for partition in 0..2 {
                let record = FutureRecord::to(TOPIC).payload("two lemons").partition(partition);
                publish(&producer, record).await.expect("it is sent");
            }
            charge_card(&first.recv().await.expect("its share")).await;
            charge_card(&second.recv().await.expect("its share")).await;
        });
        let parents = traces.spans("process orders").into_iter().map(Span::parent_span_id);
        let senders = traces.spans("send orders").into_iter().map(|it| Some(it.span_id()));
        let senders: HashSet<_> = senders.collect();
        assert_eq!(senders.len(), 2);
        assert_eq!(parents.collect::<HashSet<_>>(), senders);
    });
}

#[async_consumer(link, consumer_group = GROUP)]
async fn record_sales(sales: &[BorrowedMessage<'_>]) -> Option<usize> {
    Some(sales.len())
}

fn a_batch_of_a_stream_links_to_each_sender() {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let traces = captured(capture, || async {
            let producer = kafka.producer();
            for (sender, key) in [(SENDER, "a1"), (OTHER_SENDER, "a2")] {
                let record = from(&[("traceparent", Some(sender.as_bytes()))], "one lemon");
                send(&producer, record.key(key).partition(0)).await;
            }
            let consumer = kafka.reader();
            // Of what the broker has, the first poll brings all.
            let mut batches = consumer.stream().try_ready_chunks(10);
            let mut sales = Vec::new();
            while sales.len() < 2 {
                sales.extend(batches.try_next().await.expect("no failure").expect("a batch"));
            }
            record_sales(&sales).await;
            let commit = throughline::settle("commit").consumer_group(GROUP);
            commit
                .run_sync(&sales, || consumer.commit_message(&sales[1], CommitMode::Sync))
                .expect("it is committed");
        });
        for name in ["process orders", "commit orders"] {
            traces
                .span(name)
                .is_root()
                .has_links(2)
                .has_attribute("messaging.batch.message_count", 2)
                .has_attribute("messaging.consumer.group.name", GROUP)
                .has_attribute("messaging.destination.partition.id", "0")
                .has_no_attribute("messaging.kafka.offset")
                .has_link_attribute(SENDER, "messaging.kafka.offset", 0)
                .has_link_attribute(OTHER_SENDER, "messaging.kafka.offset", 1);
        }
        traces
            .span("process orders")
            .has_link_attribute(SENDER, "messaging.kafka.message.key", "a1")
            .has_link_attribute(OTHER_SENDER, "messaging.kafka.message.key", "a2")
            .has_attribute("messaging.message.body.size", 9);
    });
}

fn headers_of_other_libraries_are_read() {
    let sender = Some(SENDER.as_bytes());
    let other = Some(OTHER_SENDER.as_bytes());
    let much = "x".repeat(900_000);
    let much = format!("tenant=acme,much={much}");
    let unread = Some("unreadable");
    let nothing = Some("no_context");
    let cases: [(&str, Pairs<'_>, Option<&str>); 9] = [
        ("another casing", &[("Traceparent", sender)], None),
        ("repeated, the last counts", &[("traceparent", other), ("traceparent", sender)], None),
        ("repeated otherwise", &[("TRACEPARENT", other), ("TraceParent", sender)], None),
        ("without a value", &[("traceparent", sender), ("traceparent", None)], None),
        ("junk beside it", &[("traceparent", sender), ("\u{1F34B}", Some(&[0xff, 0, 0xfe]))], None),
        ("much baggage", &[("traceparent", sender), ("baggage", Some(much.as_bytes()))], None),
        ("bytes that are no text", &[("traceparent", Some(&[0xff; 55]))], unread),
        ("none", &[("shop", Some(b"corner"))], nothing),
        ("no value alone", &[("traceparent", None)], nothing),
    ];
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let traces = captured(capture, || async {
            let producer = kafka.producer();
            let consumer = kafka.reader();
            for (what, headers, _) in &cases {
                send(&producer, from(headers, what).partition(0)).await;
                let order = consumer.recv().await.expect("a record");
                assert_eq!(order.payload(), Some(what.as_bytes()));
                charge_card(&order).await;
            }
        });
        let mut handled = traces.spans("process orders");
        handled.sort_by_key(|span| offset(*span));
        assert_eq!(handled.len(), cases.len());
        for (span, (what, _, reason)) in handled.into_iter().zip(cases) {
            let told = span.attribute("throughline.relation.reason").map(ToString::to_string);
            assert_eq!((what, told.as_deref()), (what, reason));
            match reason {
                None => span.continues(SENDER),
                Some(_) => span.is_root(),
            };
        }
    });
}

#[async_producer(destination = "archive")]
async fn forward(producer: &FutureProducer, #[message] order: FutureRecord<'_, [u8], [u8]>) {
    producer.send(order, PATIENCE).await.expect("it is sent");
}

fn a_forwarded_record_keeps_its_other_headers() {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let headers: [Pair<'_>; 5] = [
            ("shop", Some(b"corner")),
            ("TraceParent", Some(SENDER.as_bytes())),
            ("photo", Some(&[0xff, 0, 0xfe])),
            ("gone", None),
            ("shop", Some(b"")),
        ];
        let traces = captured(capture, || async {
            let producer = kafka.producer();
            send(&producer, from(&headers, "two lemons").partition(0)).await;
            let consumer = kafka.reader();
            let order = consumer.recv().await.expect("a record");
            let mut handler = throughline::consume("forward").continue_().start(&order);
            let copy = FutureRecord::to(TOPIC).payload(order.payload().expect("a payload"));
            let copy = copy.headers(order.headers().expect("headers").detach()).partition(1);
            handler.run(forward(&producer, copy)).await;
            handler.finish(throughline::Outcome::ok());

            let copied = consumer.recv().await.expect("its copy");
            assert_eq!(copied.partition(), 1);
            let copied = copied.headers().expect("headers");
            let copied: Vec<_> = copied.iter().map(|it| (it.key, it.value)).collect();
            assert_eq!(copied[..4], [headers[0], headers[2], headers[3], headers[4]]);
            assert_eq!(copied[4].0, "traceparent");
            assert_ne!(copied[4].1, headers[1].1);
            assert_eq!(copied.len(), 5);
        });
        // What came with the order was not chosen for its copy.
        traces
            .span("send archive")
            .is_child_of("process orders")
            .is_kind("producer")
            .has_no_links();
    });
}

fn no_send_fails_for_its_headers() {
    in_both_worlds(|capture| {
        let kafka = Kafka::new();
        let mut kept = Vec::new();
        captured(capture, || async {
            let producer = kafka.producer();
            let consumer = kafka.reader();
            // From one that has room for all headers to one that is too large by itself.
            for size in (999_800..=1_000_000).step_by(10) {
                let payload = &*"x".repeat(size);
                let bare = FutureRecord::<str, _>::to(TOPIC).payload(payload).partition(0);
                let fits = producer.send(bare, PATIENCE).await.is_ok();
                let record = FutureRecord::to(TOPIC).payload(payload).partition(1);
                let sent = publish(&producer, record).await;
                if fits {
                    sent.expect("a send does not fail for its headers");
                    for _ in 0..2 {
                        let order = consumer.recv().await.expect("a record");
                        if order.partition() == 1 {
                            kept.push(order.headers().is_some());
                        }
                    }
                } else {
                    let too_large = RDKafkaErrorCode::MessageSizeTooLarge;
                    assert_eq!(sent, Err(KafkaError::MessageProduction(too_large)));
                }
            }
        });
        assert!(kept.first() == Some(&true) && kept.last() == Some(&false), "{kept:?}");
        assert!(kept.is_sorted_by(|one, next| one >= next), "{kept:?}");
    });
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
            let tenant = [KeyValue::new("tenant", "Größe & Söhne, Hamburg")];
            let tenant = Context::current().with_baggage(tenant);
            let producer = kafka.producer();
            let sent = publish(&producer, record.headers(headers)).with_context(tenant);
            sent.await.expect("it is sent");
        });
        let send = traces.span("send orders");
        let charge = script.span("charge");
        let record = script.told("record");
        let process = script.span("orders process");
        script.finish();

        let ours = json!({
            "trace_id": send.trace_id().to_string(),
            "span_id": send.span_id().to_string(),
        });
        assert_eq!(process["links"], json!([ours]));
        let traceparent = format!("00-{}-{}-01", send.trace_id(), send.span_id());
        assert_eq!(record["headers"][0], json!(["shop", "corner"]));
        assert_eq!(record["headers"][1], json!(["traceparent", traceparent]));
        assert_eq!(record["baggage"], json!({ "tenant": "Größe & Söhne, Hamburg" }));
        // What is done there with the record belongs to its handling.
        assert_eq!(charge["parent"], ids(&process));
    });
}

/// Where a span is, of the facts that a script tells of it.
fn ids(span: &Value) -> Value {
    json!({ "trace_id": span["trace_id"], "span_id": span["span_id"] })
}
