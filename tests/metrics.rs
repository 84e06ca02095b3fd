//! What is measured, held against the spans of the same run.
//!
//! The global meter provider is the process's, so these tests run one after another, each with a
//! provider of its own. That every one of them is honoured shows that one installed late is.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::metrics::data::{AggregatedMetrics, MetricData};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::Sampler;
use throughline::testing::{Capture, Span, Traces};
use throughline::{
    Facts, HeaderReader, Message, MessageMut, Outcome, Relation, TraceContext, Traced,
    async_consumer, async_producer,
};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, from, headers, in_both_worlds, work_for};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

const PROCESS: &str = "messaging.process.duration";
const OPERATION: &str = "messaging.client.operation.duration";
const SENT: &str = "messaging.client.sent.messages";
const CONSUMED: &str = "messaging.client.consumed.messages";
const WAIT: &str = "throughline.message.wait.duration";
const HANDLED: &str = "throughline.message.handled.duration";
const RELATIONS: &str = "throughline.relations";
const LEFT_OUT: &str = "throughline.links.left_out";

/// The attributes of one point, by key.
type Attributes = BTreeMap<String, String>;

/// One point: a sum with its value, or a histogram with its count and its seconds.
#[derive(Debug, Clone)]
struct Point {
    metric: String,
    unit: String,
    attributes: Attributes,
    count: u64,
    seconds: f64,
    bounds: Vec<f64>,
}

#[derive(Debug)]
struct Metrics(Vec<Point>);

impl Metrics {
    fn all(&self, metric: &str) -> Vec<&Point> {
        self.0.iter().filter(|point| point.metric == metric).collect()
    }

    fn one(&self, metric: &str) -> &Point {
        match self.all(metric)[..] {
            [point] => point,
            ref points => panic!("not one point of {metric} but {points:#?}"),
        }
    }

    fn total(&self, metric: &str) -> u64 {
        self.all(metric).iter().map(|point| point.count).sum()
    }

    fn has_none_of(&self, metrics: &[&str]) {
        for metric in metrics {
            assert!(self.all(metric).is_empty(), "{metric} in {self:#?}");
        }
    }
}

fn attributes<'a>(all: impl Iterator<Item = &'a KeyValue>) -> Attributes {
    all.map(|it| (it.key.to_string(), it.value.to_string())).collect()
}

fn is(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn points_in(exporter: &InMemoryMetricExporter) -> Metrics {
    let mut points = Vec::new();
    for resource in exporter.get_finished_metrics().expect("an exporter in memory") {
        for scope in resource.scope_metrics() {
            assert_eq!(scope.scope().name(), "throughline");
            assert_eq!(scope.scope().schema_url(), Some("https://opentelemetry.io/schemas/1.44.0"));
            for metric in scope.metrics() {
                let point = |attributes, count, seconds, bounds| Point {
                    metric: metric.name().to_owned(),
                    unit: metric.unit().to_owned(),
                    attributes,
                    count,
                    seconds,
                    bounds,
                };
                match metric.data() {
                    AggregatedMetrics::U64(MetricData::Sum(sum)) => {
                        assert!(sum.is_monotonic());
                        points.extend(sum.data_points().map(|it| {
                            point(attributes(it.attributes()), it.value(), 0.0, Vec::new())
                        }));
                    }
                    AggregatedMetrics::F64(MetricData::Histogram(histogram)) => {
                        points.extend(histogram.data_points().map(|it| {
                            let bounds = it.bounds().collect();
                            point(attributes(it.attributes()), it.count(), it.sum(), bounds)
                        }));
                    }
                    other => panic!("{} is neither: {other:?}", metric.name()),
                }
            }
        }
    }
    Metrics(points)
}

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Installs a provider of its own, captures what `body` makes, and gives what was measured.
fn measure(capture: Capture, body: impl FnOnce()) -> (Traces, Metrics) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    global::set_meter_provider(provider.clone());
    let traces = capture.run_sync(body);
    provider.force_flush().expect("it takes no time");
    let metrics = points_in(&exporter);
    provider.shutdown().expect("it takes no time");
    (traces, metrics)
}

fn run<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

