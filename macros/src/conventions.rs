//! The attributes of the OpenTelemetry messaging conventions v1.44.0, the release that the runtime's spans follow, and
//! what to say of a name that was meant to be one of them.

use crate::nearest::distance;

/// Every `messaging.*` attribute of a span.
const KNOWN: &[&str] = &[
    "messaging.batch.message_count",
    "messaging.client.id",
    "messaging.consumer.group.name",
    "messaging.destination.anonymous",
    "messaging.destination.name",
    "messaging.destination.partition.id",
    "messaging.destination.subscription.name",
    "messaging.destination.template",
    "messaging.destination.temporary",
    "messaging.eventhubs.message.enqueued_time",
    "messaging.gcp_pubsub.message.ack_deadline",
    "messaging.gcp_pubsub.message.ack_id",
    "messaging.gcp_pubsub.message.delivery_attempt",
    "messaging.gcp_pubsub.message.ordering_key",
    "messaging.kafka.cluster.id",
    "messaging.kafka.message.key",
    "messaging.kafka.message.tombstone",
    "messaging.kafka.offset",
    "messaging.message.body.size",
    "messaging.message.conversation_id",
    "messaging.message.envelope.size",
    "messaging.message.id",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.rabbitmq.destination.routing_key",
    "messaging.rabbitmq.message.delivery_tag",
    "messaging.rocketmq.consumption_model",
    "messaging.rocketmq.message.delay_time_level",
    "messaging.rocketmq.message.delivery_timestamp",
    "messaging.rocketmq.message.group",
    "messaging.rocketmq.message.keys",
    "messaging.rocketmq.message.tag",
    "messaging.rocketmq.message.type",
    "messaging.rocketmq.namespace",
    "messaging.servicebus.disposition_status",
    "messaging.servicebus.message.delivery_count",
    "messaging.servicebus.message.enqueued_time",
    "messaging.system",
];

/// What an attribute was called, by the release that renamed it, and what it is called now, several renames later.
const RENAMED: &[(&str, &str)] = &[
    // v1.27
    ("messaging.eventhubs.consumer.group", "messaging.consumer.group.name"),
    ("messaging.kafka.consumer.group", "messaging.consumer.group.name"),
    ("messaging.kafka.message.offset", "messaging.kafka.offset"),
    ("messaging.rocketmq.client_group", "messaging.consumer.group.name"),
    (
        "messaging.servicebus.destination.subscription_name",
        "messaging.destination.subscription.name",
    ),
    // v1.26
    ("messaging.client_id", "messaging.client.id"),
    // v1.25
    ("messaging.kafka.destination.partition", "messaging.destination.partition.id"),
    ("messaging.operation", "messaging.operation.type"),
    // v1.22: what a message is taken from is its destination too.
    ("messaging.kafka.source.partition", "messaging.destination.partition.id"),
    ("messaging.message.payload_size_bytes", "messaging.message.body.size"),
    ("messaging.source.anonymous", "messaging.destination.anonymous"),
    ("messaging.source.name", "messaging.destination.name"),
    ("messaging.source.template", "messaging.destination.template"),
    ("messaging.source.temporary", "messaging.destination.temporary"),
    // v1.21
    ("messaging.kafka.client_id", "messaging.client.id"),
    ("messaging.rocketmq.client_id", "messaging.client.id"),
    // v1.17
    ("messaging.conversation_id", "messaging.message.conversation_id"),
    ("messaging.destination", "messaging.destination.name"),
    ("messaging.kafka.consumer_group", "messaging.consumer.group.name"),
    ("messaging.kafka.message_key", "messaging.kafka.message.key"),
    ("messaging.kafka.partition", "messaging.destination.partition.id"),
    ("messaging.kafka.tombstone", "messaging.kafka.message.tombstone"),
    ("messaging.message_id", "messaging.message.id"),
    ("messaging.message_payload_size_bytes", "messaging.message.body.size"),
    ("messaging.protocol", "network.protocol.name"),
    ("messaging.protocol_version", "network.protocol.version"),
    ("messaging.rabbitmq.routing_key", "messaging.rabbitmq.destination.routing_key"),
    ("messaging.rocketmq.message_keys", "messaging.rocketmq.message.keys"),
    ("messaging.rocketmq.message_tag", "messaging.rocketmq.message.tag"),
    ("messaging.rocketmq.message_type", "messaging.rocketmq.message.type"),
    ("messaging.temp_destination", "messaging.destination.temporary"),
];

/// What was an attribute, and has nothing in its place.
const REMOVED: &[&str] = &[
    "messaging.consumer.id",
    "messaging.consumer_id",
    "messaging.destination.kind",
    "messaging.destination_kind",
    "messaging.destination_publish.anonymous",
    "messaging.destination_publish.name",
    "messaging.message.payload_compressed_size_bytes",
    "messaging.message_payload_compressed_size_bytes",
    "messaging.source.kind",
    "messaging.url",
];

/// Words of an attribute that are easily left out, for the others say the same without them.
const IMPLIED: &[&str] = &["consumer", "destination", "id", "message", "name"];

