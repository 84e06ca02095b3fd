//! Every span that can be made is one that the messaging conventions know: its kind, its required
//! attributes, their types and values. What is beside them is declared in a registry of our own.
//!
//! `conventions/messaging-v1.44.0.json` holds what the conventions say. `messaging.system` is
//! required there, and we can't know it where neither the message nor the user tells it. So the
//! same spans are made twice: told a system by their messages, or by the user where there is no
//! message to tell it, and told none.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, SystemTime};

use opentelemetry::trace::Status;
use opentelemetry::{Array, KeyValue, Value};
use serde_json::Value as Json;
use throughline::testing::{Capture, Span, Traces};
use throughline::{
    Existing, Facts, HeaderReader, IntoOutcome, Message, MessageMut, Outcome, Relation,
    TraceContext, Traced, async_consumer, async_task,
};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, UNSAMPLED_SENDER, headers};

const FACTS: &str = include_str!("conventions/messaging-v1.44.0.json");
const REGISTRY: &str = include_str!("../docs/registry/throughline.yaml");
const SEMCONV: &str = include_str!("../runtime/src/semconv.rs");

/// Attributes of spans that are neither messaging's nor ours.
const OTHERS: [&str; 2] = ["error.type", "code.function.name"];

/// A message that tells all that a message can, but for the size of its body.
#[derive(Clone)]
struct Record {
    headers: Headers,
    system: Option<&'static str>,
    id: &'static str,
    body_size: Option<u64>,
    sent: Option<SystemTime>,
}

impl Message for Record {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.system(self.system.unwrap_or_default()).destination("orders.eu").id(self.id);
        facts.destination_template("orders.{region}").conversation_id("c1").attempt(2);
        self.sent.map(|sent| facts.sent_at(sent).attempt(3));
        self.body_size.map(|size| facts.body_size(size).attempt(4));
    }
}

impl MessageMut for Record {
    fn set_header(&mut self, name: &str, value: &str) {
        self.headers.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.headers.remove_header(name);
    }

    fn tells_when_it_was_sent(&self) -> bool {
        self.sent.is_some()
    }
}

struct Settled;

impl IntoOutcome for Settled {
    fn outcome(&self) -> Outcome {
        Outcome::error("CardBusy").retried()
    }
}

type Handled = Result<(), String>;

#[async_consumer(mode = relation, capture_headers = ["Tenant"])]
fn handle(#[message] message: &Record, relation: Relation, result: Handled) -> Handled {
    let _ = (message, relation);
    result
}

#[async_consumer(link, operation = "consume", name = "a name of its own")]
fn retried(message: &Record) -> Settled {
    handle(message, Relation::LINK, Ok(())).expect("inside it there is an internal span");
    Settled
}

#[async_consumer(mode = relation, capture_headers = ["tenant"], max_links = 3)]
fn handle_all(#[message] messages: &[Record], relation: Relation) {
    let _ = (messages, relation);
}

#[async_consumer(link)]
fn without_a_destination(message: &Headers) {
    let _ = message;
}

#[async_task(link)]
fn task() {}

/// Makes a span of every form in which there is one.
struct Making {
    system: Option<&'static str>,
}

impl Making {
    fn message(&self, pairs: &[(&str, &str)]) -> Record {
        let headers = headers(pairs);
        Record { headers, system: self.system, id: "a1", body_size: Some(12), sent: None }
    }

    fn from(&self, sender: &str, id: &'static str) -> Record {
        Record { id, ..self.message(&[("traceparent", sender), ("tenant", id)]) }
    }

    fn spans(&self, capture: Capture) -> Traces {
        capture.run_sync(|| {
            throughline::task("request").run_sync(|| {
                self.handled();
                self.handled_together();
                self.sent();
                self.created();
                self.received();
                self.settled();
                task();
                let origin = TraceContext::begin("approval");
                origin.add_step("approve");
                Ok::<_, String>(())
            })
        })
    }