fn seconds(span: Span<'_>) -> f64 {
    let data = span.data();
    data.end_time.duration_since(data.start_time).unwrap_or_default().as_secs_f64()
}

/// What a broker's client would hand out: it tells much, and much of it of many values.
#[derive(Debug, Default)]
struct Record {
    headers: Headers,
    template: Option<&'static str>,
    partition: Option<&'static str>,
    sent: Option<SystemTime>,
}

impl Record {
    fn unsent(&self) -> Self {
        let Self { template, partition, sent, .. } = *self;
        Self { headers: Headers::new(), template, partition, sent }
    }

    fn sent_ago(seconds: u64) -> Self {
        let sent = SystemTime::now() - Duration::from_secs(seconds);
        Self { headers: from(SENDER), sent: Some(sent), ..Self::default() }
    }
}

impl Message for Record {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.system("kafka").destination("orders.4711").id("a1").conversation_id("c7").attempt(2);
        facts.body_size(12);
        if let Some(template) = self.template {
            facts.destination_template(template);
        }
        if let Some(partition) = self.partition {
            facts.partition(partition).subscription("all-orders");
        }
        if let Some(sent) = self.sent {
            facts.sent_at(sent);
        }
    }
}

impl MessageMut for Record {
    fn set_header(&mut self, name: &str, value: &str) {
        self.headers.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.headers.remove_header(name);
    }
}

#[async_consumer(link, destination = "handled", system = "shop")]
async fn handle(message: Headers) -> Result<(), std::fmt::Error> {
    work_for(Duration::from_millis(30));
    if message.len() > 1 { Err(std::fmt::Error) } else { Ok(()) }
}

#[async_producer(destination = "published", system = "shop", operation = "publish")]
fn publish(message: &mut Headers) -> Result<(), String> {
    if message.iter().any(|(name, _)| name == "bad") { Err("bad".to_owned()) } else { Ok(()) }
}

const ADVISED: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

#[test]
fn a_handler_is_timed_as_its_span_and_its_message_counted() {
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            run(handle(from(SENDER))).expect("it is well");
        });
        let common = [
            ("messaging.system", "shop"),
            ("messaging.operation.name", "process"),
            ("messaging.destination.name", "handled"),
        ];
        let process = metrics.one(PROCESS);
        assert_eq!(process.attributes, is(&common));
        assert_eq!((process.unit.as_str(), process.count), ("s", 1));
        assert_eq!(process.bounds, ADVISED);
        let span = seconds(traces.span("process handled"));
        assert!(process.seconds >= 0.03, "{}", process.seconds);
        assert!((process.seconds - span).abs() < 0.02, "{} and {span}", process.seconds);

        let consumed = metrics.one(CONSUMED);
        assert_eq!(consumed.attributes, is(&common));
        assert_eq!((consumed.unit.as_str(), consumed.count), ("{message}", 1));

        let relations = metrics.one(RELATIONS);
        let mut related = is(&common);
        related.insert("throughline.relation.kind".to_owned(), "link".to_owned());
        assert_eq!(relations.attributes, related);
        assert_eq!((relations.unit.as_str(), relations.count), ("{handling}", 1));

        metrics.has_none_of(&[OPERATION, SENT, WAIT, HANDLED, LEFT_OUT]);
    });
}

/// Whatever the span says of its failure, the metrics say.
fn fails_as_its_span(metrics: &Metrics, span: Span<'_>, error_type: &str, names: &[&str]) {
    assert_eq!(span.attribute("error.type").map(ToString::to_string).as_deref(), Some(error_type));
    for name in names {
        let said = metrics.one(name).attributes.get("error.type").map(String::as_str);
        assert_eq!(said, Some(error_type), "{name}");
    }
}

