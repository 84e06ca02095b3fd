//! Mosquitto, a broker of MQTT, by rumqttc.

use libtest_mimic::Trial;
use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish, PublishProperties};
use rumqttc::v5::{AsyncClient, ClientError, Event, EventLoop, MqttOptions};
use throughline::testing::{Capture, Span, Traces};
use throughline::{TraceContext, Traced, async_consumer, async_producer};
use throughline_test_brokers::{MOSQUITTO, in_time, unique};
use throughline_tests::{OTHER_SENDER, SENDER, baggage, in_both_worlds};

pub(crate) fn trials() -> Vec<Trial> {
    MOSQUITTO.trials(&[
        ("a_handler_continues_its_sender", a_handler_continues_its_sender),
        ("a_batch_links_to_every_sender", a_batch_links_to_every_sender),
        ("what_was_not_acknowledged_comes_again", what_was_not_acknowledged_comes_again),
        ("properties_of_other_libraries_are_read", properties_of_other_libraries_are_read),
        ("a_megabyte_of_baggage_harms_nobody", a_megabyte_of_baggage_harms_nobody),
        ("a_payload_carries_the_context_over_mqtt_3", a_payload_carries_the_context_over_mqtt_3),
    ])
}

fn captured(capture: Capture, body: impl Future<Output = ()>) -> Traces {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(capture.run(in_time(body)))
}

/// A client and its connection, which moves while somebody waits for something.
struct Device {
    client: AsyncClient,
    connection: EventLoop,
}

impl Device {
    async fn connect(address: &str) -> Self {
        Self::resume(address, &unique("device")).await
    }

    /// With the subscriptions and the messages that the server has kept for a client of this name.
    async fn resume(address: &str, name: &str) -> Self {
        let (host, port) = address.rsplit_once(':').expect("host:port");
        let mut options = MqttOptions::new(name, host, port.parse().expect("a port"));
        options.set_clean_start(false);
        options.set_session_expiry_interval(Some(60));
        options.set_max_packet_size(Some(4 << 20));
        options.set_manual_acks(true);
        let (client, connection) = AsyncClient::new(options, 10);
        let mut device = Self { client, connection };
        device
            .wait(|event| matches!(event, Event::Incoming(Packet::ConnAck(_))).then_some(()))
            .await;
        device
    }

    async fn wait<T>(&mut self, mut what: impl FnMut(Event) -> Option<T>) -> T {
        loop {
            let event = self.connection.poll().await.expect("a connection");
            if let Some(found) = what(event) {
                return found;
            }
        }
    }

    async fn subscribe(&mut self, topic: &str) {
        self.client.subscribe(topic, QoS::AtLeastOnce).await.expect("a connection");
        self.wait(|event| matches!(event, Event::Incoming(Packet::SubAck(_))).then_some(())).await;
    }

    async fn next(&mut self) -> Publish {
        self.wait(|event| match event {
            Event::Incoming(Packet::Publish(publish)) => Some(publish),
            _ => None,
        })
        .await
    }

    async fn acknowledge(&mut self, state: &Publish) {
        let ack = self.client.ack(state);
        let settled = throughline::settle("ack").destination_template(TEMPLATE).run(state, ack);
        settled.await.expect("a connection");
        self.wait(|event| matches!(event, Event::Outgoing(Outgoing::PubAck(_))).then_some(()))
            .await;
    }

    /// Sends what another library would have written.
    async fn send(&self, topic: &str, properties: PublishProperties) {
        let sent =
            self.client.publish_with_properties(topic, QoS::AtLeastOnce, false, "", properties);
        sent.await.expect("a connection");
    }
}

const TEMPLATE: &str = "devices/{id}/state";

#[async_producer(destination_template = TEMPLATE, name = format!("state of {id}"), into = properties)]
async fn publish(
    device: &Device,
    place: &str,
    id: &str,
    properties: PublishProperties,
) -> Result<(), ClientError> {
    let (client, topic) = (&device.client, format!("{place}/{id}/state"));
    client.publish_with_properties(topic, QoS::AtLeastOnce, false, "on", properties).await
}

#[async_consumer(continue, destination_template = TEMPLATE, client_id = "storage")]
async fn store(state: &Publish) -> usize {
    state.payload.len()
}

fn properties(pairs: &[(&str, &str)]) -> PublishProperties {
    let pair = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    PublishProperties { user_properties: pairs.iter().map(pair).collect(), ..Default::default() }
}

