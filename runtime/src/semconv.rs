//! Every name throughline puts on a span: attribute keys, values, span names and the scope.
//!
//! From the OpenTelemetry semantic conventions v1.44.0, section "Messaging spans"; what has no name
//! there stands under `throughline.`. These names are under semver.

use std::borrow::Cow;

use opentelemetry::InstrumentationScope;

/// The release of the conventions that the spans follow.
pub(crate) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";

/// Attribute keys.
pub(crate) mod key {
    pub(crate) const SYSTEM: &str = "messaging.system";
    pub(crate) const OPERATION_NAME: &str = "messaging.operation.name";
    pub(crate) const OPERATION_TYPE: &str = "messaging.operation.type";
    pub(crate) const DESTINATION_NAME: &str = "messaging.destination.name";
    pub(crate) const DESTINATION_TEMPLATE: &str = "messaging.destination.template";
    pub(crate) const DESTINATION_TEMPORARY: &str = "messaging.destination.temporary";
    pub(crate) const DESTINATION_ANONYMOUS: &str = "messaging.destination.anonymous";
    pub(crate) const PARTITION_ID: &str = "messaging.destination.partition.id";
    pub(crate) const SUBSCRIPTION_NAME: &str = "messaging.destination.subscription.name";
    pub(crate) const CONSUMER_GROUP_NAME: &str = "messaging.consumer.group.name";
    pub(crate) const CLIENT_ID: &str = "messaging.client.id";
    pub(crate) const SERVER_ADDRESS: &str = "server.address";
    pub(crate) const SERVER_PORT: &str = "server.port";
    pub(crate) const BATCH_MESSAGE_COUNT: &str = "messaging.batch.message_count";
    pub(crate) const MESSAGE_ID: &str = "messaging.message.id";
    pub(crate) const CONVERSATION_ID: &str = "messaging.message.conversation_id";
    pub(crate) const BODY_SIZE: &str = "messaging.message.body.size";
    pub(crate) const ENVELOPE_SIZE: &str = "messaging.message.envelope.size";
    pub(crate) const KAFKA_MESSAGE_KEY: &str = "messaging.kafka.message.key";
    pub(crate) const KAFKA_OFFSET: &str = "messaging.kafka.offset";
    pub(crate) const KAFKA_TOMBSTONE: &str = "messaging.kafka.message.tombstone";
    pub(crate) const RABBITMQ_ROUTING_KEY: &str = "messaging.rabbitmq.destination.routing_key";
    pub(crate) const RABBITMQ_DELIVERY_TAG: &str = "messaging.rabbitmq.message.delivery_tag";
    pub(crate) const ERROR_TYPE: &str = "error.type";
    pub(crate) const FUNCTION_NAME: &str = "code.function.name";

    /// How the handler relates to its origins, or the task to its caller: `continue`, `link` or
    /// `ignore`.
    pub(crate) const RELATION_KIND: &str = "throughline.relation.kind";
    /// Why that is not simply what was written.
    pub(crate) const RELATION_REASON: &str = "throughline.relation.reason";
    /// What a link leads to, when not to an origin.
    pub(crate) const LINK_ROLE: &str = "throughline.link.role";
    /// How many messages of a batch share the origin that a link leads to.
    pub(crate) const LINK_MESSAGE_COUNT: &str = "throughline.link.message_count";
    /// How many origins have no link because the span has all it may have.
    pub(crate) const LINKS_LEFT_OUT: &str = "throughline.links.left_out";
    /// What the handler calls its outcome: `ack`, `requeue`, `retry`.
    pub(crate) const OUTCOME_NAME: &str = "throughline.outcome.name";
    /// What failed where the handler will be tried again.
    pub(crate) const OUTCOME_REASON: &str = "throughline.outcome.reason";
    /// Seconds from sent to handled, never negative.
    pub(crate) const MESSAGE_AGE: &str = "throughline.message.age";
    /// Which delivery this is, counted from 1.
    pub(crate) const MESSAGE_ATTEMPT: &str = "throughline.message.attempt";
    /// The stream of JetStream that holds the message.
    pub(crate) const NATS_STREAM_NAME: &str = "throughline.nats.stream.name";
    /// The message's place in it.
    pub(crate) const NATS_STREAM_SEQUENCE: &str = "throughline.nats.stream.sequence";
}