#[test]
fn a_failure_has_the_error_type_of_its_span() {
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            let message = headers(&[("traceparent", SENDER), ("throughline-sent", "1000")]);
            run(handle(message)).expect_err("it is not well");
        });
        let span = traces.span("process handled");
        fails_as_its_span(&metrics, span, "Error", &[PROCESS, CONSUMED, HANDLED]);
        // It waited and was linked all the same.
        assert_eq!(metrics.one(WAIT).attributes.get("error.type"), None);
        assert_eq!(metrics.one(RELATIONS).attributes.get("error.type"), None);
    });
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            let handler = throughline::consume("h").destination("panics");
            let panicking = || -> () {
                handler.run_sync(&from(SENDER), || -> () { panic!("on purpose") });
            };
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(panicking)).expect_err("it does");
        });
        fails_as_its_span(&metrics, traces.span("process panics"), "panic", &[PROCESS, CONSUMED]);
    });
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            let message = from(SENDER);
            drop(throughline::consume("h").destination("dropped").start(&message));
        });
        let span = traces.span("process dropped");
        fails_as_its_span(&metrics, span, "cancelled", &[PROCESS, CONSUMED]);
    });
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            publish(&mut headers(&[("bad", "1")])).expect_err("it is bad");
        });
        fails_as_its_span(&metrics, traces.span("publish published"), "String", &[OPERATION, SENT]);
    });
}

#[test]
fn what_will_be_tried_again_has_no_error_and_is_not_handled_yet() {
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            let message = Record::sent_ago(2);
            let span = throughline::consume("h").destination("again").start(&message);
            span.finish(Outcome::error("Timeout").retried());
        });
        traces.span("process again").has_no_attribute("error.type");
        assert_eq!(metrics.one(PROCESS).attributes.get("error.type"), None);
        assert_eq!(metrics.one(WAIT).count, 1);
        metrics.has_none_of(&[HANDLED]);
    });
}

#[test]
fn a_producer_counts_each_message_that_it_tried_to_send() {
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            publish(&mut Headers::new()).expect("it is well");
            let mut batch = vec![Headers::new(), Headers::new(), Headers::new()];
            let producer = throughline::produce("publish").destination("published");
            producer.system("shop").operation("publish").run_sync(&mut batch, |_| ());
        });
        let common = [
            ("messaging.system", "shop"),
            ("messaging.operation.name", "publish"),
            ("messaging.destination.name", "published"),
        ];
        let sent = metrics.one(SENT);
        assert_eq!(sent.attributes, is(&common));
        assert_eq!((sent.unit.as_str(), sent.count), ("{message}", 4));

        let operation = metrics.one(OPERATION);
        let mut timed = is(&common);
        timed.insert("messaging.operation.type".to_owned(), "send".to_owned());
        assert_eq!(operation.attributes, timed);
        assert_eq!((operation.unit.as_str(), operation.count), ("s", 2));
        assert_eq!(operation.bounds, ADVISED);
        assert_eq!(traces.spans("publish published").len(), 2);
        metrics.has_none_of(&[PROCESS, CONSUMED, RELATIONS, WAIT, HANDLED]);
    });
}

#[test]
fn what_is_created_is_not_sent_yet() {
    in_both_worlds(|capture| {
        let (_, metrics) = measure(capture, || {
            let mut order = Headers::new();
            throughline::create("new").destination("created").run_sync(&mut order, |_| ());
            // It has a context by now and gets no second creation.
            throughline::create("new").destination("created").run_sync(&mut order, |_| ());
        });
        metrics.has_none_of(&[SENT]);
        let operation = metrics.one(OPERATION);
        assert_eq!(operation.count, 1);
        assert_eq!(operation.attributes["messaging.operation.type"], "create");
    });
}

#[test]
fn a_message_is_counted_by_the_poll_or_else_by_its_handler() {
    in_both_worlds(|capture| {
        let (_, metrics) = measure(capture, || {
            let poll = throughline::receive("poll").destination("polled");
            let batch = poll.run_sync(|| vec![from(SENDER), from(OTHER_SENDER)]);
            for message in &batch {
                throughline::consume("h").destination("polled").run_sync(message, || ());
            }
            throughline::settle("ack").destination("polled").run_sync(&batch, || ());
            let nothing = throughline::receive("poll").destination("polled");
            nothing.run_sync(Vec::<Headers>::new);
            // Nobody polls for these with a span.
            throughline::consume("h").destination("pushed").run_sync(&from(SENDER), || ());
            throughline::consume("h").destination("pushed").run_sync(&batch, || ());
        });
        let by_destination: Vec<_> = metrics
            .all(CONSUMED)
            .iter()
            .map(|it| {
                let of = |key: &str| it.attributes[key].clone();
                (of("messaging.destination.name"), of("messaging.operation.name"), it.count)
            })
            .collect();
        let is = |destination: &str, operation: &str, count| {
            by_destination.contains(&(destination.to_owned(), operation.to_owned(), count))
        };
        assert!(is("polled", "receive", 2) && is("pushed", "process", 3), "{by_destination:?}");
        assert_eq!(by_destination.len(), 2);

        let types: Vec<_> = metrics
            .all(OPERATION)
            .iter()
            .map(|it| (it.attributes["messaging.operation.type"].clone(), it.count))
            .collect();
        assert!(
            types.contains(&("receive".to_owned(), 2)) && types.contains(&("settle".to_owned(), 1))
        );
        assert_eq!(metrics.total(PROCESS), 4);
    });
}