/// What to say of a field of this name, if it is no attribute but was meant to be one. Names that the conventions have
/// no opinion on are the user's own.
pub(crate) fn warning(name: &str) -> Option<String> {
    if KNOWN.contains(&name) {
        return None;
    }
    if let Some((_, now)) = RENAMED.iter().find(|(old, _)| *old == name) {
        return Some(format!("`{name}` is now `{now}`"));
    }
    if REMOVED.contains(&name) {
        return Some(format!("`{name}` is no longer an attribute of the messaging conventions"));
    }
    near(name).map(|known| format!("did you mean `{known}`? If not, put the name in quotes"))
}

/// The attribute that a name misses by so little that it can't be a name of the user's own.
fn near(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let (namespace, _) = name.split_once('.')?;
    if distance(namespace, "messaging") > 2 {
        return None;
    }
    let written = words(&name);
    KNOWN
        .iter()
        .filter_map(|&known| Some((missed_by(&written, &words(known))?, known)))
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, known)| known)
}

/// Whether a `.` or a `_` stands between two words is what nobody remembers, so it doesn't count.
fn words(name: &str) -> Vec<&str> {
    name.split(['.', '_']).collect()
}

/// How little, if it is little: a letter or two, a `.`, or a word.
fn missed_by(written: &[&str], known: &[&str]) -> Option<usize> {
    if written.len() == known.len() {
        let mut all = 0;
        for (written, known) in written.iter().zip(known) {
            let edits = distance(written, known);
            // In a short word two letters make another word: `kind` is no slip for `id`.
            if edits > written.len().max(known.len()) / 3 {
                return None;
            }
            all += edits;
        }
        return (all <= 2).then_some(all);
    }
    if distance(&written.join("."), &known.join(".")) == 1 {
        return Some(1);
    }
    leaves_a_word_out(written, known).then_some(3)
}

fn leaves_a_word_out(written: &[&str], known: &[&str]) -> bool {
    // With only one word after `messaging`, another could be added to make any of several attributes.
    written.len() > 2
        && (0..known.len()).any(|left_out| {
            let (before, after) = (&known[..left_out], &known[left_out + 1..]);
            IMPLIED.contains(&known[left_out]) && written == [before, after].concat()
        })
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, REMOVED, RENAMED, warning};

    fn meant(name: &str) -> Option<String> {
        let warning = warning(name)?;
        let (_, from) = warning.split_once("did you mean `").expect("it is a question");
        from.split_once('`').map(|(known, _)| known.to_owned())
    }

    #[test]
    fn an_attribute_of_today_is_right() {
        for name in KNOWN {
            assert_eq!(warning(name), None);
        }
    }

    #[test]
    fn an_attribute_of_the_past_has_its_name_of_today() {
        assert_eq!(
            warning("messaging.client_id").as_deref(),
            Some("`messaging.client_id` is now `messaging.client.id`")
        );
        for (old, now) in RENAMED {
            assert_eq!(warning(old), Some(format!("`{old}` is now `{now}`")));
            assert!(!now.starts_with("messaging.") || KNOWN.contains(now), "{now}");
        }
    }

    #[test]
    fn an_attribute_that_was_removed_is_said_to_be() {
        assert_eq!(
            warning("messaging.url").as_deref(),
            Some("`messaging.url` is no longer an attribute of the messaging conventions")
        );
        for name in REMOVED {
            assert!(warning(name).is_some_and(|words| words.contains("no longer")), "{name}");
        }
    }

    #[test]
    fn a_near_miss_finds_the_attribute() {
        for (written, known) in [
            ("messaging.message.ids", "messaging.message.id"),
            ("messaging.destination.nam", "messaging.destination.name"),
            ("messaging.destinatoin.nmae", "messaging.destination.name"),
            ("mesaging.system", "messaging.system"),
            ("messagin.sytem", "messaging.system"),
            ("Messaging.System", "messaging.system"),
            ("messaging.destination_name", "messaging.destination.name"),
            ("messaging.consumer_group_name", "messaging.consumer.group.name"),
            ("messaging.batch.message.count", "messaging.batch.message_count"),
            ("messaging.messageid", "messaging.message.id"),
            ("messaging.kafka.off.set", "messaging.kafka.offset"),
            ("messaging.consumer.group", "messaging.consumer.group.name"),
            ("messaging.partition.id", "messaging.destination.partition.id"),
            ("messaging.kafka.key", "messaging.kafka.message.key"),
            ("messaging.message.conversation", "messaging.message.conversation_id"),
        ] {
            assert_eq!(meant(written).as_deref(), Some(known), "{written}");
        }
    }

    #[test]
    fn a_name_of_the_users_own_is_left_alone() {
        for name in [
            "messaging.nats.subject",
            "messaging.pulsar.message.key",
            "messaging.message.type",
            "messaging.message.kind",
            "messaging.message.body",
            "messaging.message",
            "messaging.operation.time",
            "messaging.client.ip",
            "messaging.kafka.topic",
            "messaging.retries",
            "messaging",
        ] {
            assert_eq!(warning(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_outside_messaging_is_left_alone() {
        for name in
            ["system", "message.id", "destination.name", "messaging_system", "messages.id", ""]
        {
            assert_eq!(warning(name), None, "{name}");
        }
    }
}