fn a_handler_continues_its_sender(address: &str) {
    in_both_worlds(|capture| {
        let place = unique("devices");
        let traces = captured(capture, async {
            let mut device = Device::connect(address).await;
            device.subscribe(&format!("{place}/+/state")).await;
            let given = PublishProperties {
                correlation_data: Some("c1".into()),
                ..properties(&[("Traceparent", "of another day"), ("tenant", "acme")])
            };
            publish(&device, &place, "d7", given).await.expect("a connection");
            let state = device.next().await;
            assert_eq!(store(&state).await, 2);
            device.acknowledge(&state).await;
        });
        traces.assert_tree(
            "
trace A
  state of d7                        producer
    process devices/{id}/state       consumer   continues A/state of d7
trace B
  ack devices/{id}/state             client     links to A/state of d7
",
        );
        traces.span("state of d7").has_attribute("messaging.system", "mqtt");
        let topic = format!("{place}/d7/state");
        let span = traces.span("process devices/{id}/state");
        span.has_attribute("messaging.system", "mqtt")
            .has_attribute("messaging.destination.name", &*topic)
            .has_attribute("messaging.destination.template", TEMPLATE)
            .has_attribute("messaging.message.conversation_id", "c1")
            .has_attribute("messaging.message.body.size", 2)
            .has_attribute("messaging.client.id", "storage")
            .has_no_attribute("throughline.message.attempt");
        let age = span.attribute("throughline.message.age").expect("an age").as_str();
        assert!((0.0..30.0).contains(&age.parse::<f64>().expect("a number")), "{age}");
        let envelope = span.attribute("messaging.message.envelope.size").expect("a size").as_str();
        // The topic, a `traceparent` and a `throughline-sent` go with it.
        assert!(envelope.parse::<usize>().expect("a number") > topic.len() + 100, "{envelope}");
    });
}

fn a_batch_links_to_every_sender(address: &str) {
    #[async_consumer(link, destination_template = TEMPLATE)]
    async fn record(states: &[Publish]) -> usize {
        states.len()
    }

    in_both_worlds(|capture| {
        let place = unique("devices");
        let traces = captured(capture, async {
            let mut device = Device::connect(address).await;
            device.subscribe(&format!("{place}/#")).await;
            let mut states = Vec::new();
            for id in ["d7", "d8"] {
                publish(&device, &place, id, PublishProperties::default()).await.expect("sent");
                states.push(device.next().await);
            }
            assert_eq!(record(&states).await, 2);
        });
        let span = traces.span("process devices/{id}/state");
        span.is_root().has_links(2).has_attribute("messaging.batch.message_count", 2);
        for id in ["d7", "d8"] {
            let (sender, topic) = (format!("state of {id}"), format!("{place}/{id}/state"));
            span.has_link_attribute(&sender, "messaging.destination.name", &*topic);
        }
    });
}

fn what_was_not_acknowledged_comes_again(address: &str) {
    in_both_worlds(|capture| {
        let (name, place) = (unique("storage"), unique("devices"));
        let traces = captured(capture, async {
            let mut storage = Device::resume(address, &name).await;
            storage.subscribe(&format!("{place}/+/state")).await;
            publish(&storage, &place, "d7", PublishProperties::default()).await.expect("sent");
            store(&storage.next().await).await;
            // Not a word to the server: as if the process had been killed.
            drop(storage);

            let mut storage = Device::resume(address, &name).await;
            let again = storage.next().await;
            store(&again).await;
            storage.acknowledge(&again).await;
            drop(storage);

            let mut storage = Device::resume(address, &name).await;
            let another = properties(&[("another", "one")]);
            storage.send(&format!("{place}/d7/state"), another.clone()).await;
            assert_eq!(storage.next().await.properties, Some(another));
        });
        traces.assert_tree(
            "
trace A
  state of d7                        producer
    process devices/{id}/state       consumer   continues A/state of d7
    process devices/{id}/state       consumer   continues A/state of d7
trace B
  ack devices/{id}/state             client     links to A/state of d7
",
        );
        let attempt = |span: &Span<'_>| span.attribute("throughline.message.attempt").cloned();
        let handled = traces.spans("process devices/{id}/state");
        let attempts: Vec<_> = handled.iter().filter_map(attempt).collect();
        assert_eq!(attempts, [2.into()], "of the second, for the first does not count itself");
        traces
            .span("ack devices/{id}/state")
            .has_attribute("messaging.operation.type", "settle")
            .has_attribute("throughline.message.attempt", 2);
    });
}