#[test]
fn one_who_does_not_say_where_messages_are_from_may_mean_any() {
    in_both_worlds(|capture| {
        let (_, metrics) = measure(capture, || {
            // The destination is known by what was brought.
            let record = throughline::receive("poll")
                .system("brought")
                .run_sync(|| Record { template: Some("orders.{customer}"), ..Record::default() });
            throughline::consume("h").system("brought").run_sync(&record, || ());
            throughline::consume("h").system("brought").run_sync(&from(SENDER), || ());
            let other = throughline::consume("h").system("brought").destination("elsewhere");
            other.run_sync(&from(SENDER), || ());
        });
        assert_eq!(metrics.total(CONSUMED), 2, "{metrics:#?}");
        let of_poll = metrics.all(OPERATION)[0];
        assert_eq!(of_poll.attributes["messaging.destination.template"], "orders.{customer}");
        assert_eq!(of_poll.attributes["messaging.system"], "brought");
    });
}

/// All that may stand on a metric; `error.type` and the relation are closed lists.
const FEW: [&str; 8] = [
    "messaging.system",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.destination.name",
    "messaging.destination.template",
    "error.type",
    "throughline.relation.kind",
    "throughline.relation.reason",
];

#[test]
fn nothing_of_unbounded_variety_becomes_an_attribute() {
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            let mut plain = Record::sent_ago(1);
            let mut in_template =
                Record { template: Some("orders.{customer}"), ..Record::sent_ago(1) };
            for record in [&mut plain, &mut in_template] {
                let handler = throughline::consume("h").operation("consume");
                handler.capture_headers(&["traceparent"]).run_sync(record, || ());
                throughline::produce("p").operation("publish").run_sync(record, |_| ());
                throughline::settle("ack").operation("ack").run_sync(record, || ());
                throughline::receive("poll").operation("poll").run_sync(|| &*record);
            }
            let given = throughline::consume("h").operation("consume").destination("given");
            given.run_sync(&in_template, || ());
        });
        assert_eq!(traces.len(), 9);
        for point in &metrics.0 {
            let few = |key: &String| FEW.contains(&key.as_str());
            assert!(point.attributes.keys().all(few), "{point:#?}");
            let values: Vec<_> = point.attributes.values().collect();
            assert!(values.iter().all(|it| !it.contains("4711")), "{point:#?}");
            assert_eq!(point.attributes["messaging.system"], "kafka", "{point:#?}");
        }
        let destinations = |metric: &str| {
            let all = metrics.all(metric);
            let mut all: Vec<_> = all
                .iter()
                .map(|point| {
                    let of = |key: &str| point.attributes.get(key).map(String::as_str);
                    (of("messaging.destination.name"), of("messaging.destination.template"))
                })
                .collect();
            all.sort_unstable();
            all.dedup();
            all
        };
        let (none, template) = ((None, None), (None, Some("orders.{customer}")));
        assert_eq!(destinations(PROCESS), [none, template, (Some("given"), None)]);
        for metric in [OPERATION, SENT] {
            assert_eq!(destinations(metric), [none, template], "{metric}");
        }
    });
}

