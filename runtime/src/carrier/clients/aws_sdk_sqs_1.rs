//! Amazon SQS by [`aws-sdk-sqs`](https://docs.rs/aws-sdk-sqs), version 1: feature `aws-sdk-sqs-1`.
//!
//! ```no_run
//! use std::error::Error;
//!
//! use aws_sdk_sqs::Client;
//! use aws_sdk_sqs::error::SdkError;
//! use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
//! use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
//! use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
//! # #[cfg(feature = "macros")] mod complete {
//! # use super::*;
//! use throughline::{async_consumer, async_producer};
//!
//! #[async_producer]
//! async fn publish(
//!     order: SendMessageFluentBuilder,
//! ) -> Result<SendMessageOutput, SdkError<SendMessageError>> {
//!     order.send().await
//! }
//!
//! #[async_consumer(continue, destination = "orders")]
//! async fn charge_card(order: &Message) -> Result<(), PaymentError> {
//!     Ok(()) // charge it
//! }
//!
//! async fn work(client: &Client, queue: &str) -> Result<(), Box<dyn Error>> {
//!     publish(client.send_message().queue_url(queue).message_body("two lemons")).await?;
//!     loop {
//!         let poll = client
//!             .receive_message()
//!             .queue_url(queue)
//!             .message_attribute_names("All") // the context: without this there is none
//!             .message_system_attribute_names(MessageSystemAttributeName::All) // age and attempt
//!             .max_number_of_messages(10)
//!             .wait_time_seconds(20);
//!         let poll = throughline::receive("poll").system("aws_sqs").destination("orders").run(poll.send());
//!         for order in poll.await?.messages() {
//!             if charge_card(order).await.is_ok() {
//!                 let handle = order.receipt_handle().unwrap_or_default();
//!                 let delete = client.delete_message().queue_url(queue).receipt_handle(handle);
//!                 throughline::settle("delete").destination("orders").run(order, delete.send()).await?;
//!             }
//!         }
//!     }
//! }
//! # }
//! # struct PaymentError;
//! # fn main() {}
//! ```
//!
//! # Ask for the attributes
//!
//! SQS gives a receiver no attribute that it does not ask for. `message_attribute_names("All")` brings
//! the context, `message_system_attribute_names(All)` the facts below. A handler whose span says
//! `throughline.relation.reason` = `no_context` for every message has most likely not asked.
//!
//! # Reading
//!
//! A [`Message`](aws_sdk_sqs::types::Message) is a message, and a
//! [`ReceiveMessageOutput`](aws_sdk_sqs::operation::receive_message::ReceiveMessageOutput) is a batch, as
//! a slice or a vector of messages is. Its context is, in this order:
//!
//! 1. its message attributes, as text or as bytes;
//! 2. if it has none, and its body is a notification of SNS: the attributes in there. So it is the same to
//!    a handler whether a subscription has raw delivery;
//! 3. if neither has a `traceparent`: the system attribute `AWSTraceHeader`, by which X-Ray says who sent
//!    it. An X-Ray propagator of the application's sees it as `x-amzn-trace-id`.
//!
//! | fact | from |
//! |---|---|
//! | `messaging.system` | `aws_sqs` |
//! | `messaging.message.id` | the message's id |
//! | `messaging.message.body.size` | its body |
//! | `throughline.message.age` | `SentTimestamp`, set by SQS |
//! | `throughline.message.attempt` | `ApproximateReceiveCount` |
//!
//! A message doesn't know its queue: say `destination = ".."`. The group of a message in a FIFO queue has
//! no attribute in the conventions and is not told.
//!
//! # Writing
//!
//! [`SendMessageFluentBuilder`](aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder),
//! which is what `client.send_message()` gives,
//! [`SendMessageInputBuilder`](aws_sdk_sqs::operation::send_message::builders::SendMessageInputBuilder) and
//! [`SendMessageBatchRequestEntry`](aws_sdk_sqs::types::SendMessageBatchRequestEntry) can be written to. A
//! vector of entries is a batch:
//!
//! ```no_run
//! # use aws_sdk_sqs::{Client, Error};
//! use aws_sdk_sqs::types::SendMessageBatchRequestEntry as Entry;
//!
//! async fn publish_all(client: &Client, queue: &str, mut orders: Vec<Entry>) -> Result<(), Error> {
//!     throughline::produce("publish_all")
//!         .destination("orders")
//!         .run(&mut orders, |orders| {
//!             let batch = client.send_message_batch().queue_url(queue);
//!             batch.set_entries(Some(std::mem::take(orders))).send()
//!         })
//!         .await?;
//!     Ok(())
//! }
//! ```
//!
//! The builders tell their queue: its name, the last part of the URL, as the destination, and the URL as
//! `aws.sqs.queue.url`. Attributes don't count for the deduplication by content of FIFO queues.
//!
//! A context never fails a send:
//!
//! - A message has at most ten attributes. What has no room beside yours is left out: the baggage first,
//!   then `tracestate`, then all.
//! - Attributes count for the size of a message. What would lift it over 256 KiB is left out, and so is
//!   baggage of more than 8 KiB. (SQS allows 1 MiB, but not in every queue; a
//!   message that is larger than 256 KiB already gets a context of up to 512 bytes a header, up to 1 MiB.)
//!   Of an entry of a batch the fair share is a tenth: one that is larger gets no header over 512 bytes.
//! - An attribute is never empty, and has no character that SQS refuses.
//!
//! Where a queue's own `MaximumMessageSize` is smaller, or a batch is packed up to the limit, leave room:
//! 100 bytes a message for the context alone.
//!
//! # Settling
//!
//! `DeleteMessage` is the settlement, `settle("delete")`; so is `DeleteMessageBatch`, with the messages as a
//! slice. `ChangeMessageVisibility` settles nothing yet:
//! `settle("change_visibility").unsettled().run(order, ..)`.

