//! MQTT 5, by the client [rumqttc](https://docs.rs/rumqttc) 0.25, its module `v5`. Cargo feature:
//! `rumqttc-0_25`.
//!
//! **MQTT 3 has no headers**, so `rumqttc::Publish`, which is of that version, is no message. Use MQTT 5
//! (`rumqttc::v5`), or put a [`Traced<T>`](crate::Traced) into the payload as JSON, with the feature
//! `serde`; a handler then takes what it reads from there:
//!
//! ```
//! # #[cfg(feature = "serde")] {
//! use throughline::{Traced, async_consumer};
//!
//! #[async_consumer(continue, system = "mqtt", destination_template = "devices/{id}/state")]
//! async fn store(state: Traced<String>) {}
//!
//! async fn on_publish(publish: rumqttc::Publish) -> Result<(), serde_json::Error> {
//!     store(serde_json::from_slice(&publish.payload)?).await;
//!     Ok(())
//! }
//! # }
//! ```
//!
//! # What is read and written
//!
//! | type | is read | is written | used with |
//! |---|---|---|---|
//! | `rumqttc::v5::mqttbytes::v5::Publish` | yes | yes | what the event loop yields |
//! | `rumqttc::v5::mqttbytes::v5::PublishProperties` | yes | yes | `publish_with_properties` and its like |
//!
//! The context is in the user properties. Their names are read in any casing, and what is written stands in
//! place of every casing. Of a property that is there several times, different values count as none, since
//! MQTT has no rule for them. A name or a value that brokers close the connection for is left out: one
//! with a control character or a non-character in it, or longer than 65 535 bytes. Write into the `Publish`
//! and not into its field `properties`, an `Option`: where that is `None` there is nothing to write into.
//!
//! # What each fact becomes
//!
//! | attribute | from |
//! |---|---|
//! | `messaging.system` | `mqtt` |
//! | `messaging.destination.name` | the topic, if it is UTF-8. It stands on the span and never in its name or a metric, for many topics have a device in them: say `destination_template = "devices/{id}/state"`, or `destination = "alarms"` where there is but one. The client puts the topic back that an alias stands for; one that is about to be sent by its alias alone has none |
//! | `messaging.message.conversation_id` | the correlation data, if they are UTF-8 |
//! | `messaging.message.body.size` | the payload |
//! | `messaging.message.envelope.size` | the whole packet; on a send, without what is written here |
//! | `throughline.message.attempt` | 2 where the DUP flag is set: at least the second, for MQTT does not count. Without the flag nothing is told, since a message of a shared subscription that goes to another client has none |
//!
//! The packet id is not the message's: it is another one on each connection, and used again.
//!
//! # What can't be known
//!
//! - When it was sent. Producers write the property `throughline-sent`, from which the age is known then,
//!   also of retained messages.
//! - The client's id, the group of a shared subscription (`$share/payments/orders`) and the server: write
//!   `client_id = ".."`, `consumer_group = ".."`, `server = ".."`.
//! - What the receiver takes. This client refuses packets above 10 KiB and then loses its connection, unless
//!   told otherwise by `set_max_packet_size`. The properties written here take up to 300 bytes, and what
//!   baggage there is comes on top: OpenTelemetry holds at most 8 KiB of it.
//!
//! # An example
//!
//! ```no_run
//! use rumqttc::v5::mqttbytes::QoS;
//! use rumqttc::v5::mqttbytes::v5::{Packet, Publish, PublishProperties};
//! use rumqttc::v5::{AsyncClient, ClientError, Event, MqttOptions};
//! use throughline::{async_consumer, async_producer};
//!
//! #[async_producer(into = properties, destination_template = "devices/{id}/state")]
//! async fn publish(
//!     client: &AsyncClient,
//!     device: &str,
//!     state: &'static str,
//!     properties: PublishProperties,
//! ) -> Result<(), ClientError> {
//!     let topic = format!("devices/{device}/state");
//!     client.publish_with_properties(topic, QoS::AtLeastOnce, false, state, properties).await
//! }
//!
//! #[async_consumer(continue, destination_template = "devices/{id}/state")]
//! async fn store(state: &Publish) -> Result<(), std::str::Utf8Error> {
//!     println!("{}", std::str::from_utf8(&state.payload)?);
//!     Ok(())
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut options = MqttOptions::new("storage", "127.0.0.1", 1883);
//!     // What is not acknowledged by then is delivered again, also after a restart.
//!     options.set_manual_acks(true);
//!     options.set_clean_start(false);
//!     options.set_session_expiry_interval(Some(3600));
//!     let (client, mut connection) = AsyncClient::new(options, 10);
//!     client.subscribe("devices/+/state", QoS::AtLeastOnce).await?;
//!     publish(&client, "d7", "on", PublishProperties::default()).await?;
//!
//!     loop {
//!         if let Event::Incoming(Packet::Publish(state)) = connection.poll().await? {
//!             store(&state).await?;
//!             throughline::settle("ack")
//!                 .destination_template("devices/{id}/state")
//!                 .run(&state, client.ack(&state))
//!                 .await?;
//!         }
//!     }
//! }
//! ```
//!
//! # Receiving and settling
//!
//! The broker pushes messages, and `poll` hands out what has come among much else: it needs no span. An
//! acknowledgement is a settlement where it is sent by hand, `settle("ack").run(&state, client.ack(&state))`;
//! otherwise the client sends it before the handler starts.

