//! AWS Lambda by [`aws_lambda_events`](https://docs.rs/aws_lambda_events), version 1: feature
//! `aws_lambda_events-1`.
//!
//! ```
//! use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
//! use opentelemetry_sdk::trace::SdkTracerProvider;
//! # #[cfg(feature = "macros")] mod complete {
//! # use super::*;
//! use throughline::async_consumer;
//!
//! /// The whole batch: a span with a link to the sender of each message.
//! #[async_consumer(link)]
//! async fn charge_cards(orders: &SqsEvent) -> SqsBatchResponse {
//!     let mut response = SqsBatchResponse::default();
//!     for order in &orders.records {
//!         if charge_card(order).await.is_err() {
//!             response.add_failure(order.message_id.clone().unwrap_or_default());
//!         }
//!     }
//!     response
//! }
//!
//! /// One message: a span below that, with a link to its own sender.
//! #[async_consumer(link, nested)]
//! async fn charge_card(order: &SqsMessage) -> Result<(), PaymentError> {
//!     Ok(()) // charge it
//! }
//!
//! /// What `lambda_runtime::run` is given in a `service_fn`. `traces` is a clone of the application's
//! /// provider.
//! async fn on_event(orders: SqsEvent, traces: SdkTracerProvider) -> Result<SqsBatchResponse, Error> {
//!     let response = charge_cards(&orders).await;
//!     // The function is frozen when it has answered, with all spans that were not sent.
//!     if !matches!(tokio::task::spawn_blocking(move || traces.force_flush()).await, Ok(Ok(()))) {
//!         eprintln!("the traces of this call were not sent");
//!     }
//!     Ok(response)
//! }
//! # }
//! # type Error = Box<dyn std::error::Error + Send + Sync>;
//! # #[derive(Debug)] struct PaymentError;
//! # impl std::fmt::Display for PaymentError {
//! #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("refused") }
//! # }
//! # fn main() {}
//! ```
//!
//! A handler for a single message may `continue` instead, as any other; a batch can't be continued.
//! Where there is a span for the call of the function, `link, nested` puts the batch below it. With
//! the feature `metrics`, flush the meter provider as well.
//!
//! # Events
//!
//! | event | is |
//! |---|---|
//! | [`SqsEvent`], [`SqsEventObj`] | a batch of [`SqsMessage`]s or [`SqsMessageObj`]s |
//! | [`SnsEvent`], [`SnsEventObj`] | a batch of [`SnsRecord`]s or [`SnsRecordObj`]s; so is the message in one |
//! | [`KafkaEvent`] | a batch of [`KafkaRecord`]s, by topic and partition |
//!
//! They are read only. Lambda itself deletes, commits and tries again, so there is nothing to settle.
//!
//! # Messages of SQS
//!
//! They are read as [the page on SQS](crate::clients::aws_sdk_sqs_1) has it: attributes, then a
//! notification of SNS in the body (not in the body of an [`SqsMessageObj`], which is the user's own type),
//! then `AWSTraceHeader`. Lambda asks for all attributes by itself. The conventions' page on Lambda
//! looks at `AWSTraceHeader` alone; here it comes last, since somebody wrote a `traceparent` on purpose.
//!
//! | fact | from |
//! |---|---|
//! | `messaging.system` | `aws_sqs` |
//! | `messaging.destination.name` | the queue's name, of its ARN |
//! | `messaging.message.id` | the message's id |
//! | `messaging.message.body.size` | its body, where it is text |
//! | `throughline.message.age` | `SentTimestamp` |
//! | `throughline.message.attempt` | `ApproximateReceiveCount` |
//!
//! An [`SqsBatchResponse`] is an outcome. Without failures it is ok. With some, those messages are
//! delivered again, so it is no error but [retried](crate::Outcome::retried), named `partial_failure` and with
//! `batch_item_failures` as its reason; the span of each message tells what failed. Return it from the
//! handler as it is: in an `Ok(..)` nobody looks into it.
//!
//! # Messages of SNS
//!
//! | fact | from |
//! |---|---|
//! | `messaging.system` | `aws.sns` |
//! | `messaging.destination.name` | the topic's name, of its ARN |
//! | `messaging.message.id` | the message's id |
//! | `messaging.message.body.size` | the message, where it is text |
//! | `throughline.message.age` | its timestamp |
//!
//! # Records of Kafka
//!
//! Of a header that is there several times the last one counts.
//!
//! | fact | from |
//! |---|---|
//! | `messaging.system` | `kafka` |
//! | `messaging.destination.name`, `messaging.destination.partition.id`, `messaging.kafka.offset` | the record |
//! | `messaging.kafka.message.key` | the key, where it is printable text |
//! | `messaging.kafka.message.tombstone` | there is no value |
//! | `messaging.message.body.size` | the value |
//! | `throughline.message.age` | the timestamp |
//!
//! The event doesn't know its consumer group: say `consumer_group = ".."`.

