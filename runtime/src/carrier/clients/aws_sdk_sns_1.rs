//! Amazon SNS by [`aws-sdk-sns`](https://docs.rs/aws-sdk-sns), version 1: feature `aws-sdk-sns-1`.
//!
//! ```no_run
//! use aws_sdk_sns::Client;
//! use aws_sdk_sns::error::SdkError;
//! use aws_sdk_sns::operation::publish::builders::PublishFluentBuilder;
//! use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
//! # #[cfg(feature = "macros")] mod complete {
//! # use super::*;
//! use throughline::async_producer;
//!
//! #[async_producer]
//! async fn publish(order: PublishFluentBuilder) -> Result<PublishOutput, SdkError<PublishError>> {
//!     order.send().await
//! }
//!
//! async fn place_order(client: &Client, topic: &str) -> Result<(), SdkError<PublishError>> {
//!     publish(client.publish().topic_arn(topic).message("two lemons")).await?;
//!     Ok(())
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! # Writing
//!
//! [`PublishFluentBuilder`](aws_sdk_sns::operation::publish::builders::PublishFluentBuilder), which is what
//! `client.publish()` gives,
//! [`PublishInputBuilder`](aws_sdk_sns::operation::publish::builders::PublishInputBuilder) and
//! [`PublishBatchRequestEntry`](aws_sdk_sns::types::PublishBatchRequestEntry) can be written to. A vector of
//! entries is a batch:
//!
//! ```no_run
//! # use aws_sdk_sns::{Client, Error};
//! use aws_sdk_sns::types::PublishBatchRequestEntry as Entry;
//!
//! async fn publish_all(client: &Client, topic: &str, mut orders: Vec<Entry>) -> Result<(), Error> {
//!     throughline::produce("publish_all")
//!         .destination("orders")
//!         .run(&mut orders, |orders| {
//!             let batch = client.publish_batch().topic_arn(topic);
//!             batch.set_publish_batch_request_entries(Some(std::mem::take(orders))).send()
//!         })
//!         .await?;
//!     Ok(())
//! }
//! ```
//!
//! | fact | from |
//! |---|---|
//! | `messaging.system` | `aws.sns` |
//! | `messaging.destination.name` | the topic's name: the last part of its ARN. An entry doesn't know it |
//! | `aws.sns.topic.arn` | the topic's ARN |
//! | `messaging.message.body.size` | the message |
//!
//! A context is written as message attributes, and never fails a publication:
//!
//! - A message gets at most ten attributes, though SNS takes more: a queue with raw delivery never gets a
//!   message with eleven. What has no room beside yours is left out: the baggage first, then `tracestate`,
//!   then all.
//! - Attributes count for the size of a message. What would lift it over 256 KiB is left out, and so is
//!   baggage of more than 8 KiB. Of an entry of a batch the fair share is a tenth: one that is larger gets
//!   no header over 512 bytes. Whoever packs batches up to the limit leaves 100 bytes a message.
//! - An attribute is never empty, and has no character that SNS refuses.
//!
//! SNS hands attributes on only where the message is a string: with `message_structure("json")` no
//! context arrives.
//!
//! # What becomes of it
//!
//! - In a queue, with raw delivery and without, it is read as
//!   [the page on SQS](crate::clients::aws_sdk_sqs_1) has it.
//! - In a function on Lambda: see [its page](crate::clients::aws_lambda_events_1).
//! - By HTTP without raw delivery, it is the document that a queue gets, as the request's body. With raw
//!   delivery no attribute arrives.

use std::collections::HashMap;
use std::mem;

use aws_sdk_sns::operation::publish::builders::{PublishFluentBuilder, PublishInputBuilder};
use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};

use super::super::{Facts, HeaderReader, HeaderValue, Message, MessageMut};
use super::aws::request::{
    self, Request, WritableAttribute, sends_its_input, value_of_an_attribute, written_as_a_request,
};
use super::aws::{self, Attribute};
use crate::semconv::system::AWS_SNS;

value_of_an_attribute!(MessageAttributeValue);

impl Message for PublishInputBuilder {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        aws::read(self.attributes().into_iter().flatten(), reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(AWS_SNS);
        // A target may be a topic too, or one phone of many: `..:endpoint/GCM/app/5e3e9847`.
        let target = || self.get_target_arn().as_ref().filter(|arn| !arn.contains('/'));
        if let Some(arn) = self.get_topic_arn().as_ref().or_else(target) {
            facts.destination(aws::name_in_arn(arn)).attribute("aws.sns.topic.arn", arn.as_str());
        }
        if let Some(message) = self.get_message() {
            facts.body_size(message.len() as u64);
        }
    }
}

