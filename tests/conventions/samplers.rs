//! What the conventions call relevant for sampling is there when a span is made, for samplers see no more.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry::{Context, KeyValue, Value};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, ShouldSample};
use throughline::testing::{Capture, Span};

use crate::making::{Making, made};
use crate::page::PAGE;
use crate::{declared, is_messaging};

/// What a sampler was asked about one span.
#[derive(Debug)]
struct Question {
    trace: TraceId,
    name: String,
    kind: SpanKind,
    attributes: Vec<KeyValue>,
}

#[derive(Debug, Clone, Default)]
struct Asked(Arc<Mutex<Vec<Question>>>);

impl ShouldSample for Asked {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let question = Question {
            trace,
            name: name.to_owned(),
            kind: kind.clone(),
            attributes: attributes.to_vec(),
        };
        self.0.lock().expect("no panic").push(question);
        Sampler::AlwaysOn.should_sample(parent, trace, name, kind, attributes, links)
    }
}

impl Question {
    fn is_about(&self, span: Span<'_>) -> bool {
        self.trace == span.data().span_context.trace_id()
            && self.name == span.name()
            && self.kind == span.data().span_kind
    }
}

#[test]
fn what_is_relevant_for_sampling_is_there_when_a_span_is_made() {
    made(); // first, for what is counted there
    let spans = declared();
    let mut checked = 0;
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        let asked = Asked::default();
        let traces = Making { system: Some("kafka") }.spans(capture.sampler(asked.clone()));
        let asked = asked.0.lock().expect("no panic");
        for span in traces.all().into_iter().filter(is_messaging) {
            let operation = span.attribute("messaging.operation.type").map(Value::as_str);
            let operation = operation.unwrap_or_default();
            // What a poll brings is not known before it is over.
            if operation == "receive" {
                continue;
            }
            let id = format!("messaging.kafka.{operation}.{}", span.kind());
            let relevant = span.data().attributes.iter().filter(|it| {
                let of_span = spans.spans()[&id].attributes.get(it.key.as_str());
                of_span.is_some_and(|it| it.is_sampling_relevant)
            });
            let relevant: Vec<_> = relevant.collect();
            let is_told = |question: &Question| {
                relevant.iter().all(|attribute| question.attributes.contains(attribute))
            };
            let mut about = asked.iter().filter(|question| question.is_about(span));
            assert!(about.any(is_told), "{relevant:?} of {span:?}");
            checked += relevant.len();
        }
    }
    assert!(checked > 0);
}

/// What an outcome adds when the span ends.
const OF_OUTCOMES: [&str; 3] =
    ["error.type", "throughline.outcome.name", "throughline.outcome.reason"];

/// The attributes that a sampler does not see through `tracing`, as the page has them.
fn late_on_the_page() -> BTreeSet<&'static str> {
    let (_, rest) = PAGE.split_once("where each costs a look-up before the start:").expect("it");
    let (sentence, _) = rest.split_once("They are set").expect("its end");
    sentence.split('`').skip(1).step_by(2).collect()
}

#[test]
fn what_samplers_do_not_see_through_tracing_is_what_the_page_says_and_by_the_api_they_see_all() {
    made(); // first, for what is counted there
    let (mut late, mut late_by_the_api) = (BTreeSet::new(), BTreeSet::new());
    for system in ["kafka", "rabbitmq"] {
        for (capture, late) in
            [(Capture::new(), &mut late), (Capture::new().without_tracing(), &mut late_by_the_api)]
        {
            let asked = Asked::default();
            let traces = Making { system: Some(system) }.spans(capture.sampler(asked.clone()));
            let asked = asked.0.lock().expect("no panic");
            for span in traces.all() {
                let operation = span.attribute("messaging.operation.type").map(Value::as_str);
                if matches!(operation.as_deref(), Some("receive" | "settle")) {
                    continue;
                }
                let about: Vec<_> = asked.iter().filter(|it| it.is_about(span)).collect();
                let [question] = about[..] else { continue };
                let is_seen =
                    |key: &str| question.attributes.iter().any(|it| it.key.as_str() == key);
                let keys = span.data().attributes.iter().map(|it| it.key.as_str());
                late.extend(keys.filter(|key| !is_seen(key)).map(str::to_owned));
            }
        }
    }
    for late in [&mut late, &mut late_by_the_api] {
        late.retain(|key| !OF_OUTCOMES.contains(&&**key));
    }
    assert_eq!(late, late_on_the_page().into_iter().map(str::to_owned).collect());
    assert_eq!(late_by_the_api, BTreeSet::new());
}
