//! Every span that can be made is one that the messaging conventions know, and what is beside them is declared in a
//! registry of our own: the linter finds nothing to say against them.
//!
//! `messaging.system` is required there, and we can't know it where neither the message nor the user tells it. So the
//! same spans are made twice: told a system by their messages, or by the user where there is no
//! message to tell it, once for each system that has attributes of its own, and told none.

mod events;
mod making;
mod page;
mod registry;
mod samplers;

use std::collections::BTreeSet;

use opentelemetry::{KeyValue, Value};
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use throughline::testing::{Span, Traces};
use throughline_test_linter::{Findings, Level, Registry, lint_metrics, lint_spans};

use crate::making::made;

const REGISTRY: &str = include_str!("../../docs/registry/throughline.yaml");
const SEMCONV: &str = include_str!("../../runtime/src/semconv.rs");
const MACROS: &str = include_str!("../../macros/src/conventions.rs");

/// What a service would be told of: `name = "a name of its own"` on the handler is the user's word.
const OF_THE_USER: &str = "span `a name of its own`: it should be called `consume orders.{region}`";
/// RabbitMQ's page has no send of kind CLIENT, and wants one destination for a batch that has several.
const OF_RABBITMQ: [&str; 2] = [
    "span `send orders.{region}`: `messaging.rabbitmq.destination.routing_key` is not of the span messaging.send.client",
    "span `handle_all`: required, and not there: `messaging.destination.name`",
];
const UNTOLD: &str = "required, and not there: `messaging.system`";

fn declared() -> Registry {
    let mut registry = Registry::conventions();
    registry.add(REGISTRY).expect("a registry");
    registry
}

fn is_messaging(span: &Span<'_>) -> bool {
    span.attribute("messaging.operation.type").is_some()
}

/// The attributes of a span and of its links.
fn attributes(span: Span<'_>) -> impl Iterator<Item = &KeyValue> {
    span.data().attributes.iter().chain(span.links().iter().flat_map(|link| &link.attributes))
}

#[test]
fn the_conventions_know_every_span_and_its_kind() {
    let spans = made().traces.iter().flat_map(|(_, traces)| traces.all()).filter(is_messaging);
    let seen: BTreeSet<_> = spans
        .map(|span| {
            let operation = span.attribute("messaging.operation.type").map(Value::as_str);
            format!("messaging.{}.{}", operation.unwrap_or_default(), span.kind())
        })
        .collect();
    let declared = declared();
    // Others refine these for a system.
    let known = declared
        .spans()
        .keys()
        .filter(|id| id.starts_with("messaging.") && id.split('.').count() == 3);
    assert!(known.eq(&seen), "each was made, and no other: {seen:?}");
}

fn violations(findings: &Findings) -> BTreeSet<String> {
    let violations = findings.all(Level::Violation);
    violations.map(|it| format!("{}: {}", it.place, it.message)).collect()
}

fn lint(traces: &Traces) -> BTreeSet<String> {
    let resource = Resource::builder().with_service_name("shop").build();
    let mut spans: Vec<_> = traces.all().into_iter().map(|span| span.data().clone()).collect();
    for span in &mut spans {
        // Log events that the layer for `tracing` has copied: see `tests/layer_extras.rs`.
        span.events.events.clear();
    }
    let sent = group_spans_by_resource_and_scope(spans, &(&resource).into());
    violations(&lint_spans(&declared(), &sent))
}

#[test]
fn the_linter_finds_nothing_but_a_system_that_nobody_told() {
    let (mut told, mut untold) = (0, 0);
    for (system, traces) in &made().traces {
        let mut expected = BTreeSet::from([OF_THE_USER.to_owned()]);
        let messaging: Vec<_> = traces.all().into_iter().filter(is_messaging).collect();
        if *system == Some("rabbitmq") {
            expected.extend(OF_RABBITMQ.map(str::to_owned));
        }
        if system.is_some() {
            told += messaging.len();
        } else {
            untold += messaging.len();
            expected.extend(messaging.iter().map(|it| format!("span `{}`: {UNTOLD}", it.name())));
        }
        assert_eq!(lint(traces), expected);
    }
    assert_eq!(told, 3 * untold, "the same spans");
}

#[test]
fn the_linter_finds_nothing_in_the_metrics_but_a_system_that_nobody_told() {
    let mut found = violations(&lint_metrics(&declared(), &made().metrics));
    found.retain(|it| !it.ends_with(UNTOLD));
    assert_eq!(found, BTreeSet::new());
}

#[test]
fn a_span_of_no_messaging_operation_says_nothing_of_messaging() {
    let mut names = BTreeSet::new();
    for (_, traces) in &made().traces {
        for span in traces.all().into_iter().filter(|span| !is_messaging(span)) {
            let is_messaging = |it: &&KeyValue| it.key.as_str().starts_with("messaging.");
            assert_eq!(attributes(span).find(is_messaging), None, "{span:?}");
            span.is_kind("internal");
            names.insert(span.name().to_owned());
        }
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    assert_eq!(names, ["approval", "approve", "handle", "request", "task"]);
}

#[test]
fn the_version_of_the_facts_is_the_one_that_the_spans_say_they_follow() {
    assert!(SEMCONV.contains(&format!("\"{}\"", Registry::conventions().schema_url())));
}

#[test]
fn the_macros_know_the_names_that_the_facts_have() {
    let list = |name: &str| -> BTreeSet<_> {
        let list = MACROS.split_once(&format!("const {name}:")).expect("a list").1;
        let list = list.split_once("];").expect("its end").0;
        list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let registry = Registry::conventions();
    let messaging = registry.attributes().iter().filter(|(key, _)| key.starts_with("messaging."));
    let (current, deprecated): (Vec<_>, Vec<_>) =
        messaging.partition(|(_, attribute)| attribute.deprecated.is_none());
    assert!(current.into_iter().map(|(key, _)| key).eq(&list("KNOWN")));
    let (renamed, removed) = (list("RENAMED"), list("REMOVED"));
    for (key, _) in deprecated {
        assert!(renamed.contains(key) || removed.contains(key), "{key}");
    }
}
