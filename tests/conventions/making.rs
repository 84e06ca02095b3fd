//! A span of every form in which there is one, and what is measured beside them.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, PeriodicReader, SdkMeterProvider};
use throughline::testing::{Capture, Traces};
use throughline::{
    Existing, Facts, HeaderReader, IntoOutcome, Message, MessageMut, Outcome, Relation,
    TraceContext, Traced, async_consumer, async_task,
};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, UNSAMPLED_SENDER, headers};

/// A message that tells all that a message can.
#[derive(Clone)]
struct Record {
    headers: Headers,
    system: Option<&'static str>,
    id: &'static str,
    body_size: Option<u64>,
    sent: Option<SystemTime>,
    place: &'static str,
}

impl Message for Record {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.system(self.system.unwrap_or_default()).id(self.id).conversation_id(self.place);
        facts.destination(self.place).destination_template(match self.place {
            "orders.eu" => "orders.{region}",
            elsewhere => elsewhere,
        });
        facts.attempt(self.place.len() as u64);
        // As a message of JetStream has them.
        facts.attribute("throughline.nats.stream.name", self.place);
        let sequence = u8::from(self.place == "orders.eu");
        facts.attribute("throughline.nats.stream.sequence", sequence);
        facts.partition(self.place).client_id(self.place).server_address(self.place);
        facts.server_port(u16::from(self.place == "orders.eu"));
        if let Some(size) = self.body_size {
            facts.body_size(size).envelope_size(size + 100);
        }
        self.describe_for_its_system(facts);
        if let Some(sent) = self.sent {
            facts.sent_at(sent);
        }
    }
}

impl Record {
    /// What the conventions know of one system alone.
    fn describe_for_its_system<'m>(&'m self, facts: &mut Facts<'m>) {
        let is_odd = self.place != "orders.eu";
        match self.system {
            Some("kafka") => {
                facts
                    .consumer_group(self.place)
                    .kafka_key(self.id)
                    .kafka_offset(self.place.len() as u64);
                if is_odd {
                    facts.kafka_tombstone();
                }
            }
            Some("rabbitmq") => {
                facts.rabbitmq_routing_key(self.place);
                facts.rabbitmq_delivery_tag(self.place.len() as u64);
                if is_odd {
                    facts.temporary_destination().anonymous_destination();
                }
            }
            Some("gcp_pubsub") => _ = facts.subscription(self.place),
            _ => {}
        }
    }
}

impl MessageMut for Record {
    fn set_header(&mut self, name: &str, value: &str) {
        self.headers.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.headers.remove_header(name);
    }

    fn tells_when_it_was_sent(&self) -> bool {
        self.sent.is_some()
    }
}

struct Settled;

impl IntoOutcome for Settled {
    fn outcome(&self) -> Outcome {
        Outcome::error("CardBusy").retried()
    }
}

/// An hour ago.
fn old() -> Option<SystemTime> {
    SystemTime::now().checked_sub(Duration::from_secs(3600))
}

type Handled = Result<(), String>;

#[async_consumer(mode = relation, capture_headers = ["Tenant"])]
fn handle(#[message] message: &Record, relation: Relation, result: Handled) -> Handled {
    let _ = (message, relation);
    result
}

/// What runs in it for the same message is no consumer of its own.
#[async_consumer(link, operation = "consume", name = "a name of its own")]
fn retried(message: &Record) -> Settled {
    let _ = handle(message, Relation::LINK, Err("refused".to_owned()));
    throughline::consume("handle").run_sync(message, || Settled)
}

#[async_consumer(mode = relation, capture_headers = ["tenant"], max_links = 3)]
fn handle_all(#[message] messages: &[Record], relation: Relation) {
    let _ = (messages, relation);
}

#[async_consumer(link)]
fn without_a_destination(message: &Headers) {
    let _ = message;
}

#[async_task(mode = relation)]
fn task(relation: Relation, result: Handled) -> Handled {
    let _ = relation;
    result
}

/// Makes a span of every form in which there is one.
pub(crate) struct Making {
    pub(crate) system: Option<&'static str>,
}

impl Making {
    fn message(&self, pairs: &[(&str, &str)]) -> Record {
        let headers = headers(pairs);
        Record {
            headers,
            system: self.system,
            id: "a1",
            body_size: Some(12),
            sent: None,
            place: "orders.eu",
        }
    }

    /// What is true of few messages is true of this one.
    fn odd(&self) -> Record {
        Record { place: "orders", ..self.from(SENDER, "a1") }
    }