use rumqttc::v5::mqttbytes::v5::{Publish, PublishProperties};

use crate::carrier::{Facts, HeaderReader, Message, MessageMut};
use crate::semconv::system;

/// What a text of MQTT can hold, in bytes (MQTT 5.0, section 1.5.4).
const LONGEST: usize = 65_535;

impl Message for PublishProperties {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        for (name, value) in &self.user_properties {
            reader.header(name, value);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(system::MQTT);
        if let Some(id) = self.correlation_data.as_deref().and_then(text) {
            facts.conversation_id(id);
        }
    }
}

impl MessageMut for PublishProperties {
    fn can_set_header(&self, name: &str, value: &str) -> bool {
        is_allowed(name) && is_allowed(value)
    }

    fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        if self.can_set_header(name, value) {
            self.user_properties.push((name.to_owned(), value.to_owned()));
        }
    }

    fn remove_header(&mut self, name: &str) {
        self.user_properties.remove_header(name);
    }
}

impl Message for Publish {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.properties.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        self.properties.describe(facts);
        facts.own_system(system::MQTT);
        facts.body_size(self.payload.len() as u64).envelope_size(self.size() as u64);
        if let Some(topic) = text(&self.topic) {
            facts.varying_destination(topic);
        }
        if self.dup {
            facts.attempt(2);
        }
    }
}

impl MessageMut for Publish {
    fn can_set_header(&self, name: &str, value: &str) -> bool {
        is_allowed(name) && is_allowed(value)
    }