impl Request for PublishInputBuilder {
    type Attribute = MessageAttributeValue;
    const SENT_TOGETHER: usize = 1;
    const LARGEST: usize = LARGEST;

    fn attributes(&self) -> Option<&HashMap<String, MessageAttributeValue>> {
        self.get_message_attributes().as_ref()
    }

    fn set_attributes(&mut self, attributes: Option<HashMap<String, MessageAttributeValue>>) {
        *self = mem::take(self).set_message_attributes(attributes);
    }

    fn body_size(&self) -> usize {
        let texts = [self.get_message(), self.get_subject()];
        texts.into_iter().flatten().map(String::len).sum()
    }
}

sends_its_input!(PublishFluentBuilder, PublishInputBuilder);

impl Message for PublishBatchRequestEntry {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        aws::read(self.attributes().into_iter().flatten(), reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(AWS_SNS).body_size(self.message().len() as u64);
    }
}

impl Request for PublishBatchRequestEntry {
    type Attribute = MessageAttributeValue;
    const SENT_TOGETHER: usize = 10;
    const LARGEST: usize = LARGEST;

    fn attributes(&self) -> Option<&HashMap<String, MessageAttributeValue>> {
        self.message_attributes()
    }

    fn set_attributes(&mut self, attributes: Option<HashMap<String, MessageAttributeValue>>) {
        self.message_attributes = attributes;
    }

    fn body_size(&self) -> usize {
        self.message().len() + self.subject().map_or(0, str::len)
    }
}

/// In bytes.
const LARGEST: usize = 256 * 1024;

written_as_a_request!(PublishInputBuilder, PublishFluentBuilder, PublishBatchRequestEntry);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceContext;

    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    fn context() -> TraceContext {
        let headers =
            [("traceparent", SENDER), ("tracestate", "vendor=x"), ("baggage", "tenant=acme")];
        TraceContext::read_from(headers.as_slice())
    }

    fn attribute(value: &str) -> MessageAttributeValue {
        MessageAttributeValue::text(value).expect("it has a type")
    }

    #[test]
    fn a_context_is_written_and_read_back_in_place_of_every_casing() {
        let mut message =
            PublishInputBuilder::default().message_attributes("TraceParent", attribute("old"));
        context().write_to(&mut message);
        assert_eq!(TraceContext::read_from(&message), context());
        assert_eq!(message.attributes().map(HashMap::len), Some(3));

        let entry = PublishBatchRequestEntry::builder().id("1").message("two lemons").build();
        let mut entry = entry.expect("it has an id and a message");
        context().write_to(&mut entry);
        assert_eq!(TraceContext::read_from(&entry), context());
        TraceContext::default().write_to(&mut entry);
        assert_eq!(entry.message_attributes, None);
    }

    #[test]
    fn a_topic_is_told_and_a_phone_is_not() {
        let name_of = |message: PublishInputBuilder| {
            let mut message = message.message("two lemons");
            let traces = crate::testing::capture_sync(|| {
                crate::produce("publish").run_sync(&mut message, |_| ());
            });
            traces.all()[0].has_attribute("messaging.system", "aws.sns").name().to_owned()
        };
        let new = PublishInputBuilder::default;
        let topic = "arn:aws:sns:eu-central-1:123456789012:orders";
        assert_eq!(name_of(new().topic_arn(topic)), "send orders");
        assert_eq!(name_of(new().target_arn(topic)), "send orders");
        let phone = "arn:aws:sns:eu-central-1:123456789012:endpoint/GCM/app/5e3e9847";
        assert_eq!(name_of(new().target_arn(phone)), "publish");
        assert_eq!(name_of(new().phone_number("+49170000000")), "publish");
    }

    #[test]
    fn a_queue_with_raw_delivery_can_still_get_the_message() {
        for (own, ours) in [(0, 3), (8, 2), (9, 1), (10, 0), (12, 0)] {
            let add = |message: PublishInputBuilder, number| {
                message.message_attributes(format!("user-{number}"), attribute("x"))
            };
            let mut message = (0..own).fold(PublishInputBuilder::default(), add);
            context().write_to(&mut message);
            assert_eq!(message.attributes().map(HashMap::len), Some(own + ours), "{own}");
        }
    }

    #[test]
    fn a_message_never_grows_over_the_limit() {
        for (body, ours) in [(LARGEST - 200, 3), (LARGEST - 72, 1), (LARGEST - 71, 0)] {
            let mut message = PublishInputBuilder::default().message("x".repeat(body));
            context().write_to(&mut message);
            assert_eq!(message.attributes().map_or(0, HashMap::len), ours, "{body}");
        }
    }
}