use std::collections::HashMap;

use aws_lambda_events::encodings::Base64Data;
use aws_lambda_events::kafka::{KafkaEvent, KafkaRecord};
use aws_lambda_events::sns::{
    MessageAttribute, SnsEvent, SnsEventObj, SnsMessage, SnsMessageObj, SnsRecord, SnsRecordObj,
};
use aws_lambda_events::sqs::{
    SqsBatchResponse, SqsEvent, SqsEventObj, SqsMessage, SqsMessageAttribute, SqsMessageObj,
};
use serde::Serialize;

use super::super::{
    Batch, Facts, HeaderReader, HeaderValue, Message, Repeats, fact_values as fact,
};
use super::aws::{self, Attribute, queued};
use super::kafka;
use crate::semconv::system::{AWS_SNS, KAFKA};
use crate::{IntoOutcome, Outcome};

impl Batch for SqsEvent {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        self.records.each(visit);
    }
}

impl<T: Serialize> Batch for SqsEventObj<T> {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        self.records.each(visit);
    }
}

impl Message for SqsMessage {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        let xray_header = self.attributes.get("AWSTraceHeader").map(String::as_str);
        queued::read(Some(&self.message_attributes), self.body.as_deref(), xray_header, reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let (id, arn) = (self.message_id.as_deref(), self.event_source_arn.as_deref());
        describe_queued(facts, id, &self.attributes, arn);
        if let Some(body) = &self.body {
            facts.body_size(body.len() as u64);
        }
    }
}

impl<T: Serialize> Message for SqsMessageObj<T> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        let xray_header = self.attributes.get("AWSTraceHeader").map(String::as_str);
        queued::read(Some(&self.message_attributes), None, xray_header, reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let (id, arn) = (self.message_id.as_deref(), self.event_source_arn.as_deref());
        describe_queued(facts, id, &self.attributes, arn);
    }
}

fn describe_queued<'m>(
    facts: &mut Facts<'m>,
    id: Option<&'m str>,
    told_by_sqs: &HashMap<String, String>,
    arn: Option<&'m str>,
) {
    let told = |name| told_by_sqs.get(name).map(String::as_str);
    let (sent_at, receive_count) = (told("SentTimestamp"), told("ApproximateReceiveCount"));
    queued::describe(facts, id, sent_at, receive_count);
    if let Some(arn) = arn {
        facts.destination(aws::name_in_arn(arn));
    }
}

impl Attribute for SqsMessageAttribute {
    fn header_value(&self) -> Option<HeaderValue<'_>> {
        let bytes = || self.binary_value.as_deref().map(Into::into);
        self.string_value.as_ref().map(Into::into).or_else(bytes)
    }
}

impl IntoOutcome for SqsBatchResponse {
    fn outcome(&self) -> Outcome {
        if self.batch_item_failures.is_empty() {
            return Outcome::ok();
        }
        Outcome::error("batch_item_failures").retried().named("partial_failure")
    }
}

impl Batch for SnsEvent {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        self.records.each(visit);
    }
}

impl<T: Serialize> Batch for SnsEventObj<T> {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        self.records.each(visit);
    }
}

impl Message for SnsRecord {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.sns.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        self.sns.describe(facts);
    }
}