fn properties_of_other_libraries_are_read(address: &str) {
    in_both_worlds(|capture| {
        let topic = unique("devices");
        let traces = captured(capture, async {
            let mut device = Device::connect(address).await;
            device.subscribe(&topic).await;
            for (name, pairs) in [
                (
                    "other casing",
                    &[("tenant", "acme"), ("TraceParent", SENDER), ("Baggage", "a=1")][..],
                ),
                ("twice", &[("traceparent", SENDER), ("traceparent", SENDER)]),
                ("two senders", &[("traceparent", SENDER), ("traceparent", OTHER_SENDER)]),
                ("junk", &[("traceparent", "\u{fffd} \u{10fffd};"), ("baggage", "=,,;"), ("", "")]),
                ("nothing", &[("tenant", "acme")]),
                ("no properties", &[]),
            ] {
                device.send(&topic, properties(pairs)).await;
                let state = device.next().await;
                let expected = (name == "other casing").then(|| "1".to_owned());
                throughline::consume(name)
                    .continue_()
                    .run_sync(&state, || assert_eq!(baggage("a"), expected, "{name}"));
            }
        });
        for (name, is_joined, reason) in [
            ("other casing", true, None),
            ("twice", true, None),
            ("two senders", false, Some("unreadable")),
            ("junk", false, Some("unreadable")),
            ("nothing", false, Some("no_context")),
            ("no properties", false, Some("no_context")),
        ] {
            let span = traces.span(name);
            let trace = format!("00-{}-", span.trace_id());
            assert_eq!(SENDER.starts_with(&trace), is_joined, "{name}");
            let told = span.attribute("throughline.relation.reason").map(ToString::to_string);
            assert_eq!(told.as_deref(), reason, "{name}");
        }
    });
}

fn a_megabyte_of_baggage_harms_nobody(address: &str) {
    // As much as one property holds, and so often that it is a megabyte.
    let entries: Vec<_> = (0..4_000).map(|entry| format!("k{entry}=v{entry}")).collect();
    let baggage_of_a_sender = entries.join(",");
    assert!((40_000..=65_535).contains(&baggage_of_a_sender.len()));
    let mut heavy = properties(&[("traceparent", SENDER)]);
    let entry = ("baggage".to_owned(), baggage_of_a_sender);
    heavy.user_properties.extend(std::iter::repeat_n(entry, 25));

    in_both_worlds(|capture| {
        let topic = unique("devices");
        let traces = captured(capture, async {
            let mut device = Device::connect(address).await;
            device.subscribe(&topic).await;
            device.send(&topic, heavy.clone()).await;
            let state = device.next().await;
            let handling = async {
                assert_eq!(baggage("k7").as_deref(), Some("v7"));
                let mut forwarded = PublishProperties::default();
                let send =
                    |forwarded: &mut PublishProperties| device.send(&topic, forwarded.clone());
                throughline::produce("forward").run(&mut forwarded, send).await;
            };
            throughline::consume("store").continue_().run(&state, handling).await;
            let forwarded = device.next().await;
            let sender = TraceContext::read_from(&forwarded).traceparent().expect("a sender");
            assert!(sender.starts_with(&SENDER[..35]), "{sender}");
            assert!((500..32_768).contains(&forwarded.size()), "{}", forwarded.size());
        });
        traces.span("forward").is_child_of("store").status_is_unset();
    });
}

fn a_payload_carries_the_context_over_mqtt_3(address: &str) {
    #[async_consumer(continue, system = "mqtt", destination = "devices")]
    async fn store(state: Traced<String>) {
        assert_eq!(*state, "on");
    }

    in_both_worlds(|capture| {
        let topic = unique("devices");
        let traces = captured(capture, async {
            let (host, port) = address.rsplit_once(':').expect("host:port");
            let port = port.parse().expect("a port");
            let options = rumqttc::MqttOptions::new(unique("device"), host, port);
            let (client, mut connection) = rumqttc::AsyncClient::new(options, 10);
            let at_least_once = rumqttc::QoS::AtLeastOnce;
            client.subscribe(&topic, at_least_once).await.expect("a connection");
            let mut state = Traced::new("on".to_owned());
            let send = |state: &mut Traced<String>| {
                let payload = serde_json::to_vec(state).expect("JSON");
                client.publish(&topic, at_least_once, false, payload)
            };
            throughline::produce("publish").run(&mut state, send).await.expect("a connection");
            let payload = loop {
                let event = connection.poll().await.expect("a connection");
                if let rumqttc::Event::Incoming(rumqttc::Packet::Publish(publish)) = event {
                    break publish.payload;
                }
            };
            store(serde_json::from_slice(&payload).expect("JSON")).await;
        });
        traces.span("process devices").continues("publish");
    });
}