    fn handled(&self) {
        let message = self.from(SENDER, "a1");
        let minute = Duration::from_secs(60);
        for relation in [
            Relation::LINK,
            Relation::LINK.nested(),
            Relation::CONTINUE,
            Relation::IGNORE,
            Relation::CONTINUE.within(minute),
            Relation::CONTINUE.max_hops(3),
        ] {
            assert!(handle(&message, relation, Ok(())).is_ok());
        }
        let old = Record { sent: SystemTime::now().checked_sub(60 * minute), ..message.clone() };
        let _ = handle(&old, Relation::CONTINUE.within(minute), Err("refused".to_owned()));
        let _ = handle(&self.message(&[]), Relation::CONTINUE, Ok(()));
        for (name, value) in [
            ("traceparent", "nonsense"),
            ("tracestate", "throughline=hops:9"),
            ("throughline-break", "1"),
            ("throughline-attempt", OTHER_SENDER),
        ] {
            let message = self.message(&[("traceparent", SENDER), (name, value)]);
            let _ = handle(&message, Relation::CONTINUE.max_hops(3), Ok(()));
        }
        let _ = retried(&message);
        let _panicked = catch_unwind(AssertUnwindSafe(|| {
            throughline::consume("panicking").run_sync(&message, || -> () {
                resume_unwind(Box::new("a panic"));
            });
        }));
        drop(throughline::consume("cancelled").start(&message));
        if self.system.is_none() {
            without_a_destination(&headers(&[]));
        } else {
            throughline::consume("unpack").run_sync(&Traced::new(7), || ());
        }
    }

    fn handled_together(&self) {
        let batch = [
            self.from(SENDER, "a1"),
            self.from(SENDER, "a2"),
            self.from(OTHER_SENDER, "a3"),
            self.from(UNSAMPLED_SENDER, "a4"),
            self.message(&[]),
        ];
        for relation in [Relation::LINK, Relation::CONTINUE, Relation::IGNORE] {
            handle_all(&batch, relation);
        }
        handle_all(&batch[..1], Relation::LINK);
        handle_all(&batch[4..], Relation::LINK);
    }

    fn sent(&self) {
        let produce = || throughline::produce("publish");
        for message in [self.message(&[]), self.from(SENDER, "a1")] {
            for result in [Ok(()), Err("no broker")] {
                produce().run_sync(&mut message.clone(), |_| result).ok();
            }
            for existing in [Existing::Keep, Existing::Replace] {
                produce().existing(existing).run_sync(&mut message.clone(), |_| ());
            }
            produce().retry(true).run_sync(&mut message.clone(), |_| ());
            produce().new_trace(true).run_sync(&mut message.clone(), |_| ());
        }
        for mut batch in [
            vec![self.message(&[]), self.from(SENDER, "a1"), self.from(SENDER, "a2")],
            vec![self.from(SENDER, "a1"), self.from(OTHER_SENDER, "a2")],
            vec![self.message(&[]), self.message(&[])],
        ] {
            produce().run_sync(&mut batch, |_| ());
            produce().run_sync(&mut batch, |_| Err::<(), _>("no broker")).ok();
        }
    }

    fn created(&self) {
        for result in [Ok(()), Err("no memory")] {
            throughline::create("order").run_sync(&mut self.message(&[]), |_| result).ok();
        }
    }

    fn received(&self) {
        let poll = || {
            let poll = throughline::receive("poll").operation("poll");
            match self.system {
                // Before the messages are there, and where there are none, only the user knows.
                Some(system) => poll.system(system).destination("orders.eu"),
                None => poll.destination("orders.eu"),
            }
        };
        let record = || self.from(SENDER, "a1");
        poll().run_sync(|| Some(record()));
        poll().run_sync(|| None::<Record>);
        poll().run_sync(|| vec![record(), self.from(OTHER_SENDER, "a2"), self.message(&[])]);
        poll().run_sync(Vec::<Record>::new);
        poll().run_sync(|| Err::<Vec<Record>, _>(std::fmt::Error)).ok();
        throughline::receive("poll").run_sync(record);
    }

    fn settled(&self) {
        let settle = || throughline::settle("ack");
        // The size of a body is none of a settlement's attributes.
        let record = |sender, id| Record { body_size: None, ..self.from(sender, id) };
        let batch = [record(SENDER, "a1"), record(OTHER_SENDER, "a2"), record(SENDER, "a3")];
        settle().run_sync(&batch[0], || ());
        settle().run_sync(&batch[..], || ());
        settle().run_sync(&batch[1], || Err::<(), _>("no broker")).ok();
    }
}