impl<T: Serialize> Message for SnsRecordObj<T> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.sns.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        self.sns.describe(facts);
    }
}

impl Message for SnsMessage {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        aws::read(&self.message_attributes, reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let sent_at_ms = self.timestamp.timestamp_millis();
        describe_published(facts, &self.message_id, &self.topic_arn, sent_at_ms);
        facts.body_size(self.message.len() as u64);
    }
}

impl<T: Serialize> Message for SnsMessageObj<T> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        aws::read(&self.message_attributes, reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let sent_at_ms = self.timestamp.timestamp_millis();
        describe_published(facts, &self.message_id, &self.topic_arn, sent_at_ms);
    }
}

fn describe_published<'m>(facts: &mut Facts<'m>, id: &'m str, arn: &'m str, sent_at_ms: i64) {
    facts.own_system(AWS_SNS).id(id).destination(aws::name_in_arn(arn));
    if let Some(sent) = fact::unix_ms(&sent_at_ms) {
        facts.sent_at(sent);
    }
}

impl Attribute for MessageAttribute {
    fn header_value(&self) -> Option<HeaderValue<'_>> {
        Some((&self.value).into())
    }
}

impl Batch for KafkaEvent {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        let mut partitions: Vec<_> = self.records.iter().collect();
        partitions.sort_unstable_by_key(|(partition, _)| *partition);
        for (_, records) in partitions {
            records.each(visit);
        }
    }
}

impl Message for KafkaRecord {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        reader.repeats(Repeats::LastCounts);
        for (name, value) in self.headers.iter().flatten() {
            // Java's bytes have a sign.
            let bytes: Vec<u8> = value.iter().flat_map(|byte| byte.to_ne_bytes()).collect();
            reader.header(name, bytes);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(KAFKA).partition(self.partition.to_string());
        if let Some(topic) = &self.topic {
            facts.destination(topic);
        }
        if let Ok(offset) = self.offset.try_into() {
            facts.kafka_offset(offset);
        }
        let key = self.key.as_deref().and_then(decoded);
        if let Some(key) = key.as_deref().and_then(kafka::printable) {
            facts.kafka_key(key.to_owned());
        }
        match self.value.as_deref() {
            None => facts.kafka_tombstone(),
            Some(value) => facts.body_size(decoded_size(value)),
        };
        if let Some(sent) = fact::unix_ms(&self.timestamp.timestamp_millis()) {
            facts.sent_at(sent);
        }
    }
}

/// Keys and values stand in an event as base64.
fn decoded(base64: &str) -> Option<Vec<u8>> {
    serde_json::from_value(base64.into()).ok().map(|bytes: Base64Data| bytes.0)
}