#[test]
fn how_long_messages_waited_and_when_they_were_handled() {
    in_both_worlds(|capture| {
        let (_, metrics) = measure(capture, || {
            let handler = throughline::consume("h").destination("late");
            handler.run_sync(&Record::sent_ago(2), || {
                work_for(Duration::from_millis(50));
            });
        });
        let (wait, handled) = (metrics.one(WAIT), metrics.one(HANDLED));
        assert_eq!((wait.unit.as_str(), wait.count), ("s", 1));
        assert_eq!((handled.unit.as_str(), handled.count), ("s", 1));
        assert!((2.0..2.5).contains(&wait.seconds), "{}", wait.seconds);
        let took = handled.seconds - wait.seconds;
        assert!((took - metrics.one(PROCESS).seconds).abs() < 1e-6, "{took}");
        assert!(took >= 0.05, "{took}");
        // A message may wait for hours.
        assert_eq!(wait.bounds[..14], ADVISED);
        assert_eq!(wait.bounds.last(), Some(&86400.0));
        assert_eq!(wait.bounds, handled.bounds);
    });
    in_both_worlds(|capture| {
        let (_, metrics) = measure(capture, || {
            let batch = [Record::sent_ago(1), Record::sent_ago(3), Record::default()];
            throughline::consume("h").destination("late").run_sync(&batch, || ());
        });
        // Each message that tells when it was sent.
        let (wait, handled) = (metrics.one(WAIT), metrics.one(HANDLED));
        assert_eq!((wait.count, handled.count), (2, 2));
        assert!((4.0..5.0).contains(&wait.seconds), "{}", wait.seconds);
    });
    // Also where they are gone when the handling starts.
    in_both_worlds(|capture| {
        let (_, metrics) = measure(capture, || {
            let batch = [Record::sent_ago(1), Record::sent_ago(3), Record::default()];
            let read = throughline::consume("h").destination("late").read(&batch);
            read.start().finish(Outcome::ok());
        });
        // Each message that tells when it was sent.
        let (wait, handled) = (metrics.one(WAIT), metrics.one(HANDLED));
        assert_eq!((wait.count, handled.count), (2, 2));
        assert!((4.0..5.0).contains(&wait.seconds), "{}", wait.seconds);
    });
}

const REGISTRY: &str = include_str!("../docs/registry/throughline.yaml");

/// What the registry says of a metric, and the attributes that it lists.
fn declared(metric: &str) -> (BTreeMap<&'static str, &'static str>, Vec<&'static str>) {
    let (mut says, mut attributes) = (BTreeMap::new(), Vec::new());
    let head = format!("- id: metric.{metric}");
    let lines = REGISTRY.lines().skip_while(|line| line.trim() != head).skip(1);
    for line in lines.take_while(|line| !line.starts_with("  - id:")) {
        if let Some(attribute) = line.strip_prefix("      - ref: ") {
            attributes.push(attribute);
        } else if let Some((key, value)) = line.trim().split_once(": ") {
            says.entry(key).or_insert(value.trim_matches('"'));
        }
    }
    (says, attributes)
}

#[test]
fn the_registry_declares_what_is_ours() {
    let (_, metrics) = measure(Capture::new(), || {
        let template = Some("orders.{customer}");
        let batch = [1, 2].map(|seconds| Record {
            template,
            partition: Some("3"),
            ..Record::sent_ago(seconds)
        });
        let handler = || throughline::consume("h").relation(Relation::CONTINUE).max_links(0);
        let handler = || handler().consumer_group("billing").server("broker:9092");
        for handler in [handler(), handler().destination("orders")] {
            handler.start(&batch).finish(Outcome::error("Refused"));
        }
    });
    for metric in [WAIT, HANDLED, RELATIONS, LEFT_OUT] {
        let (says, listed) = declared(metric);
        assert_eq!(says.get("metric_name"), Some(&metric));
        let points = metrics.all(metric);
        assert!(!points.is_empty(), "{metric}");
        for point in &points {
            assert_eq!(says["unit"], point.unit, "{metric}");
            let instrument = if point.bounds.is_empty() { "counter" } else { "histogram" };
            assert_eq!(says["instrument"], instrument, "{metric}");
            for key in point.attributes.keys() {
                assert!(listed.contains(&key.as_str()), "{key} on {metric}");
            }
        }
        for key in listed {
            let seen = points.iter().any(|it| it.attributes.contains_key(key));
            assert!(seen, "{key} on {metric}");
        }
    }
}