use std::collections::HashMap;
use std::mem;

use aws_sdk_sqs::operation::receive_message::ReceiveMessageOutput;
use aws_sdk_sqs::operation::send_message::builders::{
    SendMessageFluentBuilder, SendMessageInputBuilder,
};
use aws_sdk_sqs::types::{
    Message as SqsMessage, MessageAttributeValue, MessageSystemAttributeName as System,
    SendMessageBatchRequestEntry,
};

use super::super::{Batch, Facts, HeaderReader, HeaderValue, Message, MessageMut};
use super::aws::request::{
    self, Request, WritableAttribute, sends_its_input, value_of_an_attribute, written_as_a_request,
};
use super::aws::{self, Attribute, queued};
use crate::semconv::system::AWS_SQS;

impl Message for SqsMessage {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        let xray_header = told_by_sqs(self, &System::AwsTraceHeader);
        queued::read(self.message_attributes(), self.body(), xray_header, reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let sent_at = told_by_sqs(self, &System::SentTimestamp);
        let receive_count = told_by_sqs(self, &System::ApproximateReceiveCount);
        queued::describe(facts, self.message_id(), sent_at, receive_count);
        if let Some(body) = self.body() {
            facts.body_size(body.len() as u64);
        }
    }
}

fn told_by_sqs<'m>(message: &'m SqsMessage, name: &System) -> Option<&'m str> {
    message.attributes()?.get(name).map(String::as_str)
}

impl Batch for ReceiveMessageOutput {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        self.messages().each(visit);
    }
}

value_of_an_attribute!(MessageAttributeValue);

impl Message for SendMessageInputBuilder {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        aws::read(self.attributes().into_iter().flatten(), reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(AWS_SQS);
        if let Some(url) = self.get_queue_url() {
            let (_, queue) = url.rsplit_once('/').unwrap_or_default();
            facts.destination(queue).attribute("aws.sqs.queue.url", url.as_str());
        }
        if let Some(body) = self.get_message_body() {
            facts.body_size(body.len() as u64);
        }
    }
}

impl Request for SendMessageInputBuilder {
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
        self.get_message_body().as_ref().map_or(0, String::len)
    }
}

sends_its_input!(SendMessageFluentBuilder, SendMessageInputBuilder);

impl Message for SendMessageBatchRequestEntry {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        aws::read(self.attributes().into_iter().flatten(), reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(AWS_SQS).body_size(self.message_body().len() as u64);
    }
}

impl Request for SendMessageBatchRequestEntry {
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
        self.message_body().len()
    }
}

/// Since August 2025; in bytes.
const LARGEST: usize = 1024 * 1024;