    fn just_sent(&self, pairs: &[(&str, &str)]) -> Record {
        Record { sent: Some(SystemTime::now()), ..self.message(pairs) }
    }

    fn from(&self, sender: &str, id: &'static str) -> Record {
        Record { id, ..self.message(&[("traceparent", sender), ("tenant", id)]) }
    }

    pub(crate) fn spans(&self, capture: Capture) -> Traces {
        capture.run_sync(|| {
            throughline::task("request").run_sync(|| {
                self.handled();
                self.handled_together();
                self.sent();
                self.created();
                self.received();
                self.settled();
                called();
                let origin = TraceContext::begin("approval");
                origin.add_step("approve");
                Ok::<_, String>(())
            })
        })
    }

    fn handled(&self) {
        let message = self.from(SENDER, "a1");
        let minute = Duration::from_secs(60);
        for relation in [
            Relation::LINK,
            Relation::LINK.nested(),
            Relation::CONTINUE,
            Relation::IGNORE,
            Relation::CONTINUE.within(minute),
            Relation::CONTINUE.max_hops(3),
        ] {
            assert!(handle(&message, relation, Ok(())).is_ok());
        }
        let old = Record { sent: old(), ..message.clone() };
        let _ = handle(&old, Relation::CONTINUE.within(minute), Err("refused".to_owned()));
        let _ = handle(&self.message(&[]), Relation::CONTINUE, Ok(()));
        for (name, value) in [
            ("traceparent", "nonsense"),
            ("tracestate", "throughline=hops:9"),
            ("throughline-break", "1"),
            ("throughline-attempt", OTHER_SENDER),
        ] {
            let message = self.message(&[("traceparent", SENDER), (name, value)]);
            let _ = handle(&message, Relation::CONTINUE.max_hops(3), Ok(()));
        }
        let _ = handle(&self.odd(), Relation::LINK, Ok(()));
        let _ = retried(&message);
        let _panicked = catch_unwind(AssertUnwindSafe(|| {
            throughline::consume("panicking").run_sync(&message, || -> () {
                resume_unwind(Box::new("a panic"));
            });
        }));
        drop(throughline::consume("cancelled").start(&message));
        if self.system.is_none() {
            without_a_destination(&headers(&[]));
        } else {
            throughline::consume("unpack").run_sync(&Traced::new(7), || ());
        }
    }

    fn handled_together(&self) {
        let batch = [
            self.from(SENDER, "a1"),
            self.from(SENDER, "a2"),
            self.from(OTHER_SENDER, "a3"),
            self.from(UNSAMPLED_SENDER, "a4"),
            self.message(&[]),
        ];
        for relation in [Relation::LINK, Relation::CONTINUE, Relation::IGNORE] {
            handle_all(&batch, relation);
        }
        handle_all(&batch[..1], Relation::LINK);
        handle_all(&batch[4..], Relation::LINK);
        let elsewhere = Record {
            place: "orders",
            body_size: Some(99),
            // Of several systems none is the batch's own.
            system: self.system.or(Some("pulsar")),
            ..self.just_sent(&[("traceparent", OTHER_SENDER), ("tenant", "a9")])
        };
        handle_all(&[batch[0].clone(), elsewhere], Relation::LINK);
        // Told where they are from.
        let late = ["a1", "a2", "a3"].map(|id| Record { sent: old(), ..self.from(SENDER, id) });
        let mut late = late.to_vec();
        late.extend(self.many());
        for result in [Ok(()), Err("refused")] {
            let count = throughline::consume("count").destination("orders.eu");
            count.run_sync(&late, || result).ok();
        }
    }

    fn sent(&self) {
        let produce = || throughline::produce("publish");
        for result in [Ok(()), Err("no broker")] {
            let publish = produce().destination("orders.eu");
            publish.run_sync(&mut self.message(&[]), |_| result).ok();
        }
        for message in [self.message(&[]), self.just_sent(&[]), self.from(SENDER, "a1")] {
            for result in [Ok(()), Err("no broker")] {
                produce().run_sync(&mut message.clone(), |_| result).ok();
            }
            for existing in [Existing::Keep, Existing::Replace] {
                produce().existing(existing).run_sync(&mut message.clone(), |_| ());
            }
            produce().run_sync(&mut message.clone(), |_| Settled);
            produce().retry(true).run_sync(&mut message.clone(), |_| ());
            produce().new_trace(true).run_sync(&mut message.clone(), |_| ());
        }
        for mut batch in [
            vec![self.message(&[]), self.from(SENDER, "a1"), self.from(SENDER, "a2")],
            vec![self.from(SENDER, "a1"), self.from(OTHER_SENDER, "a2")],
            vec![self.message(&[]), self.message(&[])],
        ] {
            produce().run_sync(&mut batch, |_| ());
            produce().run_sync(&mut batch, |_| Err::<(), _>("no broker")).ok();
        }
        produce().run_sync(&mut self.many(), |_| ());
        produce().existing(Existing::Replace).run_sync(&mut self.odd(), |_| ());
    }

