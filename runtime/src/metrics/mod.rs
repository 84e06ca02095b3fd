//! What is measured beside the spans: the metrics of the messaging conventions, and some of our own.
//!
//! A span's draft carries a [`Measured`] with it, and the span's end records it: the same code path
//! for every kind of span, and none that depends on a sampler or a filter.

mod instruments;
mod names;
mod received;

use std::borrow::Cow;
use std::time::{Duration, Instant};

use opentelemetry::{KeyValue, StringValue};

use crate::carrier::Agreement;
use crate::relation::Placement;
use crate::semconv::{key, operation};

/// What is known of one operation before it ends.
///
/// Attributes are those of which there are few: what the user wrote, the names of a closed list, and
/// a template. Never what only a message tells, such as its destination's plain name or its id.
#[derive(Debug)]
pub(crate) struct Measured {
    operation_type: &'static str,
    /// Whether that is told.
    is_typed: bool,
    attributes: Vec<KeyValue>,
    messages: usize,
    /// Of a handler alone.
    handling: Option<Handling>,
    /// None where there is no clock.
    started: Option<Instant>,
}

#[derive(Debug)]
struct Handling {
    relation: [Option<KeyValue>; 2],
    left_out: usize,
    /// How long each message, whose time is known, waited until its handling began.
    waited: Vec<Duration>,
    /// Whether a poll has counted these messages already.
    is_counted: bool,
}

impl Measured {
    /// An operation that begins now, on so many messages.
    pub(crate) fn new(
        operation_type: &'static str,
        operation_name: Cow<'static, str>,
        facts: &Agreement<'_>,
        messages: usize,
    ) -> Self {
        let mut attributes = vec![KeyValue::new(key::OPERATION_NAME, operation_name)];
        facts.add_attributes_of_few_values(&mut attributes, operation_type);
        Self {
            operation_type,
            is_typed: true,
            attributes,
            messages,
            handling: None,
            started: clock(),
        }
    }

    /// The conventions know no type of such an operation.
    pub(crate) fn has_no_type(&mut self) {
        self.is_typed = false;
    }

    /// Adds what only a handler has.
    pub(crate) fn handling(
        mut self,
        placement: &Placement,
        waited: Vec<Duration>,
        facts: &Agreement<'_>,
    ) -> Self {
        let kind = KeyValue::new(key::RELATION_KIND, placement.kind.as_str());
        let reason = placement.reason.map(|why| KeyValue::new(key::RELATION_REASON, why.as_str()));
        self.handling = Some(Handling {
            relation: [Some(kind), reason],
            left_out: placement.left_out,
            waited,
            is_counted: received::counts(facts.system(), facts.destination_for_a_name()),
        });
        self
    }

    /// Adds what a poll brought.
    pub(crate) fn bring(&mut self, facts: &Agreement<'_>, messages: usize) {
        let mut brought = Vec::new();
        facts.add_attributes_of_few_values(&mut brought, self.operation_type);
        for attribute in brought {
            if self.attribute(attribute.key.as_str()).is_none() {
                self.attributes.push(attribute);
            }
        }
        self.messages = messages;
        if messages > 0 {
            let system = self.attribute(key::SYSTEM);
            let given = self.attribute(key::DESTINATION_NAME);
            let destination = given.as_deref().or_else(|| facts.destination_for_a_name());
            received::add(system.as_deref(), destination);
        }
    }

    fn attribute(&self, key: &str) -> Option<Cow<'_, str>> {
        let known = self.attributes.iter().find(|known| known.key.as_str() == key);
        known.map(|known| known.value.as_str())
    }

    /// Records all of it: the operation has ended, failed if there is an `error_type`.
    pub(crate) fn record(self, error_type: Option<&Cow<'static, str>>, is_retried: bool) {
        let instruments = instruments::current();
        let Self { operation_type, is_typed, mut attributes, messages, handling, started, .. } =
            self;
        let took = started.map(|started| started.elapsed());
        let messages = messages as u64;

        if let Some(handling) = &handling {
            for waited in &handling.waited {
                instruments.wait_duration.record(waited.as_secs_f64(), &attributes);
            }
            if handling.left_out > 0 {
                instruments.links_left_out.add(handling.left_out as u64, &attributes);
            }
            let common = attributes.len();
            attributes.extend(handling.relation.iter().flatten().cloned());
            instruments.relations.add(1, &attributes);
            attributes.truncate(common);
        }

        let error_type = error_type.map(|it| StringValue::from(it.clone()));
        attributes.extend(error_type.map(|it| KeyValue::new(key::ERROR_TYPE, it)));
        match operation_type {
            operation::SEND => instruments.sent_messages.add(messages, &attributes),
            // A poll that brings nothing delivers nothing.
            operation::RECEIVE if messages > 0 => {
                instruments.consumed_messages.add(messages, &attributes);
            }
            _ => {}
        }
        match (handling, took) {
            (Some(handling), took) => {
                if !handling.is_counted {
                    instruments.consumed_messages.add(messages, &attributes);
                }
                let Some(took) = took else { return };
                instruments.process_duration.record(took.as_secs_f64(), &attributes);
                // What will be tried again is not handled yet.
                if !is_retried {
                    for waited in handling.waited {
                        let since_sent = (waited + took).as_secs_f64();
                        instruments.handled_duration.record(since_sent, &attributes);
                    }
                }
            }
            (None, Some(took)) => {
                attributes
                    .extend(is_typed.then(|| KeyValue::new(key::OPERATION_TYPE, operation_type)));
                instruments.operation_duration.record(took.as_secs_f64(), &attributes);
            }
            (None, None) => {}
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", not(target_os = "wasi"))))]
#[expect(clippy::unnecessary_wraps, reason = "on wasm32 without a host there is no clock")]
fn clock() -> Option<Instant> {
    Some(Instant::now())
}

/// There is no clock to ask on wasm32 without a host.
#[cfg(all(target_arch = "wasm32", not(target_os = "wasi")))]
fn clock() -> Option<Instant> {
    None
}
