//! Each rule, by a span or a metric that breaks it and nothing else.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics,
    Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::{lint_metrics, lint_spans};
use crate::{Finding, Findings, Level, Registry};

const SCHEMA: &str = "https://opentelemetry.io/schemas/1.44.0";

/// A registry beside the conventions, with all that one can have.
const SHOP: &str = "
groups:
  - id: registry.shop
    type: attribute_group
    attributes:
      - id: shop.header
        type: template[string[]]
      - id: shop.mood
        type:
          members:
            - {id: good, value: good}
            - {id: fine, value: fine, deprecated: {reason: renamed, renamed_to: good}}
        annotations: {closed: true}
      - id: shop.price
        type: double
      - id: price
        type: double
      - id: shop.Colour
        type: string
  - id: metric.shop.sales
    type: metric
    metric_name: shop.sales
    instrument: counter
    unit: '{sale}'
    attributes:
      - ref: shop.mood
        requirement_level:
          conditionally_required: If there is one.
";

fn registry() -> Registry {
    let mut registry = Registry::conventions();
    registry.add(SHOP).expect("a registry");
    registry
}

fn text(value: &str) -> Value {
    Value::StringValue(value.to_owned())
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

trait Change {
    fn attributes(&mut self) -> &mut Vec<KeyValue>;

    /// Sets what may be there.
    fn set(&mut self, key: &str, value: Value) {
        self.unset(key);
        self.attributes().push(attribute(key, value));
    }

    fn unset(&mut self, key: &str) {
        self.attributes().retain(|it| it.key != key);
    }
}

impl Change for Vec<KeyValue> {
    fn attributes(&mut self) -> &mut Vec<KeyValue> {
        self
    }
}

impl Change for Span {
    fn attributes(&mut self) -> &mut Vec<KeyValue> {
        &mut self.attributes
    }
}

/// A handler's span that is as the conventions want it.
fn handled() -> Span {
    let mut span = Span { name: "process orders".to_owned(), ..Span::default() };
    span.set_kind(SpanKind::Consumer);
    span.set("messaging.system", text("kafka"));
    span.set("messaging.operation.name", text("process"));
    span.set("messaging.operation.type", text("process"));
    span.set("messaging.destination.name", text("orders"));
    span
}

/// The span of a request that is as the conventions want it.
fn served() -> Span {
    let mut span = Span { name: "POST /orders/{id}".to_owned(), ..Span::default() };
    span.set_kind(SpanKind::Server);
    span.set("http.request.method", text("POST"));
    span.set("http.route", text("/orders/{id}"));
    span.set("url.path", text("/orders/7"));
    span.set("url.scheme", text("http"));
    span
}

fn sent(spans: Vec<Span>) -> ResourceSpans {
    let mut resource = Resource::default();
    resource.attributes.set("service.name", text("shop"));
    resource.attributes.set("telemetry.sdk.language", text("rust"));
    resource.attributes.set("telemetry.sdk.name", text("opentelemetry"));
    resource.attributes.set("telemetry.sdk.version", text("0.33.1"));
    let scope = InstrumentationScope { name: "shop".to_owned(), ..InstrumentationScope::default() };
    let of_scope = ScopeSpans { scope: Some(scope), spans, schema_url: SCHEMA.to_owned() };
    ResourceSpans {
        resource: Some(resource),
        scope_spans: vec![of_scope],
        ..ResourceSpans::default()
    }
}

type Broken = Vec<(Level, &'static str)>;

/// What is found there and not in what it was made of.
fn difference(changed: Findings, original: &Findings) -> Broken {
    let is_new = |finding: &Finding| original.all(finding.level).all(|it| it != finding);
    let of_rule = |finding: Finding| (finding.level, finding.rule);
    changed.into_iter().filter(is_new).map(of_rule).collect()
}

/// The rules that a span breaks once it is changed. Whether its attributes are all there is another matter.
fn broken_by(mut span: Span, change: impl FnOnce(&mut Span)) -> Broken {
    let original = lint_spans(&registry(), &[sent(vec![span.clone()])]);
    assert_eq!(original.all(Level::Violation).next(), None);
    change(&mut span);
    let mut broken = difference(lint_spans(&registry(), &[sent(vec![span])]), &original);
    broken.retain(|(level, rule)| {
        *level == Level::Violation || !rule.ends_with("_attribute_not_present")
    });
    broken
}

fn violation(rule: &'static str) -> Broken {
    vec![(Level::Violation, rule)]
}

fn improvement(rule: &'static str) -> Broken {
    vec![(Level::Improvement, rule)]
}

fn information(rule: &'static str) -> Broken {
    vec![(Level::Information, rule)]
}

#[test]
fn what_is_as_it_should_be_breaks_no_rule() {
    let mut failed = handled();
    failed.set("error.type", text("_OTHER"));
    failed.status = Some(Status { code: StatusCode::Error.into(), message: "no card".to_owned() });
    let mut unnamed = handled();
    unnamed.name = "process".to_owned();
    let mut internal = Span { name: "resize".to_owned(), ..Span::default() };
    internal.set("code.function.name", text("shop::resize"));
    let mut empty = handled();
    let list = ArrayValue { values: Vec::new() };
    empty.set("shop.header.tenant", Value::ArrayValue(list));
    let spans = vec![handled(), served(), failed, unnamed, internal, empty];
    let findings = lint_spans(&registry(), &[sent(spans)]);
    assert_eq!(findings.all(Level::Violation).collect::<Vec<_>>(), [] as [&Finding; 0]);
}

#[test]
fn an_attribute_is_declared() {
    let undeclared = |it: &mut Span| it.set("order.id", text("A-1"));
    assert_eq!(broken_by(handled(), undeclared), violation("missing_attribute"));
    // What only begins like a template is none of its attributes.
    let longer = |it: &mut Span| it.set("shop.headers", text("A-1"));
    assert_eq!(broken_by(handled(), longer), violation("missing_attribute"));
}

#[test]
fn an_attribute_stands_there_once() {
    let twice = |it: &mut Span| it.attributes.push(attribute("messaging.system", text("kafka")));
    assert_eq!(broken_by(handled(), twice), violation("repeated_attribute"));
}

#[test]
fn an_attribute_is_of_its_type() {
    for (key, value) in [
        ("shop.price", Value::IntValue(7)),
        ("shop.mood", Value::BoolValue(true)),
        ("shop.header.tenant", text("acme")),
        ("messaging.kafka.offset", text("42")),
        ("messaging.message.id", Value::IntValue(7)),
    ] {
        let broken = broken_by(handled(), |it| it.set(key, value));
        assert_eq!(broken, violation("type_mismatch"), "{key}");
    }
    let nothing = |it: &mut Span| {
        it.attributes.push(KeyValue { key: "shop.price".to_owned(), ..KeyValue::default() });
    };
    assert_eq!(broken_by(handled(), nothing), violation("type_mismatch"));
}

#[test]
fn a_value_is_one_of_its_list() {
    let of_closed = |it: &mut Span| it.set("shop.mood", text("great"));
    assert_eq!(broken_by(handled(), of_closed), violation("undefined_enum_variant"));
    let of_open = |it: &mut Span| it.set("messaging.system", text("nats"));
    assert_eq!(broken_by(handled(), of_open), information("undefined_enum_variant"));
}

#[test]
fn nothing_is_called_as_it_was_once() {
    let mut expected = violation("deprecated");
    expected.extend(violation("unrelated_attribute"));
    let attribute = |it: &mut Span| it.set("messaging.kafka.message.offset", Value::IntValue(7));
    assert_eq!(broken_by(handled(), attribute), expected);
    let value = |it: &mut Span| it.set("shop.mood", text("fine"));
    assert_eq!(broken_by(handled(), value), violation("deprecated"));
}

#[test]
fn a_name_is_in_lower_case_and_has_a_namespace() {
    let upper_case = |it: &mut Span| it.set("shop.Colour", text("red"));
    assert_eq!(broken_by(handled(), upper_case), violation("invalid_format"));
    let bare = |it: &mut Span| it.set("price", Value::DoubleValue(1.0));
    assert_eq!(broken_by(handled(), bare), improvement("missing_namespace"));
    let mut expected = violation("missing_attribute");
    expected.extend(violation("reserved_namespace"));
    let reserved = |it: &mut Span| it.set("otel.mood", text("good"));
    assert_eq!(broken_by(handled(), reserved), expected);
    // What comes after a template is a name of somebody else's.
    let header = |it: &mut Span| {
        let values = vec![AnyValue { value: Some(text("acme")) }];
        it.set("shop.header.X-Tenant", Value::ArrayValue(ArrayValue { values }));
    };
    assert_eq!(broken_by(handled(), header), []);
}

#[test]
fn what_is_required_is_there() {
    let without_system = |it: &mut Span| it.unset("messaging.system");
    assert_eq!(broken_by(handled(), without_system), violation("required_attribute_not_present"));
    let without_path = |it: &mut Span| it.unset("url.path");
    assert_eq!(broken_by(served(), without_path), violation("required_attribute_not_present"));
    // Of RabbitMQ alone, of whose spans the conventions ask more.
    let without_destination = |it: &mut Span| {
        it.unset("messaging.destination.name");
        it.name = "process".to_owned();
    };
    assert_eq!(broken_by(handled(), without_destination), []);
    let in_rabbitmq = |it: &mut Span| {
        without_destination(it);
        it.set("messaging.system", text("rabbitmq"));
    };
    assert_eq!(broken_by(handled(), in_rabbitmq), violation("required_attribute_not_present"));
}

#[test]
fn what_is_not_there_is_told_by_its_level() {
    let findings = lint_spans(&registry(), &[sent(vec![handled()])]);
    for (level, rule, key) in [
        (Level::Improvement, "recommended_attribute_not_present", "messaging.message.id"),
        (Level::Improvement, "recommended_attribute_not_present", "messaging.kafka.offset"),
        (Level::Information, "opt_in_attribute_not_present", "messaging.message.body.size"),
        (
            Level::Information,
            "conditionally_required_attribute_not_present",
            "messaging.consumer.group.name",
        ),
    ] {
        let key = format!("`{key}`");
        let told = findings.all(level).any(|it| it.rule == rule && it.message.contains(&key));
        assert!(told, "{key}: {findings:?}");
    }
}

#[test]
fn an_operation_has_its_kind() {
    let producer = |it: &mut Span| it.set_kind(SpanKind::Producer);
    assert_eq!(broken_by(handled(), producer), violation("span_kind"));
    let unspecified = |it: &mut Span| it.set_kind(SpanKind::Unspecified);
    assert_eq!(broken_by(handled(), unspecified), violation("span_kind"));
    let of_no_type = |it: &mut Span| it.unset("messaging.operation.type");
    assert_eq!(broken_by(handled(), of_no_type), improvement("operation_type"));
}

#[test]
fn a_name_is_made_of_operation_and_destination() {
    let called = |name: &'static str| move |it: &mut Span| it.name = name.to_owned();
    assert_eq!(broken_by(handled(), called("charge_card")), violation("span_name"));
    assert_eq!(broken_by(handled(), called("process 4711")), violation("span_name"));
    let with_template = |it: &mut Span| {
        it.set("messaging.destination.template", text("orders.{region}"));
    };
    assert_eq!(broken_by(handled(), with_template), violation("span_name"));
    let at_server = |it: &mut Span| {
        it.unset("messaging.destination.name");
        it.set("server.address", text("broker"));
        it.set("server.port", Value::IntValue(9092));
        it.name = "process broker:9092".to_owned();
    };
    assert_eq!(broken_by(handled(), at_server), []);
    let temporary = |it: &mut Span| {
        it.set("messaging.system", text("rabbitmq"));
        it.set("messaging.destination.temporary", Value::BoolValue(true));
    };
    assert_eq!(broken_by(handled(), temporary), violation("span_name"));
    assert_eq!(broken_by(served(), called("POST /orders/7")), violation("span_name"));
}

#[test]
fn each_system_has_what_is_its_own() {
    let offset = |it: &mut Span| it.set("messaging.kafka.offset", Value::IntValue(7));
    assert_eq!(broken_by(handled(), offset), []);
    let elsewhere = |it: &mut Span| {
        it.set("messaging.system", text("rabbitmq"));
        offset(it);
    };
    assert_eq!(broken_by(handled(), elsewhere), violation("unrelated_attribute"));
    let on_link = |it: &mut Span| {
        let attributes =
            vec![attribute("messaging.rabbitmq.message.delivery_tag", Value::IntValue(7))];
        it.links.push(Link { attributes, ..Link::default() });
    };
    assert_eq!(broken_by(handled(), on_link), violation("unrelated_attribute"));
    // RabbitMQ's page knows no groups; NATS has no page, and its groups are told all the same.
    let group = |system: &'static str| {
        move |it: &mut Span| {
            it.set("messaging.system", text(system));
            it.set("messaging.consumer.group.name", text("billing"));
        }
    };
    assert_eq!(broken_by(handled(), group("rabbitmq")), violation("unrelated_attribute"));
    let of_nats = broken_by(handled(), group("nats"));
    assert!(!of_nats.contains(&violation("unrelated_attribute")[0]), "{of_nats:?}");
    // Two words, joined in one way in its name and in another in the conventions'.
    let in_sqs = |it: &mut Span| {
        it.set("messaging.system", text("aws_sqs"));
        it.set("aws.sqs.queue.url", text("https://queue"));
    };
    assert_eq!(broken_by(handled(), in_sqs), []);
}

#[test]
fn a_batch_tells_its_number() {
    let linked = |links: usize, count: Option<i64>| {
        move |it: &mut Span| {
            it.links = vec![Link::default(); links];
            if let Some(count) = count {
                it.set("messaging.batch.message_count", Value::IntValue(count));
            }
        }
    };
    assert_eq!(broken_by(handled(), linked(1, None)), []);
    assert_eq!(broken_by(handled(), linked(2, Some(3))), []);
    assert_eq!(broken_by(handled(), linked(2, None)), violation("message_count"));
    assert_eq!(broken_by(handled(), linked(2, Some(1))), violation("message_count"));
    assert_eq!(broken_by(handled(), linked(0, Some(-1))), violation("message_count"));
}

#[test]
fn a_failure_has_a_status_and_a_type() {
    let ended = |code: StatusCode, message: &'static str, error_type: Option<&'static str>| {
        move |it: &mut Span| {
            it.status = Some(Status { code: code.into(), message: message.to_owned() });
            if let Some(error_type) = error_type {
                it.set("error.type", text(error_type));
            }
        }
    };
    let unlisted = "undefined_enum_variant";
    for span in [handled(), served()] {
        let failed = ended(StatusCode::Error, "no card", Some("PaymentError"));
        assert_eq!(broken_by(span.clone(), failed), information(unlisted));
        let of_no_type = ended(StatusCode::Error, "no card", None);
        assert_eq!(broken_by(span.clone(), of_no_type), violation("error_type"));
        let without_status = ended(StatusCode::Unset, "", Some("_OTHER"));
        assert_eq!(broken_by(span.clone(), without_status), violation("error_type"));
        let of_no_words = ended(StatusCode::Error, "_OTHER", Some("_OTHER"));
        assert_eq!(broken_by(span.clone(), of_no_words), improvement("status_description"));
        assert_eq!(broken_by(span, ended(StatusCode::Ok, "", None)), violation("status"));
    }
}

#[test]
fn what_stands_on_links_and_events_is_held_against_the_same_rules() {
    let on_link = |it: &mut Span| {
        let attributes = vec![attribute("order.id", text("A-1"))];
        it.links.push(Link { attributes, ..Link::default() });
    };
    assert_eq!(broken_by(handled(), on_link), violation("missing_attribute"));
    let on_event = |it: &mut Span| {
        let attributes = vec![attribute("order.id", text("A-1"))];
        it.events.push(Event { attributes, name: "paid".to_owned(), ..Event::default() });
    };
    let mut expected = violation("missing_attribute");
    expected.extend(information("missing_event"));
    assert_eq!(broken_by(handled(), on_event), expected);
}

#[test]
fn an_exception_says_what_it_is_and_belongs_elsewhere() {
    let thrown = |attributes: Vec<KeyValue>| {
        move |it: &mut Span| {
            let name = "messaging.process.exception".to_owned();
            it.events.push(Event { attributes, name, ..Event::default() });
        }
    };
    assert_eq!(broken_by(handled(), thrown(Vec::new())), violation("exception"));
    let message = vec![attribute("exception.message", text("no card"))];
    assert_eq!(broken_by(handled(), thrown(message)), improvement("exception_on_span"));
}

/// The rules that the sender of a span breaks once it is changed.
fn broken_by_sender(change: impl FnOnce(&mut ResourceSpans)) -> Broken {
    let mut changed = sent(vec![handled()]);
    let original = lint_spans(&registry(), &[changed.clone()]);
    change(&mut changed);
    difference(lint_spans(&registry(), &[changed]), &original)
}

#[test]
fn a_resource_says_which_service_it_is() {
    fn resource(sent: &mut ResourceSpans) -> &mut Vec<KeyValue> {
        &mut sent.resource.as_mut().expect("a resource").attributes
    }
    let broken = broken_by_sender(|it| resource(it).unset("service.name"));
    assert_eq!(broken, violation("required_attribute_not_present"));
    let broken = broken_by_sender(|it| resource(it).set("shop.city", text("Bern")));
    assert_eq!(broken, violation("missing_attribute"));
    let broken = broken_by_sender(|it| it.resource = None);
    assert_eq!(broken, violation("required_attribute_not_present").repeat(2));
}

#[test]
fn a_scope_says_who_it_is_and_what_it_follows() {
    let url = |url: &'static str| {
        move |it: &mut ResourceSpans| it.scope_spans[0].schema_url = url.to_owned()
    };
    assert_eq!(broken_by_sender(url("")), improvement("schema_url"));
    let older = url("https://opentelemetry.io/schemas/1.43.0");
    assert_eq!(broken_by_sender(older), violation("schema_url"));
    assert_eq!(broken_by_sender(|it| it.scope_spans[0].scope = None), violation("scope_name"));
}