#[test]
fn a_message_from_the_future_has_not_waited() {
    in_both_worlds(|capture| {
        let (_, metrics) = measure(capture, || {
            let sent = Some(SystemTime::now() + Duration::from_secs(60));
            let record = Record { sent, ..Record::default() };
            throughline::consume("h").destination("early").run_sync(&record, || ());
        });
        let wait = metrics.one(WAIT);
        assert_eq!(wait.count, 1);
        assert!(wait.seconds.abs() < f64::EPSILON, "{}", wait.seconds);
        let handled = metrics.one(HANDLED).seconds;
        assert!((handled - metrics.one(PROCESS).seconds).abs() < 1e-6, "{handled}");
    });
}

fn relations(metrics: &Metrics) -> Vec<(String, String, u64)> {
    let of = |it: &Point, key: &str| it.attributes.get(key).cloned().unwrap_or_default();
    let all = metrics.all(RELATIONS);
    let mut all: Vec<_> = all
        .iter()
        .map(|it| {
            let kind = of(it, "throughline.relation.kind");
            (kind, of(it, "throughline.relation.reason"), it.count)
        })
        .collect();
    all.sort_unstable();
    all
}

#[test]
fn how_many_continued_linked_or_had_to_link() {
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            let handler = || throughline::consume("h").destination("related");
            let old = Record::sent_ago(60);
            handler().continue_().run_sync(&from(SENDER), || ());
            handler().continue_().run_sync(&from(SENDER), || ());
            handler().link().run_sync(&from(SENDER), || ());
            handler().ignore().run_sync(&from(SENDER), || ());
            handler().system("s").continue_().within(Duration::from_secs(9)).run_sync(&old, || ());
            handler().continue_().max_hops(0).run_sync(&from(SENDER), || ());
            handler().relation(Relation::CONTINUE).run_sync(&[from(SENDER)][..], || ());
            handler().link().run_sync(&Headers::new(), || ());
        });
        let counted = relations(&metrics);
        let counted: Vec<_> = counted
            .iter()
            .map(|(kind, why, count)| (kind.as_str(), why.as_str(), *count))
            .collect();
        assert_eq!(
            counted,
            [
                ("continue", "", 2),
                ("ignore", "", 1),
                ("link", "", 1),
                ("link", "age", 1),
                ("link", "batch", 1),
                ("link", "hops", 1),
                ("link", "no_context", 1),
            ],
        );
        let spans = traces.spans("process related");
        assert_eq!(spans.len() as u64, metrics.total(RELATIONS));
    });
}

#[test]
fn links_that_had_no_room() {
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            let batch = [from(SENDER), from(OTHER_SENDER), from(SENDER)];
            throughline::consume("h").destination("full").max_links(1).run_sync(&batch[..], || ());
        });
        traces.span("process full").has_attribute("throughline.links.left_out", 1);
        let left_out = metrics.one(LEFT_OUT);
        assert_eq!((left_out.unit.as_str(), left_out.count), ("{link}", 1));
        assert_eq!(left_out.attributes["messaging.destination.name"], "full");
    });
}

#[test]
fn what_is_measured_does_not_depend_on_the_span() {
    let handled_and_sent = || {
        throughline::consume("h").destination("unseen").run_sync(&from(SENDER), || ());
        throughline::produce("p").destination("unseen").run_sync(&mut Headers::new(), |_| ());
    };
    let filtered_out = Capture::new().with_subscriber(|tracer| {
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing_subscriber::registry().with(LevelFilter::WARN).with(layer)
    });
    let not_sampled = || Capture::new().sampler(Sampler::AlwaysOff);
    for capture in [filtered_out, not_sampled(), not_sampled().without_tracing()] {
        let (traces, metrics) = measure(capture, handled_and_sent);
        assert!(traces.is_empty(), "{traces}");
        for metric in [PROCESS, CONSUMED, RELATIONS, OPERATION, SENT] {
            assert_eq!(metrics.one(metric).count, 1, "{metric}");
        }
    }
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            let handler = throughline::consume("h").destination("unseen");
            handler.enabled(false).run_sync(&from(SENDER), || ());
        });
        assert!(traces.is_empty());
        assert_eq!(metrics.one(PROCESS).count, 1);
    });
}