/// The spans that are told a system, and those that are told none, in both worlds.
fn all_traces() -> Vec<(Option<&'static str>, Traces)> {
    let mut all = Vec::new();
    for system in [Some("kafka"), None] {
        for capture in [Capture::new(), Capture::new().without_tracing()] {
            all.push((system, Making { system }.spans(capture)));
        }
    }
    all
}

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
        match system {
            Some(_) => told += 1,
            None => {
                span.has_no_attribute("messaging.system");
                untold += 1;
            }
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

/// What the registry declares: each attribute with its type, or with its values.
fn declared() -> BTreeMap<&'static str, (Option<&'static str>, BTreeSet<&'static str>)> {
    let mut declared = BTreeMap::<_, (Option<_>, BTreeSet<_>)>::new();
    let mut current = None;
    for line in REGISTRY.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let (6, Some(id)) = (indent, text.strip_prefix("- id: ")) {
            declared.entry(id).or_default();
            current = Some(id);
        }
        let Some(attribute) = current.and_then(|id| declared.get_mut(id)) else { continue };
        if let (8, Some(of_type)) = (indent, text.strip_prefix("type: ")) {
            attribute.0 = Some(of_type);
        } else if let Some(value) = text.strip_prefix("value: ") {
            attribute.1.insert(value);
        }
    }
    declared
}

#[test]
fn what_is_ours_is_declared_with_its_type_and_its_values() {
    let declared = declared();
    let mut seen = BTreeSet::new();
    for (_, traces) in all_traces() {
        for attribute in traces.all().into_iter().flat_map(attributes) {
            let key = attribute.key.as_str();
            if !key.starts_with("throughline.") {
                continue;
            }
            let is_template = |id: &str| {
                key.strip_prefix(id).is_some_and(|rest| rest.starts_with('.'))
                    && declared[id].0.is_some_and(|it| it.starts_with("template"))
            };
            let id = declared.keys().find(|id| **id == key || is_template(id));
            let (id, (of_type, values)) = id
                .and_then(|id| declared.get_key_value(id))
                .unwrap_or_else(|| panic!("{key} is not declared"));
            match of_type {
                Some(of_type) => {
                    let of_each = of_type.strip_prefix("template[");
                    let of_each = of_each.and_then(|it| it.strip_suffix(']'));
                    assert_eq!(type_of(&attribute.value), of_each.unwrap_or(of_type), "{key}");
                }
                None => {
                    let value = attribute.value.as_str().into_owned();
                    assert!(values.contains(value.as_str()), "{key} = {value}");
                    seen.insert(format!("{id} = {value}"));
                }
            }
            seen.insert((*id).to_owned());
        }
    }
    let all = declared.iter().flat_map(|(id, (_, values))| {
        let values = values.iter().map(move |value| format!("{id} = {value}"));
        std::iter::once((*id).to_owned()).chain(values)
    });
    let never: Vec<_> = all.filter(|declared| !seen.contains(declared)).collect();
    assert!(never.is_empty(), "declared, and never seen: {never:?}");
}

#[test]
fn the_registry_declares_what_the_code_knows() {
    let in_code: BTreeSet<_> = SEMCONV
        .split('"')
        .skip(1)
        .step_by(2)
        .filter_map(|text| text.strip_prefix("throughline."))
        .map(|key| key.trim_end_matches(".{}"))
        .collect();
    let declared = declared();
    let declared: BTreeSet<_> =
        declared.keys().filter_map(|key| key.strip_prefix("throughline.")).collect();
    assert_eq!(in_code, declared);
}

#[test]
fn the_version_of_the_facts_is_the_one_that_the_spans_say_they_follow() {
    let facts: Json = serde_json::from_str(FACTS).expect("facts in JSON");
    let version = facts["version"].as_str().and_then(|it| it.strip_prefix('v')).expect("a version");
    assert!(SEMCONV.contains(&format!("https://opentelemetry.io/schemas/{version}\"")));
}