/// Four letters of base64 are three bytes, but for those that fill up the end.
fn decoded_size(base64: &str) -> u64 {
    (base64.trim_end_matches('=').len() as u64) * 3 / 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceContext;
    use crate::testing::capture_sync;

    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER_SENDER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";
    const BY_XRAY: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

    fn queued(json: &str) -> SqsMessage {
        let attributes = r#""attributes": {
            "ApproximateReceiveCount": "2",
            "SentTimestamp": "1520621625029",
            "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
        }"#;
        let arn = "arn:aws:sqs:us-west-2:123456789012:orders";
        let json = format!(
            r#"{{"messageId": "a1", "eventSourceARN": "{arn}", "body": "two lemons", {attributes}, {json}}}"#
        );
        serde_json::from_str(&json.replace("SENDER", SENDER)).expect("a message")
    }

    fn traceparent_of<M: Message>(message: &M) -> Option<String> {
        TraceContext::read_from(message).traceparent()
    }

    #[test]
    fn a_message_of_sqs_is_read_by_its_attributes_then_by_what_x_ray_says() {
        let with = |attribute: &str| {
            traceparent_of(&queued(&format!(
                r#""messageAttributes": {{"Traceparent": {attribute}}}"#
            )))
        };
        let text = r#"{"dataType": "String", "stringValue": "SENDER"}"#;
        assert_eq!(with(text).as_deref(), Some(SENDER));
        let bytes = r#"{"dataType": "Binary", "binaryValue":
            "MDAtMGFmNzY1MTkxNmNkNDNkZDg0NDhlYjIxMWM4MDMxOWMtYjdhZDZiNzE2OTIwMzMzMS0wMQ=="}"#;
        assert_eq!(with(bytes).as_deref(), Some(SENDER));
        assert_eq!(with(r#"{"dataType": "String"}"#), None, "somebody meant to say something");
        let without = queued(r#""messageAttributes": {}"#);
        assert_eq!(traceparent_of(&without).as_deref(), Some(BY_XRAY));
    }

    #[test]
    fn a_body_of_the_users_own_type_changes_nothing_else() {
        let text = r#"{"dataType": "String", "stringValue": "SENDER"}"#;
        let text = queued(&format!(r#""messageAttributes": {{"traceparent": {text}}}"#));
        let mut json = serde_json::to_value(&text).expect("JSON");
        json["body"] = r#"{"lemons": 2}"#.into();
        let object: SqsMessageObj<serde_json::Value> =
            serde_json::from_value(json).expect("a message");
        assert_eq!(traceparent_of(&object).as_deref(), Some(SENDER));
        let traces = capture_sync(|| crate::consume("handle").run_sync(&object, || ()));
        traces.span("process orders").has_attribute("messaging.message.id", "a1");
    }

    #[test]
    fn a_message_of_sqs_tells_its_facts() {
        let message = queued(r#""messageAttributes": null"#);
        let traces = capture_sync(|| crate::consume("handle").run_sync(&message, || ()));
        let span = traces
            .span("process orders")
            .links_to(BY_XRAY)
            .has_attribute("messaging.system", "aws_sqs")
            .has_attribute("messaging.message.id", "a1")
            .has_attribute("messaging.message.body.size", 10)
            .has_attribute("throughline.message.attempt", 2);
        assert!(span.attribute("throughline.message.age").is_some());
    }

    #[test]
    fn a_message_of_sns_is_read_and_tells_its_facts() {
        let event: SnsEvent = serde_json::from_str(
            &r#"{"Records": [{
                "EventVersion": "1.0",
                "EventSubscriptionArn": "arn:aws:sns:us-east-1:246796806071:orders:228cc6c9",
                "EventSource": "aws:sns",
                "Sns": {
                    "Type": "Notification",
                    "MessageId": "a1",
                    "TopicArn": "arn:aws:sns:us-east-1:246796806071:orders",
                    "Message": "two lemons",
                    "Timestamp": "2015-08-18T18:02:32.111Z",
                    "SignatureVersion": "1",
                    "Signature": "",
                    "SigningCertURL": "",
                    "UnsubscribeURL": "",
                    "MessageAttributes": {"TraceParent": {"Type": "String", "Value": "SENDER"}}
                }
            }]}"#
                .replace("SENDER", SENDER),
        )
        .expect("an event");
        let traces = capture_sync(|| crate::consume("handle").run_sync(&event, || ()));
        let span = traces
            .span("process orders")
            .links_to(SENDER)
            .has_attribute("messaging.system", "aws.sns")
            .has_attribute("messaging.message.id", "a1")
            .has_attribute("messaging.message.body.size", 10)
            .has_attribute("messaging.batch.message_count", 1);
        assert!(span.attribute("throughline.message.age").is_some());

        let mut json = serde_json::to_value(&event).expect("JSON");
        json["Records"][0]["Sns"]["Message"] = r#"{"lemons": 2}"#.into();
        let event: SnsEventObj<serde_json::Value> = serde_json::from_value(json).expect("an event");
        let traces = capture_sync(|| crate::consume("handle").run_sync(&event, || ()));
        traces.span("process orders").links_to(SENDER).has_attribute("messaging.message.id", "a1");
    }

    fn record(headers: &[(&str, &[u8])]) -> KafkaRecord {
        let signed = |byte: &u8| i8::from_ne_bytes([*byte]);
        let header = |(name, value): &(&str, &[u8])| {
            HashMap::from([((*name).to_owned(), value.iter().map(signed).collect())])
        };
        let json = r#"{
            "topic": "orders", "partition": 3, "offset": 42, "timestamp": 1595035749700,
            "key": "b3JkZXItNw==", "value": "dHdvIGxlbW9ucw==", "headers": []
        }"#;
        let mut record: KafkaRecord = serde_json::from_str(json).expect("a record");
        record.headers = headers.iter().map(header).collect();
        record
    }

    #[test]
    fn of_a_record_the_last_header_counts_and_junk_is_none() {
        assert_eq!(
            traceparent_of(&record(&[("traceparent", SENDER.as_bytes())])).as_deref(),
            Some(SENDER)
        );
        let two = record(&[
            ("traceparent", OTHER_SENDER.as_bytes()),
            ("tenant", &[0xff]),
            ("traceparent", SENDER.as_bytes()),
        ]);
        assert_eq!(traceparent_of(&two).as_deref(), Some(SENDER));
        assert_eq!(traceparent_of(&record(&[("traceparent", &[0xff, 0x00])])), None);
    }

    #[test]
    fn a_record_tells_its_facts() {
        let traces = capture_sync(|| crate::consume("handle").run_sync(&record(&[]), || ()));
        let span = traces
            .span("process orders")
            .has_attribute("messaging.system", "kafka")
            .has_attribute("messaging.destination.partition.id", "3")
            .has_attribute("messaging.kafka.offset", 42)
            .has_attribute("messaging.kafka.message.key", "order-7")
            .has_attribute("messaging.message.body.size", 10)
            .has_no_attribute("messaging.kafka.message.tombstone");
        assert!(span.attribute("throughline.message.age").is_some());

        // No text, and a number whose bytes happen to be one.
        for key in ["/w==", "AAAABw=="] {
            let mut deletion = record(&[]);
            (deletion.key, deletion.value) = (Some(key.to_owned()), None);
            let traces = capture_sync(|| crate::consume("handle").run_sync(&deletion, || ()));
            traces
                .span("process orders")
                .has_attribute("messaging.kafka.message.tombstone", true)
                .has_no_attribute("messaging.kafka.message.key")
                .has_no_attribute("messaging.message.body.size");
        }
    }

    #[test]
    fn an_event_of_kafka_is_a_batch_in_the_order_of_its_partitions() {
        let mut event = KafkaEvent::default();
        let of = |sender: &str| record(&[("traceparent", sender.as_bytes())]);
        for (partition, sender) in [("orders-1", OTHER_SENDER), ("orders-0", SENDER)] {
            event.records.insert(partition.to_owned(), vec![of(sender)]);
        }
        let mut senders = Vec::new();
        event.each(&mut |record| senders.extend(TraceContext::read_from(record).traceparent()));
        assert_eq!(senders, [SENDER, OTHER_SENDER]);
    }

    #[test]
    fn the_size_of_base64_is_that_of_its_bytes() {
        for text in ["", "a", "ab", "abc", "abcd", "abcde"] {
            let base64 = serde_json::to_value(data(text)).expect("JSON");
            let base64 = base64.as_str().expect("a text");
            assert_eq!(decoded_size(base64), text.len() as u64, "{base64}");
            assert_eq!(decoded(base64).as_deref(), Some(text.as_bytes()));
        }
        assert_eq!(decoded("?"), None);
    }

    fn data(text: &str) -> Base64Data {
        let mut data = Base64Data::default();
        data.extend(text.as_bytes());
        data
    }

    #[test]
    fn messages_that_are_delivered_again_make_no_error() {
        let mut response = SqsBatchResponse::default();
        assert_eq!(response.outcome(), Outcome::ok());
        response.add_failure("a1");
        assert!(!response.outcome().is_error());
        let event = SqsEvent::default();
        let traces = capture_sync(|| crate::consume("handle").run_sync(&event, || response));
        traces
            .span("handle")
            .status_is_unset()
            .has_attribute("throughline.outcome.name", "partial_failure")
            .has_attribute("throughline.outcome.reason", "batch_item_failures")
            .has_attribute("messaging.batch.message_count", 0);
    }
}
