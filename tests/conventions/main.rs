//! Every span that can be made is one that the messaging conventions know: its kind, its required
//! attributes, their types and values. What is beside them is declared in a registry of our own.
//!
//! `messaging-v1.44.0.json` holds what the conventions say. `messaging.system` is
//! required there, and we can't know it where neither the message nor the user tells it. So the
//! same spans are made twice: told a system by their messages, or by the user where there is no
//! message to tell it, and told none.

mod events;
mod making;
mod page;
mod registry;

use std::collections::BTreeSet;

use opentelemetry::trace::Status;
use opentelemetry::{Array, KeyValue, Value};
use serde_json::Value as Json;
use throughline::testing::Span;

use crate::making::all_traces;

const FACTS: &str = include_str!("messaging-v1.44.0.json");
const SEMCONV: &str = include_str!("../../runtime/src/semconv.rs");

/// Attributes of spans that are neither messaging's nor ours.
const OTHERS: [&str; 2] = ["error.type", "code.function.name"];

fn is_messaging(span: &Span<'_>) -> bool {
    span.attribute("messaging.operation.type").is_some()
}

/// Every span of a messaging operation, with what the conventions call it and say of it.
fn each_messaging_span(mut check: impl FnMut(&str, &Json, Span<'_>, Option<&str>)) {
    let facts: Json = serde_json::from_str(FACTS).expect("facts in JSON");
    for (system, traces) in all_traces() {
        let spans = traces.all();
        for span in spans.into_iter().filter(is_messaging) {
            let operation = span.attribute("messaging.operation.type").map(Value::as_str);
            let name = format!("{}.{}", operation.unwrap_or_default(), span.kind());
            let known = &facts["spans"][&name];
            assert!(known.is_object(), "no span {name} in the conventions: {span:?}");
            check(&name, known, span, system);
        }
    }
}

/// The attributes of a span and of its links.
fn attributes(span: Span<'_>) -> impl Iterator<Item = &KeyValue> {
    span.data().attributes.iter().chain(span.links().iter().flat_map(|link| &link.attributes))
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::I64(_) => "int",
        Value::F64(_) => "double",
        Value::String(_) => "string",
        Value::Array(Array::String(_)) => "string[]",
        _ => "none that is used",
    }
}

#[test]
fn the_conventions_know_every_span_and_its_kind() {
    let mut seen = BTreeSet::new();
    each_messaging_span(|name, known, span, _| {
        assert_eq!(known["kind"], span.kind());
        seen.insert(name.to_owned());
    });
    let facts: Json = serde_json::from_str(FACTS).expect("facts in JSON");
    let known = facts["spans"].as_object().expect("spans");
    assert!(known.keys().eq(&seen), "each was made: {seen:?}");
}

#[test]
fn what_is_required_is_there_but_for_a_system_that_nobody_told() {
    let (mut told, mut untold) = (0, 0);
    each_messaging_span(|name, known, span, system| {
        for (key, attribute) in known["attributes"].as_object().expect("attributes") {
            let is_required = attribute["level"] == "required" || key == "messaging.operation.type";
            if !is_required || (key == "messaging.system" && system.is_none()) {
                continue;
            }
            assert!(span.attribute(key).is_some(), "{name} without {key}: {span:?}");
        }
        if system.is_some() {
            told += 1;
        } else {
            span.has_no_attribute("messaging.system");
            untold += 1;
        }
    });
    assert_eq!(told, untold, "the same spans");
}

#[test]
fn a_failed_operation_has_an_error_type_and_another_no_status() {
    each_messaging_span(|_, _, span, _| {
        let is_error = matches!(span.data().status, Status::Error { .. });
        assert_eq!(span.attribute("error.type").is_some(), is_error, "{span:?}");
        assert!(is_error || span.data().status == Status::Unset, "{span:?}");
    });
}

#[test]
fn attributes_of_messaging_are_of_the_conventions_and_of_their_types() {
    let facts: Json = serde_json::from_str(FACTS).expect("facts in JSON");
    let is_in = |list: &str, value: &Value| {
        let list = facts[list].as_array().expect("a list");
        list.iter().any(|it| it == value.as_str().as_ref())
    };
    each_messaging_span(|name, known, span, _| {
        for attribute in attributes(span) {
            let (key, value) = (attribute.key.as_str(), &attribute.value);
            let known = &known["attributes"][key];
            match (key, known["type"].as_str()) {
                ("messaging.operation.type", _) => assert!(is_in("operation_types", value)),
                // The list is open, and what never leaves the process has a word of ours.
                ("messaging.system", _) => {
                    assert!(is_in("systems", value) || value.as_str() == "in_process", "{value}");
                }
                (_, Some("enum")) => assert_eq!(type_of(value), "string", "{key}"),
                (_, Some(known)) => assert_eq!(type_of(value), known, "{key}"),
                (key, None) => assert!(
                    OTHERS.contains(&key) || key.starts_with("throughline."),
                    "{key} is unknown on {name}: {span:?}"
                ),
            }
        }
    });
}

#[test]
fn each_key_is_on_a_span_once() {
    for (_, traces) in all_traces() {
        for span in traces.all() {
            let mut seen = BTreeSet::new();
            let mut keys = span.data().attributes.iter().map(|it| it.key.as_str());
            assert!(keys.all(|key| seen.insert(key)), "{span:?}");
        }
    }
}

#[test]
fn a_span_of_no_messaging_operation_says_nothing_of_messaging() {
    let mut names = BTreeSet::new();
    for (_, traces) in all_traces() {
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
    let facts: Json = serde_json::from_str(FACTS).expect("facts in JSON");
    let version = facts["version"].as_str().and_then(|it| it.strip_prefix('v')).expect("a version");
    assert!(SEMCONV.contains(&format!("https://opentelemetry.io/schemas/{version}\"")));
}