/// The metric that counts what was sold.
fn sales() -> Metric {
    let attributes = vec![attribute("shop.mood", text("good"))];
    let point = NumberDataPoint { attributes, ..NumberDataPoint::default() };
    let sum = Sum { data_points: vec![point], is_monotonic: true, ..Sum::default() };
    let (name, unit) = ("shop.sales".to_owned(), "{sale}".to_owned());
    Metric { name, unit, data: Some(Data::Sum(sum)), ..Metric::default() }
}

fn lint_metric(metric: Metric) -> Findings {
    let ResourceSpans { resource, .. } = sent(Vec::new());
    let scope = InstrumentationScope { name: "shop".to_owned(), ..InstrumentationScope::default() };
    let schema_url = SCHEMA.to_owned();
    let of_scope = ScopeMetrics { scope: Some(scope), metrics: vec![metric], schema_url };
    let scope_metrics = vec![of_scope];
    lint_metrics(
        &registry(),
        &[ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }],
    )
}

fn broken_by_metric(change: impl FnOnce(&mut Metric)) -> Broken {
    let mut metric = sales();
    let original = lint_metric(metric.clone());
    assert_eq!(original.all(Level::Violation).next(), None);
    change(&mut metric);
    difference(lint_metric(metric), &original)
}

#[test]
fn a_metric_is_declared_with_its_instrument_and_its_unit() {
    let renamed = |it: &mut Metric| it.name = "shop.sale".to_owned();
    assert_eq!(broken_by_metric(renamed), violation("missing_metric"));
    let in_seconds = |it: &mut Metric| it.unit = "s".to_owned();
    assert_eq!(broken_by_metric(in_seconds), violation("unit_mismatch"));
    for data in [
        Some(Data::Gauge(Gauge::default())),
        Some(Data::Histogram(Histogram::default())),
        Some(Data::Sum(Sum { is_monotonic: false, ..Sum::default() })),
        None,
    ] {
        let broken = broken_by_metric(|it| it.data = data);
        assert_eq!(broken, violation("unexpected_instrument"));
    }
}