written_as_a_request!(
    SendMessageInputBuilder,
    SendMessageFluentBuilder,
    SendMessageBatchRequestEntry
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceContext;

    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const BY_SNS: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";
    const XRAY: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    const BY_XRAY: &str = "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01";

    fn text(value: &str) -> MessageAttributeValue {
        MessageAttributeValue::text(value).expect("it has a type")
    }

    fn bytes(value: &[u8]) -> MessageAttributeValue {
        let bytes = aws_sdk_sqs::primitives::Blob::new(value);
        let value = MessageAttributeValue::builder().data_type("Binary").binary_value(bytes);
        value.build().expect("it has a type")
    }

    fn received(attributes: &[(&str, MessageAttributeValue)]) -> SqsMessage {
        let attributes = attributes.iter().cloned();
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value)).collect();
        SqsMessage::builder().set_message_attributes(Some(attributes)).build()
    }

    fn notification(kind: &str, traceparent: &str) -> String {
        format!(
            r#"{{
              "Type" : "{kind}",
              "MessageId" : "dc1e94d9-56c5-5e96-808d-cc7f68faa162",
              "TopicArn" : "arn:aws:sns:us-east-2:111122223333:orders",
              "Message" : "two \"lemons\"",
              "SignatureVersion" : "1",
              "MessageAttributes" : {{
                "{traceparent}" : {{"Type":"String","Value":"{BY_SNS}"}},
                "baggage" : {{"Type":"String","Value":"tenant=\u0061cme"}}
              }}
            }}"#
        )
    }

    fn traceparent_of<M: Message>(message: &M) -> Option<String> {
        TraceContext::read_from(message).traceparent()
    }

    fn context(state: &str, baggage: &str) -> TraceContext {
        let headers = [("traceparent", SENDER), ("tracestate", state), ("baggage", baggage)];
        TraceContext::read_from(headers.as_slice())
    }

    /// The names of the attributes, but for those of the user's own: `user-1`.
    fn ours<R: Request>(request: &R) -> Vec<&str> {
        let names = request.attributes().into_iter().flat_map(HashMap::keys).map(String::as_str);
        let mut names: Vec<_> = names.filter(|name| !name.starts_with("user-")).collect();
        names.sort_unstable();
        names
    }

    fn with_users_own(count: usize) -> SendMessageInputBuilder {
        let own = |message: SendMessageInputBuilder, number| {
            message.message_attributes(format!("user-{number}"), text("x"))
        };
        (0..count).fold(SendMessageInputBuilder::default().message_body("two lemons"), own)
    }

    fn entry(body: String) -> SendMessageBatchRequestEntry {
        let entry = SendMessageBatchRequestEntry::builder().id("1").message_body(body);
        entry.build().expect("it has an id and a body")
    }

    #[test]
    fn attributes_are_read_as_text_or_bytes_in_any_casing() {
        assert_eq!(
            traceparent_of(&received(&[("traceparent", text(SENDER))])).as_deref(),
            Some(SENDER)
        );
        let binary = bytes(SENDER.as_bytes());
        assert_eq!(traceparent_of(&received(&[("Traceparent", binary)])).as_deref(), Some(SENDER));
        let junk = received(&[("traceparent", bytes(&[0xff, 0x00])), ("other", text("1"))]);
        assert_eq!(traceparent_of(&junk), None);
        let two = [("traceparent", text(SENDER)), ("TRACEPARENT", text(BY_SNS))];
        assert_eq!(traceparent_of(&received(&two)).as_deref(), Some(SENDER));
        let two = [("Traceparent", text(SENDER)), ("TRACEPARENT", text(BY_SNS))];
        assert_eq!(traceparent_of(&received(&two)), None);
    }

    #[test]
    fn a_notification_in_the_body_is_read_where_there_are_no_attributes() {
        let by_sns = SqsMessage::builder().body(notification("Notification", "traceparent"));
        let context = TraceContext::read_from(&by_sns.clone().build());
        assert_eq!(context.traceparent().as_deref(), Some(BY_SNS));
        let mut headers = HashMap::<String, String>::new();
        context.write_to(&mut headers);
        assert_eq!(headers["baggage"], "tenant=acme");

        let with_own = by_sns.message_attributes("traceparent", text(SENDER)).build();
        assert_eq!(traceparent_of(&with_own).as_deref(), Some(SENDER));
        let with_another = SqsMessage::builder().body(notification("Notification", "traceparent"));
        let with_another = with_another.message_attributes("tenant", text("acme")).build();
        assert_eq!(
            traceparent_of(&with_another),
            None,
            "SNS would have sent them all the same way"
        );

        let other_bodies = [
            notification("SubscriptionConfirmation", "traceparent"),
            notification("Notification", "traceparent").replace("\"Type\"", "\"Kind\""),
            notification("Notification", "traceparent").replace('}', ""),
            format!("[{}]", notification("Notification", "traceparent")),
            r#"{"MessageAttributes": null}"#.to_owned(),
            r#"{"Type": "Notification", "MessageAttributes": {"traceparent": 7}}"#.to_owned(),
            String::new(),
        ];
        for body in other_bodies {
            let message = SqsMessage::builder().body(body.as_str()).build();
            assert_eq!(traceparent_of(&message), None, "{body}");
        }
    }

    #[test]
    fn what_x_ray_says_counts_where_nobody_else_says_anything() {
        let by_xray = SqsMessage::builder().attributes(System::AwsTraceHeader, XRAY);
        assert_eq!(traceparent_of(&by_xray.clone().build()).as_deref(), Some(BY_XRAY));
        let with_own = by_xray.clone().message_attributes("TraceParent", text(SENDER)).build();
        assert_eq!(traceparent_of(&with_own).as_deref(), Some(SENDER));
        let by_sns = by_xray.clone().body(notification("Notification", "TraceParent")).build();
        assert_eq!(traceparent_of(&by_sns).as_deref(), Some(BY_SNS));
        let other_sns = by_xray.clone().body(notification("Notification", "other")).build();
        assert_eq!(traceparent_of(&other_sns).as_deref(), Some(BY_XRAY));
        let junk = by_xray.attributes(System::AwsTraceHeader, "junk").build();
        assert_eq!(traceparent_of(&junk), None);
    }

    #[test]
    fn a_context_is_written_and_read_back_in_place_of_every_casing() {
        let whole = context("vendor=x", "tenant=acme");
        let mut message = with_users_own(2)
            .message_attributes("Traceparent", text(BY_SNS))
            .message_attributes("BAGGAGE", bytes(b"old=1"));
        whole.write_to(&mut message);
        assert_eq!(TraceContext::read_from(&message), whole);
        assert_eq!(ours(&message), ["baggage", "traceparent", "tracestate"]);
        assert_eq!(message.get_message_body().as_deref(), Some("two lemons"));

        let mut entry = entry("two lemons".to_owned());
        whole.write_to(&mut entry);
        assert_eq!(TraceContext::read_from(&entry), whole);

        TraceContext::default().write_to(&mut entry);
        assert_eq!(entry.message_attributes, None, "not an empty map either");
    }

    #[test]
    fn there_is_never_an_eleventh_attribute() {
        let all: [&[&str]; 4] = [
            &["baggage", "traceparent", "tracestate"],
            &["traceparent", "tracestate"],
            &["traceparent"],
            &[],
        ];
        for (own, expected) in (7..).zip(all) {
            let mut message = with_users_own(own);
            context("vendor=x", "tenant=acme").write_to(&mut message);
            assert_eq!(ours(&message), expected, "{own} of the user's own");
            message.set_header("by-hand", "x");
            assert!(message.get_message_attributes().as_ref().is_some_and(|them| them.len() <= 10));
        }
    }

    #[test]
    fn what_a_message_has_no_room_for_is_left_out() {
        let baggage = |size: usize| format!("cart={}", "x".repeat(size - "cart=".len()));
        let written = |body: usize, baggage: &str| {
            let mut message = SendMessageInputBuilder::default().message_body("x".repeat(body));
            context("", baggage).write_to(&mut message);
            ours(&message).len()
        };
        // The spans' own: "traceparent", "String" and 55 characters.
        let (all, alone) = (256 * 1024, 11 + 6 + 55);
        assert_eq!(written(0, &baggage(8192)), 2);
        assert_eq!(written(all - alone - (7 + 6 + 100), &baggage(100)), 2);
        assert_eq!(written(all - alone - (7 + 6 + 99), &baggage(100)), 1);
        assert_eq!(written(all - alone, &baggage(100)), 1);
        assert_eq!(written(all - alone + 1, &baggage(100)), 0);
        assert_eq!(written(all, &baggage(100)), 0);
        // The queue takes more than that.
        assert_eq!(written(all + 1, &baggage(100)), 2);
        assert_eq!(written(all + 1, &baggage(600)), 1);
        assert_eq!(written(1024 * 1024 - alone, &baggage(100)), 1);
        assert_eq!(written(1024 * 1024 - alone + 1, &baggage(100)), 0);
    }

    #[test]
    fn an_entry_of_a_batch_keeps_to_its_share() {
        let baggage = |size: usize| format!("cart={}", "x".repeat(size - "cart=".len()));
        let written = |body: usize, baggage: &str| {
            let mut entry = entry("x".repeat(body));
            context("", baggage).write_to(&mut entry);
            ours(&entry).len()
        };
        assert_eq!(written(1000, &baggage(8192)), 2);
        assert_eq!(written(20_000, &baggage(8192)), 1);
        assert_eq!(written(30_000, &baggage(512)), 2);
        assert_eq!(written(30_000, &baggage(513)), 1);
    }

    #[test]
    fn what_sqs_refuses_is_not_set() {
        let message = SendMessageInputBuilder::default();
        assert!(message.can_set_header("x-b3.trace_id", "1 \t\u{e9}"));
        assert!(message.can_set_header("baggage", &"x".repeat(8192)));
        assert!(!message.can_set_header("baggage", &"x".repeat(8193)));
        for (name, value) in [
            ("", "1"),
            ("a b", "1"),
            (".a", "1"),
            ("a..b", "1"),
            ("aws.trace", "1"),
            ("a", ""),
            ("a", "\0"),
            ("a", "\x1b"),
            ("a", "\u{ffff}"),
        ] {
            assert!(!message.can_set_header(name, value), "{name:?}: {value:?}");
        }
        assert!(!message.can_set_header(&"a".repeat(257), "1"));
    }
}