#[test]
fn nothing_is_measured_where_telemetry_is_suppressed() {
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            let poll = throughline::receive("poll").destination("suppressed");
            let message = poll.run_sync(|| from(SENDER));
            throughline::consume("h").destination("suppressed").run_sync(&message, || ());
            throughline::consume("h").enabled(false).run_sync(&message, || ());
            publish(&mut Headers::new()).expect("it is well");
        });
        assert!(traces.is_empty() && metrics.0.is_empty(), "{metrics:#?}");
        // Nor is the poll remembered.
        let (_, metrics) = measure(Capture::new(), || {
            throughline::consume("h").destination("suppressed").run_sync(&from(SENDER), || ());
        });
        assert_eq!(metrics.one(CONSUMED).count, 1);
    });
}

#[test]
fn only_messaging_is_measured_and_each_message_once() {
    in_both_worlds(|capture| {
        let (traces, metrics) = measure(capture, || {
            let message = from(SENDER);
            let inner = || throughline::consume("inner").run_sync(&message, || ());
            throughline::consume("outer").destination("once").run_sync(&message, inner);
            throughline::task("task").run_sync(|| ());
            let _ = TraceContext::begin("process");
            throughline::handled_by_current_span(&Traced::new(7)).finish(Outcome::ok());
        });
        assert_eq!(traces.len(), 4);
        for metric in [PROCESS, CONSUMED, RELATIONS] {
            assert_eq!(metrics.one(metric).count, 1, "{metric}");
        }
        metrics.has_none_of(&[OPERATION, SENT]);
    });
}

#[test]
fn a_provider_that_is_replaced_gets_no_more_and_one_without_measures_nothing() {
    let exporter = InMemoryMetricExporter::default();
    let handle = || throughline::consume("h").destination("moved").run_sync(&from(SENDER), || ());
    let first = {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let first = SdkMeterProvider::builder().with_reader(reader).build();
        global::set_meter_provider(first.clone());
        Capture::new().run_sync(handle);
        first
    };
    let (_, metrics) = measure(Capture::new(), handle);
    assert_eq!(metrics.one(PROCESS).count, 1);
    first.force_flush().expect("it takes no time");
    assert_eq!(points_in(&exporter).one(PROCESS).count, 1);
}

#[test]
fn group_partition_and_server_are_few_and_stand_on_what_is_measured() {
    in_both_worlds(|capture| {
        let (_, metrics) = measure(capture, || {
            let message =
                Record { headers: from(SENDER), partition: Some("3"), ..Record::default() };
            throughline::consume("h")
                .destination_template("orders.{customer}")
                .consumer_group("billing")
                .client_id("billing-4711")
                .server("broker:9092")
                .run_sync(&message, || ());
            throughline::produce("p").server("broker:9092").run_sync(&mut message.unsent(), |_| ());
            let deadline = throughline::settle("modack").unsettled().consumer_group("billing");
            deadline.run_sync(&message, || ());
        });
        let server = [
            ("messaging.system", "kafka"),
            ("messaging.destination.partition.id", "3"),
            ("server.address", "broker"),
            ("server.port", "9092"),
        ];
        let of_consumer = [
            ("messaging.operation.name", "process"),
            ("messaging.destination.template", "orders.{customer}"),
            ("messaging.destination.subscription.name", "all-orders"),
            ("messaging.consumer.group.name", "billing"),
        ];
        let of_consumer = is(&[&server[..], &of_consumer[..]].concat());
        for metric in [PROCESS, CONSUMED] {
            assert_eq!(metrics.one(metric).attributes, of_consumer, "{metric}");
        }
        // The destination's plain name is one of many, and nobody said its template.
        let of_producer = is(&[&server[..], &[("messaging.operation.name", "send")]].concat());
        assert_eq!(metrics.one(SENT).attributes, of_producer);
        let names: Vec<_> = metrics.all(OPERATION).iter().map(|it| it.attributes.clone()).collect();
        let deadline = names.iter().find(|it| it["messaging.operation.name"] == "modack");
        let deadline = deadline.expect("it is measured too");
        assert_eq!(deadline["messaging.consumer.group.name"], "billing");
        assert!(!deadline.contains_key("messaging.operation.type"), "{deadline:?}");
    });
}