    /// More senders than a span has links for.
    fn many(&self) -> Vec<Record> {
        let sender = |id: u64| format!("00-{id:032x}-{id:016x}-01");
        (1..=129).map(|id| self.from(&sender(id), "a1")).collect()
    }

    fn created(&self) {
        throughline::create("order").run_sync(&mut self.just_sent(&[]), |_| Settled);
        let mut odd = Record { headers: headers(&[]), ..self.odd() };
        throughline::create("order").run_sync(&mut odd, |_| ());
        for result in [Ok(()), Err("no memory")] {
            throughline::create("order").run_sync(&mut self.message(&[]), |_| result).ok();
        }
    }

    fn received(&self) {
        let poll = || {
            let poll = throughline::receive("poll").operation("poll");
            match self.system {
                // Before the messages are there, and where there are none, only the user knows.
                Some(system) => poll.system(system).destination("orders.eu"),
                None => poll.destination("orders.eu"),
            }
        };
        let record = || self.from(SENDER, "a1");
        poll().run_sync(|| Some(record()));
        poll().run_sync(|| Some(self.just_sent(&[])));
        poll().run_sync(|| None::<Record>);
        poll().run_sync(|| vec![record(), self.from(OTHER_SENDER, "a2"), self.message(&[])]);
        poll().run_sync(Vec::<Record>::new);
        poll().run_sync(|| self.many());
        poll().run_sync(|| Err::<Vec<Record>, _>(std::fmt::Error)).ok();
        throughline::receive("poll").run_sync(record);
        throughline::receive("poll").run_sync(|| self.odd());
        let here = throughline::site!(
            operation: receive,
            function: "poll",
            span: "poll",
            target: module_path!(),
            level: INFO,
            fields: [],
        );
        throughline::receive(here).run_sync(record);
    }

    fn settled(&self) {
        let settle = || throughline::settle("ack");
        let record = |sender, id| self.from(sender, id);
        let batch = [record(SENDER, "a1"), record(OTHER_SENDER, "a2"), record(SENDER, "a3")];
        settle().run_sync(&batch[0], || ());
        let here = throughline::site!(
            operation: settle,
            function: "ack",
            span: "ack",
            target: module_path!(),
            level: INFO,
            fields: [],
        );
        throughline::settle(here).run_sync(&batch[0], || ());
        settle().run_sync(&batch[..], || ());
        settle().run_sync(&self.just_sent(&[]), || ());
        settle().run_sync(&self.many(), || ());
        settle().run_sync(&batch[1], || Err::<(), _>("no broker")).ok();
    }
}

fn called() {
    for relation in [Relation::LINK, Relation::CONTINUE, Relation::CONTINUE.max_hops(0)] {
        let _ = task(relation, Ok(()));
        let _ = task(relation, Err("refused".to_owned()));
    }
    throughline::task("task").run_sync(|| Settled);
}

/// All that is made.
pub(crate) struct Made {
    /// The spans that are told a system, and those that are told none, in both worlds.
    pub(crate) traces: Vec<(Option<&'static str>, Traces)>,
    /// As they would be sent.
    pub(crate) metrics: Vec<ResourceMetrics>,
}

/// Made once: what was polled for once is from then on counted by polls alone.
pub(crate) fn made() -> &'static Made {
    static MADE: LazyLock<Made> = LazyLock::new(|| {
        let exporter = InMemoryMetricExporter::default();
        let reader = PeriodicReader::builder(exporter.clone()).build();
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        opentelemetry::global::set_meter_provider(provider.clone());
        let mut traces = Vec::new();
        for system in [Some("kafka"), Some("rabbitmq"), Some("gcp_pubsub"), None] {
            for capture in [Capture::new(), Capture::new().without_tracing()] {
                traces.push((system, Making { system }.spans(capture)));
            }
        }
        provider.shutdown().expect("it takes no time");
        let metrics = exporter.get_finished_metrics().expect("an exporter in memory");
        let as_sent = |it| ExportMetricsServiceRequest::from(it).resource_metrics;
        Made { traces, metrics: metrics.iter().flat_map(as_sent).collect() }
    });
    &MADE
}
