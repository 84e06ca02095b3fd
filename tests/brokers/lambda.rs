//! A function on AWS Lambda: the events as they come, one call after the other, as the runtime makes
//! them, and what has been sent when the function is frozen.

use std::fmt;
use std::time::Duration;

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, InMemorySpanExporter, SdkTracerProvider, SpanData,
};
use serde_json::json;
use throughline::async_consumer;
use throughline::testing::{Span, Traces};
use throughline_tests::{OTHER_SENDER, SENDER, in_both_worlds, in_span};
use tracing::instrument::WithSubscriber;
use tracing_subscriber::layer::SubscriberExt as _;

#[derive(Debug)]
struct CardRefused;

impl fmt::Display for CardRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no funds")
    }
}

#[async_consumer(link, nested)]
fn charge_card(order: &SqsMessage) -> Result<(), CardRefused> {
    match order.body.as_deref() {
        Some("expensive") => Err(CardRefused),
        _ => Ok(()),
    }
}

fn charge_all(orders: &SqsEvent) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for order in &orders.records {
        if charge_card(order).is_err() {
            response.add_failure(order.message_id.clone().expect("an id"));
        }
    }
    response
}

/// Where there is no span for the call itself.
#[async_consumer(link)]
fn charge_passive(orders: &SqsEvent) -> SqsBatchResponse {
    charge_all(orders)
}

/// Where there is one.
#[async_consumer(link, nested)]
fn charge_active(orders: &SqsEvent) -> SqsBatchResponse {
    charge_all(orders)
}

/// An event with the two messages, as Lambda writes it.
fn event(bodies: [&str; 2]) -> SqsEvent {
    let record = |(id, sender, body): (&str, &str, &str)| {
        json!({
            "messageId": id,
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1545082649183",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1545082649185"
            },
            "messageAttributes": {
                "traceparent": {
                    "stringValue": sender,
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": "String"
                }
            },
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-2:123456789012:Q",
            "awsRegion": "us-east-2"
        })
    };
    let records = [("a1", SENDER, bodies[0]), ("a2", OTHER_SENDER, bodies[1])].map(record);
    serde_json::from_value(json!({ "Records": records })).expect("an event")
}

/// The batch's span and those of its messages, each with its message's id.
fn batch_and_messages(traces: &Traces) -> (Span<'_>, Vec<(Span<'_>, String)>) {
    let (mut batches, mut messages) = (Vec::new(), Vec::new());
    for span in traces.spans("process Q") {
        span.is_kind("consumer")
            .has_attribute("messaging.operation.type", "process")
            .has_attribute("messaging.system", "aws_sqs")
            .has_attribute("messaging.destination.name", "Q");
        match span.attribute("messaging.message.id") {
            Some(id) => messages.push((span, id.to_string())),
            None => batches.push(span),
        }
    }
    assert_eq!(batches.len(), 1, "{traces}");
    (batches[0], messages)
}

/// T10 of the conventions' example traces.
#[test]
fn a_batch_links_to_every_sender_and_each_message_to_its_own() {
    let check = |traces: &Traces, parent: Option<&str>| {
        let (batch, messages) = batch_and_messages(traces);
        batch
            .has_links(2)
            .has_attribute("messaging.batch.message_count", 2)
            .has_link_attribute(SENDER, "messaging.message.id", "a1")
            .has_link_attribute(OTHER_SENDER, "messaging.message.id", "a2")
            .status_is_unset();
        match parent {
            Some(parent) => batch.is_child_of(parent),
            None => batch.is_root(),
        };
        assert_eq!(messages.len(), 2, "{traces}");
        for (span, id) in messages {
            let sender = if id == "a1" { SENDER } else { OTHER_SENDER };
            span.links_to(sender)
                .has_links(1)
                .has_no_attribute("messaging.batch.message_count")
                .status_is_unset();
            assert_eq!(span.parent_span_id(), Some(batch.span_id()));
        }
    };
    in_both_worlds(|capture| {
        check(&capture.run_sync(|| charge_passive(&event(["tea", "lemons"]))), None);
    });
    in_both_worlds(|capture| {
        let call = || in_span("my-function", || charge_active(&event(["tea", "lemons"])));
        check(&capture.run_sync(call), Some("my-function"));
    });
}

#[test]
fn a_message_that_fails_is_an_error_and_its_batch_is_handled_in_part() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let response = charge_passive(&event(["tea", "expensive"]));
            assert_eq!(response.batch_item_failures.len(), 1);
            assert_eq!(response.batch_item_failures[0].item_identifier, "a2");
        });
        let (batch, messages) = batch_and_messages(&traces);
        batch
            .status_is_unset()
            .has_no_attribute("error.type")
            .has_attribute("throughline.outcome.name", "partial_failure")
            .has_attribute("throughline.outcome.reason", "batch_item_failures");
        for (span, id) in messages {
            match id.as_str() {
                "a1" => span.status_is_unset(),
                _ => span.is_error_with("no funds").has_attribute("error.type", "CardRefused"),
            };
        }
    });
}

/// Calls the function with one event after the other, and tells what was sent by the end of each call,
/// when the function is frozen.
async fn calls<R>(
    exporter: &InMemorySpanExporter,
    events: [SqsEvent; 2],
    function: impl AsyncFn(SqsEvent) -> R,
) -> Vec<usize> {
    let mut sent = Vec::new();
    for event in events {
        function(event).await;
        let spans: Vec<SpanData> = exporter.get_finished_spans().expect("not shut down");
        sent.push(spans.iter().filter(|span| span.name == "process Q").count());
    }
    sent
}

#[tokio::test]
async fn a_flush_after_the_batch_sends_its_spans_before_the_freeze() {
    let exporter = InMemorySpanExporter::default();
    let patient =
        BatchConfigBuilder::default().with_scheduled_delay(Duration::from_hours(1)).build();
    let processor =
        BatchSpanProcessor::builder(exporter.clone()).with_batch_config(patient).build();
    let provider = SdkTracerProvider::builder().with_span_processor(processor).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
    let events = || [event(["tea", "lemons"]), event(["lemons", "tea"])];

    async {
        let unflushed = async |event: SqsEvent| charge_passive(&event);
        assert_eq!(calls(&exporter, events(), unflushed).await, [0, 0]);

        let flushed = async |event: SqsEvent| {
            let response = charge_passive(&event);
            let traces = provider.clone();
            let flushed = tokio::task::spawn_blocking(move || traces.force_flush()).await;
            assert!(matches!(flushed, Ok(Ok(()))), "{flushed:?}");
            response
        };
        // Three spans a call: those of the calls without a flush come late.
        assert_eq!(calls(&exporter, events(), flushed).await, [9, 12]);
    }
    .with_subscriber(tracing_subscriber::registry().with(layer))
    .await;
}