/// Values of `messaging.operation.type`, which are the default operation names as well.
pub(crate) mod operation {
    pub(crate) const PROCESS: &str = "process";
    pub(crate) const SEND: &str = "send";
    pub(crate) const CREATE: &str = "create";
    pub(crate) const RECEIVE: &str = "receive";
    pub(crate) const SETTLE: &str = "settle";
}

/// Some of the operations, told by their types: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operations(u8);

impl Operations {
    const CREATE: Self = Self(1);
    const SEND: Self = Self(1 << 1);
    const RECEIVE: Self = Self(1 << 2);
    const PROCESS: Self = Self(1 << 3);
    const SETTLE: Self = Self(1 << 4);
    /// Those that the conventions have a type for.
    const TYPED: Self = Self((1 << 5) - 1);
    const ALL: Self = Self(u8::MAX);

    /// The one of that type.
    pub(crate) fn of_type(operation_type: &str) -> Self {
        match operation_type {
            operation::PROCESS => Self::PROCESS,
            operation::SEND => Self::SEND,
            operation::CREATE => Self::CREATE,
            operation::RECEIVE => Self::RECEIVE,
            operation::SETTLE => Self::SETTLE,
            _ => Self::ALL.but(Self::TYPED),
        }
    }

    const fn but(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    const fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    pub(crate) fn has_any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Those whose spans, or links of these, are to have what a message tells under `key` (conventions,
    /// "Messaging spans", and the page of each system).
    pub(crate) fn that_tell(key: &str) -> Self {
        const BEFORE_A_CONSUMER: Operations = Operations::CREATE.and(Operations::SEND);
        match key {
            // What is created or sent has no way behind it yet.
            key::CONSUMER_GROUP_NAME
            | key::SUBSCRIPTION_NAME
            | key::RABBITMQ_DELIVERY_TAG
            | "messaging.gcp_pubsub.message.ack_id"
            | "messaging.gcp_pubsub.message.delivery_attempt"
            | key::MESSAGE_AGE
            | key::MESSAGE_ATTEMPT
            | key::NATS_STREAM_NAME
            | key::NATS_STREAM_SEQUENCE => Self::TYPED.but(BEFORE_A_CONSUMER),
            // A settlement sends nothing of the message again.
            key::BODY_SIZE | key::ENVELOPE_SIZE | key::KAFKA_MESSAGE_KEY | key::KAFKA_TOMBSTONE => {
                Self::TYPED.but(Self::SETTLE)
            }
            // A creation asks no broker for anything.
            key::CLIENT_ID | key::KAFKA_OFFSET => Self::TYPED.but(Self::CREATE),
            key::DESTINATION_TEMPORARY
            | key::DESTINATION_ANONYMOUS
            | key::RABBITMQ_ROUTING_KEY
            | "aws.sqs.queue.url" => Self::SEND.and(Self::RECEIVE).and(Self::PROCESS),
            "aws.sns.topic.arn" => Self::SEND,
            "messaging.gcp_pubsub.message.ordering_key" => BEFORE_A_CONSUMER,
            _ => Self::ALL,
        }
    }
}

/// Whether an attribute may be set when the span has started, where that is cheaper. Samplers have no use for
/// it: the conventions don't call it relevant for sampling, and it names one message or one function, or says
/// what parent and links show.
#[cfg(feature = "tracing")]
pub(crate) fn may_come_late(key: &str) -> bool {
    matches!(
        key,
        key::FUNCTION_NAME
            | key::RELATION_KIND
            | key::MESSAGE_ID
            | key::CONVERSATION_ID
            | key::BODY_SIZE
            | key::ENVELOPE_SIZE
            | key::KAFKA_OFFSET
            | key::RABBITMQ_DELIVERY_TAG
            | key::NATS_STREAM_SEQUENCE
    )
}

/// Values of `throughline.outcome.name` that are ours.
pub(crate) mod outcome {
    pub(crate) const RETRY: &str = "retry";
}

/// Values of `throughline.link.role`.
pub(crate) mod link_role {
    /// The span that is active where the handler starts.
    pub(crate) const AMBIENT: &str = "ambient";
    /// An attempt to handle the message that failed.
    pub(crate) const ATTEMPT: &str = "attempt";
}

/// Values of `messaging.system`: the conventions' own, and one for each system that they have none for.
#[allow(dead_code)] // each but the first is used by the feature of its client
pub(crate) mod system {
    pub(crate) const IN_PROCESS: &str = "in_process";
    pub(crate) const AWS_SNS: &str = "aws.sns";
    pub(crate) const AWS_SQS: &str = "aws_sqs";
    pub(crate) const GCP_PUBSUB: &str = "gcp_pubsub";
    pub(crate) const KAFKA: &str = "kafka";
    pub(crate) const MQTT: &str = "mqtt";
    pub(crate) const NATS: &str = "nats";
    pub(crate) const PULSAR: &str = "pulsar";
    pub(crate) const RABBITMQ: &str = "rabbitmq";
    pub(crate) const REDIS: &str = "redis";
}

/// Values of `error.type` that name no error type.
pub(crate) mod error_type {
    pub(crate) const OTHER: &str = "_OTHER";
    pub(crate) const PANIC: &str = "panic";
    pub(crate) const CANCELLED: &str = "cancelled";
}

/// The events of `tracing`. Those that tell of a failure are named by what failed: conventions, section
/// "Messaging exceptions", and for a task, which is no messaging operation, "Exceptions".
#[cfg(feature = "tracing")]
pub(crate) mod event {
    pub(crate) const PROCESS_EXCEPTION: &str = "messaging.process.exception";
    pub(crate) const SEND_EXCEPTION: &str = "messaging.send.exception";
    pub(crate) const CREATE_EXCEPTION: &str = "messaging.create.exception";
    pub(crate) const RECEIVE_EXCEPTION: &str = "messaging.receive.exception";
    pub(crate) const SETTLE_EXCEPTION: &str = "messaging.settle.exception";
    pub(crate) const EXCEPTION: &str = "exception";
    pub(crate) const EXCEPTION_TYPE: &str = "exception.type";
    pub(crate) const EXCEPTION_MESSAGE: &str = "exception.message";

    /// Messages have no context, or one that can't be read.
    pub(crate) const CONTEXT_MISSING: &str = "throughline.context.missing";
    /// How many messages of the handling that is.
    pub(crate) const MESSAGE_COUNT: &str = "throughline.message.count";
    /// Something is wrong with the set-up.
    pub(crate) const FAULT: &str = "throughline.fault";
    /// Which of the faults that `diagnose` knows.
    pub(crate) const FAULT_NAME: &str = "throughline.fault.name";
}

/// Who made a span: name, version and schema in one place.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
        .with_version(env!("CARGO_PKG_VERSION"))
        .with_schema_url(SCHEMA_URL)
        .build()
}

/// A captured header: one key for each name that a handler lists.
pub(crate) fn header_key(name: &str) -> String {
    format!("throughline.message.header.{}", name.to_ascii_lowercase())
}

/// `{operation} {destination}`, which may be `known` from the start.
pub(crate) fn span_name(
    known: &'static str,
    operation: &str,
    destination: &str,
) -> Cow<'static, str> {
    let rest = known.strip_prefix(operation).and_then(|rest| rest.strip_prefix(' '));
    if rest == Some(destination) {
        Cow::Borrowed(known)
    } else {
        let mut name = String::with_capacity(operation.len() + 1 + destination.len());
        name.push_str(operation);
        name.push(' ');
        name.push_str(destination);
        Cow::Owned(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_known_is_taken_where_it_is_that_name_alone() {
        let name = |operation, destination| span_name("process orders", operation, destination);
        assert!(matches!(name("process", "orders"), Cow::Borrowed("process orders")));
        assert_eq!(name("process", "returns"), "process returns");
        assert_eq!(name("process", "order"), "process order");
        assert_eq!(name("process", "new orders"), "process new orders");
        assert_eq!(name("consume", "orders"), "consume orders");
        assert_eq!(name("process orders", ""), "process orders ");
        assert_eq!(span_name("handle", "process", "orders"), "process orders");
    }
}