#[test]
fn a_metric_has_its_attributes_and_no_others() {
    let with = |attributes: Vec<KeyValue>| {
        |it: &mut Metric| {
            let point = NumberDataPoint { attributes, ..NumberDataPoint::default() };
            let data_points = vec![point];
            it.data = Some(Data::Sum(Sum { data_points, is_monotonic: true, ..Sum::default() }));
        }
    };
    let mood = || attribute("shop.mood", text("good"));
    let priced = vec![mood(), attribute("shop.price", Value::DoubleValue(1.5))];
    assert_eq!(broken_by_metric(with(priced)), violation("unrelated_attribute"));
    let moody = vec![attribute("shop.mood", text("bad"))];
    assert_eq!(broken_by_metric(with(moody)), violation("undefined_enum_variant"));
    let missing = information("conditionally_required_attribute_not_present");
    assert_eq!(broken_by_metric(with(Vec::new())), missing);

    let data_points = vec![HistogramDataPoint::default()];
    let data = Some(Data::Histogram(Histogram { data_points, ..Histogram::default() }));
    let (name, unit) = ("messaging.process.duration".to_owned(), "s".to_owned());
    let findings = lint_metric(Metric { name, unit, data, ..Metric::default() });
    let violations: Vec<_> = findings.all(Level::Violation).map(|it| it.rule).collect();
    assert_eq!(violations, ["required_attribute_not_present"]);
}