    fn set_header(&mut self, name: &str, value: &str) {
        self.properties.get_or_insert_default().set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.properties.remove_header(name);
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Whether brokers take it. At a NUL they have to close the connection, at what else is no character to
/// be read they may (MQTT 5.0, section 1.5.4); and the client writes a wrong length before a longer text.
fn is_allowed(text: &str) -> bool {
    let is_none = |c: char| {
        c.is_control() || matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
    };
    text.len() <= LONGEST && !text.contains(is_none)
}

#[cfg(test)]
mod tests {
    use rumqttc::v5::mqttbytes::QoS;

    use super::*;
    use crate::testing::{Traces, capture_sync};
    use crate::{Outcome, TraceContext, consume, produce};

    const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER_SENDER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";

    fn properties(pairs: &[(&str, &str)]) -> PublishProperties {
        let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        PublishProperties {
            user_properties: pairs.iter().map(pair).collect(),
            ..Default::default()
        }
    }

    fn publish(properties: Option<PublishProperties>) -> Publish {
        Publish::new("devices/d7/state", QoS::AtLeastOnce, "on", properties)
    }

    fn sender(message: &impl Message) -> Option<String> {
        TraceContext::read_from(message).traceparent()
    }

    fn handled(message: &impl Message) -> Traces {
        capture_sync(|| consume("store").link().run_sync(message, || ()))
    }

    #[test]
    fn any_casing_is_read() {
        for name in ["traceparent", "Traceparent"] {
            let properties = properties(&[("tenant", "acme"), (name, SENDER)]);
            assert_eq!(sender(&properties).as_deref(), Some(SENDER));
            assert_eq!(sender(&publish(Some(properties))).as_deref(), Some(SENDER));
        }
        assert_eq!(sender(&publish(None)), None);
    }

    #[test]
    fn different_values_count_as_none_and_equal_ones_once() {
        let twice = |other| properties(&[("traceparent", SENDER), ("traceparent", other)]);
        assert_eq!(sender(&twice(OTHER_SENDER)), None);
        assert_eq!(sender(&twice(SENDER)).as_deref(), Some(SENDER));
    }

    #[test]
    fn what_is_written_stands_in_place_of_every_casing_and_of_nothing_else() {
        let given =
            properties(&[("Traceparent", OTHER_SENDER), ("tenant", "acme"), ("tenant", "ajax")]);
        let mut written = publish(Some(given));
        written.set_header("traceparent", SENDER);
        let tenants = [("tenant", "acme"), ("tenant", "ajax")];
        let expected = [&tenants[..], &[("traceparent", SENDER)]].concat();
        assert_eq!(written.properties, Some(properties(&expected)));
        written.remove_header("traceparent");
        assert_eq!(written.properties, Some(properties(&tenants)));

        let mut written = publish(None);
        written.remove_header("traceparent");
        assert_eq!(written.properties, None);
        written.set_header("traceparent", SENDER);
        assert_eq!(written.properties, Some(properties(&[("traceparent", SENDER)])));
    }

    #[test]
    fn what_brokers_close_the_connection_for_is_left_out() {
        let mut written = properties(&[("baggage", "old=1")]);
        for no_character in ["a\0b", "a\u{7f}", "\u{fdd0}", "\u{ffff}", "\u{10fffe}"] {
            written.set_header("baggage", no_character);
            assert_eq!(written, properties(&[]), "{no_character:?}");
        }
        written.set_header("a\nb", "c");
        written.set_header("too-long", &"x".repeat(65_536));
        assert_eq!(written, properties(&[]));
        let longest = "x".repeat(65_535);
        written.set_header("long", &longest);
        assert_eq!(written, properties(&[("long", &longest)]));
    }

    #[test]
    fn a_publish_tells_its_topic_and_its_sizes() {
        let conversation = PublishProperties {
            correlation_data: Some("c1".into()),
            ..properties(&[("traceparent", SENDER)])
        };
        let message = Publish { pkid: 7, ..publish(Some(conversation)) };
        let traces = handled(&message);
        traces
            .span("store")
            .has_attribute("messaging.system", "mqtt")
            .has_attribute("messaging.destination.name", "devices/d7/state")
            .has_attribute("messaging.message.conversation_id", "c1")
            .has_attribute("messaging.message.body.size", 2)
            .has_attribute("messaging.message.envelope.size", 101)
            .has_no_attribute("messaging.message.id")
            .has_no_attribute("throughline.message.attempt")
            .has_links(1);
    }

    #[test]
    fn a_publish_that_comes_again_is_at_least_the_second() {
        let again = Publish { dup: true, ..publish(None) };
        handled(&again)
            .span("store")
            .has_attribute("messaging.system", "mqtt")
            .has_attribute("throughline.message.attempt", 2);
    }

    #[test]
    fn what_is_no_text_is_left_out() {
        let junk = PublishProperties {
            correlation_data: Some(vec![0xff, 0xfe].into()),
            ..properties(&[("traceparent", "junk")])
        };
        let message = Publish { topic: vec![0xc3].into(), ..publish(Some(junk)) };
        let traces = handled(&message);
        traces
            .span("store")
            .has_attribute("messaging.system", "mqtt")
            .has_no_attribute("messaging.destination.name")
            .has_no_attribute("messaging.message.conversation_id")
            .has_attribute("throughline.relation.reason", "unreadable");
        let by_alias = Publish { topic: Vec::new().into(), ..publish(None) };
        let traces = handled(&by_alias);
        traces.span("store").has_no_attribute("messaging.destination.name");
    }

    #[test]
    fn a_producer_notes_when_it_sent() {
        let mut written = PublishProperties::default();
        let traces = capture_sync(|| {
            produce("publish").start(&mut written).finish(Outcome::ok());
        });
        traces.span("publish").has_attribute("messaging.system", "mqtt");
        let names: Vec<_> = written.user_properties.iter().map(|(name, _)| &**name).collect();
        assert_eq!(names, ["traceparent", "throughline-sent"]);
    }
}
