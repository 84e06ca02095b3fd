//! What a message tells about itself stands where the conventions know it, and what the user says
//! goes before it.

use std::time::{Duration, SystemTime};

use throughline::testing::{Span, Traces};
use throughline::{
    Batch, BatchMut, Facts, HeaderReader, Message, MessageMut, Outcome, async_consumer,
    async_producer,
};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, from, in_both_worlds};

/// A message that tells what `tell` says.
#[derive(Clone)]
struct Telling {
    headers: Headers,
    tell: for<'m> fn(&mut Facts<'m>),
}

impl Message for Telling {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        (self.tell)(facts);
    }
}

impl MessageMut for Telling {
    fn set_header(&mut self, name: &str, value: &str) {
        self.headers.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.headers.remove_header(name);
    }
}

fn telling(tell: for<'m> fn(&mut Facts<'m>)) -> Telling {
    Telling { headers: from(SENDER), tell }
}

/// Every fact there is.
fn everything(facts: &mut Facts<'_>) {
    facts
        .system("kafka")
        .destination("orders")
        .destination_template("orders.{region}")
        .temporary_destination()
        .anonymous_destination()
        .partition("3")
        .subscription("all-orders")
        .consumer_group("billing")
        .client_id("billing-1")
        .server_address("broker-1")
        .server_port(9092)
        .id("a1")
        .conversation_id("c1")
        .body_size(12)
        .envelope_size(99)
        .kafka_key("customer-7")
        .kafka_offset(42)
        .kafka_tombstone()
        .rabbitmq_routing_key("orders.eu")
        .rabbitmq_delivery_tag(5)
        .sent_at(SystemTime::now() - Duration::from_secs(5))
        .attempt(2)
        .attribute("messaging.gcp_pubsub.message.ordering_key", "o1")
        .attribute("messaging.gcp_pubsub.message.ack_id", "k1")
        .attribute("aws.sns.topic.arn", "arn")
        .attribute("aws.sqs.queue.url", "https://sqs/orders")
        .attribute("messaging.rocketmq.message.tag", "t1");
}

/// Each fact of [`everything`], and the operations on whose spans the conventions have it.
const PLACES: [(&str, &str); 27] = [
    ("messaging.system", "create send receive process settle"),
    ("messaging.destination.name", "create send receive process settle"),
    ("messaging.destination.template", "create send receive process settle"),
    ("messaging.destination.temporary", "send receive process"),
    ("messaging.destination.anonymous", "send receive process"),
    ("messaging.destination.partition.id", "create send receive process settle"),
    ("messaging.destination.subscription.name", "receive process settle"),
    ("messaging.consumer.group.name", "receive process settle"),
    ("messaging.client.id", "send receive process settle"),
    ("server.address", "create send receive process settle"),
    ("server.port", "create send receive process settle"),
    ("messaging.message.id", "create send receive process settle"),
    ("messaging.message.conversation_id", "create send receive process settle"),
    ("messaging.message.body.size", "create send receive process"),
    ("messaging.message.envelope.size", "create send receive process"),
    ("messaging.kafka.message.key", "create send receive process"),
    ("messaging.kafka.offset", "send receive process settle"),
    ("messaging.kafka.message.tombstone", "create send receive process"),
    ("messaging.rabbitmq.destination.routing_key", "send receive process"),
    ("messaging.rabbitmq.message.delivery_tag", "receive process settle"),
    ("throughline.message.age", "receive process settle"),
    ("throughline.message.attempt", "receive process settle"),
    ("messaging.gcp_pubsub.message.ordering_key", "create send"),
    ("messaging.gcp_pubsub.message.ack_id", "receive process settle"),
    ("aws.sns.topic.arn", "send"),
    ("aws.sqs.queue.url", "send receive process"),
    ("messaging.rocketmq.message.tag", "create send receive process settle"),
];

/// A span of each operation for one message, named after the operation.
fn each_operation(message: &Telling) {
    throughline::create("create").name("create").run_sync(&mut unsent(message), |_| ());
    throughline::produce("send").name("send").run_sync(&mut unsent(message), |_| ());
    throughline::receive("receive").name("receive").run_sync(|| message.clone());
    throughline::consume("process").name("process").run_sync(message, || ());
    throughline::settle("settle").name("settle").run_sync(message, || ());
}

fn unsent(message: &Telling) -> Telling {
    Telling { headers: Headers::new(), ..message.clone() }
}

#[test]
fn each_fact_stands_on_the_spans_of_the_operations_that_know_it() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| each_operation(&telling(everything)));
        for (key, operations) in PLACES {
            for operation in ["create", "send", "receive", "process", "settle"] {
                let is_there = traces.span(operation).attribute(key).is_some();
                assert_eq!(is_there, operations.contains(operation), "{key} on {operation}");
            }
        }
        traces
            .span("process")
            .has_attribute("messaging.destination.partition.id", "3")
            .has_attribute("messaging.destination.temporary", true)
            .has_attribute("server.port", 9092)
            .has_attribute("messaging.message.envelope.size", 99)
            .has_attribute("messaging.kafka.message.key", "customer-7")
            .has_attribute("messaging.kafka.offset", 42)
            .has_attribute("messaging.kafka.message.tombstone", true)
            .has_attribute("messaging.rabbitmq.message.delivery_tag", 5)
            .has_attribute("messaging.rocketmq.message.tag", "t1");
    });
}

#[test]
fn on_a_link_stands_what_differs_and_belongs_to_the_operation() {
    fn first(facts: &mut Facts<'_>) {
        facts.partition("1").kafka_offset(1).kafka_key("one").attribute("vendor.rank", 1);
    }
    fn second(facts: &mut Facts<'_>) {
        facts.partition("1").kafka_offset(2).kafka_key("two").attribute("vendor.rank", 2);
    }
    in_both_worlds(|capture| {
        let batch = [telling(first), Telling { headers: from(OTHER_SENDER), tell: second }];
        let traces = capture.run_sync(|| {
            throughline::consume("process").run_sync(&batch[..], || ());
            throughline::settle("settle").run_sync(&batch[..], || ());
        });
        traces
            .span("process")
            .has_attribute("messaging.destination.partition.id", "1")
            .has_no_attribute("messaging.kafka.offset")
            .has_no_attribute("vendor.rank")
            .has_link_attribute(SENDER, "messaging.kafka.offset", 1)
            .has_link_attribute(SENDER, "messaging.kafka.message.key", "one")
            .has_link_attribute(OTHER_SENDER, "vendor.rank", 2);
        let settled = traces.span("settle");
        settled.has_link_attribute(OTHER_SENDER, "messaging.kafka.offset", 2);
        let keys = settled.links().iter().flat_map(|link| &link.attributes);
        assert!(keys.clone().all(|it| it.key.as_str() != "messaging.kafka.message.key"));
    });
}

#[test]
fn of_a_destination_that_the_user_names_no_message_tells_more_on_its_link() {
    fn first(facts: &mut Facts<'_>) {
        facts.destination("a.1").destination_template("a.{n}");
    }
    fn second(facts: &mut Facts<'_>) {
        facts.destination("b.1").destination_template("b.{n}");
    }
    in_both_worlds(|capture| {
        let batch = [telling(first), Telling { headers: from(OTHER_SENDER), tell: second }];
        let traces = capture.run_sync(|| {
            throughline::consume("handler").destination("orders").run_sync(&batch[..], || ());
        });
        let span = traces.span("process orders");
        assert!(span.links().iter().all(|link| link.attributes.is_empty()), "{traces}");
    });
}

#[test]
fn an_empty_text_tells_nothing() {
    fn nothing(facts: &mut Facts<'_>) {
        facts.partition("").kafka_key("").attribute("vendor.tag", "");
        facts.attribute("vendor.shelf", "a").attribute("vendor.shelf", "b");
        facts.attribute("vendor.shelf", "");
        facts.kafka_offset(42).attribute("messaging.kafka.offset", 7);
        facts.varying_destination("orders.4711").destination("");
    }
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let said_nothing = throughline::consume("process").destination("").server("");
            said_nothing.run_sync(&telling(nothing), || ());
        });
        traces
            .span("process")
            .has_attribute("messaging.destination.name", "orders.4711") // and not in the name
            .has_attribute("messaging.kafka.offset", 42) // once
            .has_no_attribute("server.address")
            .has_no_attribute("messaging.destination.partition.id")
            .has_no_attribute("messaging.kafka.message.key")
            .has_no_attribute("vendor.tag")
            .has_attribute("vendor.shelf", "b"); // the last word, and once
    });
}

/// The one span that a handler without options of its own makes of a message that tells so.
fn handled(tell: for<'m> fn(&mut Facts<'m>), check: impl Fn(Span<'_>)) {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            throughline::consume("charge_card").run_sync(&telling(tell), || ());
        });
        check(only(&traces));
    });
}

fn only(traces: &Traces) -> Span<'_> {
    match traces.all()[..] {
        [span] => span,
        _ => panic!("one span: {traces}"),
    }
}

#[test]
fn a_destination_of_many_names_is_in_no_spans_name() {
    handled(
        |facts| _ = facts.varying_destination("orders.4711"),
        |span| {
            assert_eq!(span.name(), "charge_card");
            span.has_attribute("messaging.destination.name", "orders.4711");
        },
    );
    handled(
        |facts| _ = facts.destination("amq.gen-7").anonymous_destination(),
        |span| assert_eq!(span.name(), "charge_card"),
    );
    handled(
        |facts| _ = facts.destination("reply-7").temporary_destination(),
        |span| assert_eq!(span.name(), "charge_card"),
    );
    handled(
        |facts| _ = facts.varying_destination("orders.4711").destination_template("orders.{id}"),
        |span| assert_eq!(span.name(), "process orders.{id}"),
    );
    handled(
        |facts| _ = facts.varying_destination("orders.4711").destination("orders"),
        |span| assert_eq!(span.name(), "process orders"),
    );
}

fn a_subject(facts: &mut Facts<'_>) {
    facts
        .varying_destination("orders.4711")
        .client_id("theirs")
        .server_address("told")
        .server_port(1);
}

#[async_consumer(
    link,
    destination_template = "orders.{id}",
    consumer_group = "billing",
    client_id = format!("billing-{}", 7),
    server = "broker:4222",
)]
fn by_template(message: &Telling) {}

#[async_consumer(link, destination = "orders", server = "broker")]
fn by_name(message: &Telling) {}

#[async_producer(destination_template = "orders.{id}", client_id = "shop", server = "[::1]:4222")]
fn send(message: &mut Telling) {}

#[test]
fn what_the_user_says_goes_before_what_the_message_says() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let mut message = telling(a_subject);
            by_template(&message);
            send(&mut message);
        });
        traces
            .span("process orders.{id}")
            .has_attribute("messaging.destination.name", "orders.4711")
            .has_attribute("messaging.destination.template", "orders.{id}")
            .has_attribute("messaging.consumer.group.name", "billing")
            .has_attribute("messaging.client.id", "billing-7")
            .has_attribute("server.address", "broker")
            .has_attribute("server.port", 4222);
        traces
            .span("send orders.{id}")
            .has_attribute("messaging.client.id", "shop")
            .has_attribute("server.address", "::1")
            .has_attribute("server.port", 4222);
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| by_name(&telling(a_subject)));
        traces
            .span("process orders")
            .has_attribute("messaging.destination.name", "orders")
            .has_no_attribute("messaging.destination.template")
            .has_attribute("messaging.client.id", "theirs")
            .has_attribute("server.address", "broker")
            .has_no_attribute("server.port"); // the message's would be another server's
    });
}

#[test]
fn a_poll_says_what_it_knows_before_it_has_messages_and_once() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let site = throughline::site!(
                operation: receive,
                function: "poll",
                span: "poll",
                target: module_path!(),
                level: INFO,
                fields: ["messaging.message.id"],
            );
            throughline::receive(site)
                .name("poll")
                .consumer_group("ours")
                .server("ours:1")
                .fields(&[("messaging.message.id", throughline::field::value(&"mine"))])
                .run_sync(|| telling(everything));
        });
        let poll = traces.span("poll");
        poll.has_attribute("messaging.consumer.group.name", "ours")
            .has_attribute("server.address", "ours")
            .has_attribute("messaging.message.id", "mine")
            .has_attribute("messaging.client.id", "billing-1");
        let mut keys: Vec<_> = poll.data().attributes.iter().map(|it| it.key.as_str()).collect();
        let all = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), all, "{:?}", poll.data().attributes);
    });
}

#[test]
fn what_settles_nothing_yet_has_no_type() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let settle = throughline::settle("modack").unsettled().destination("orders");
            settle.run_sync(&telling(everything), || ());
            let span = throughline::consume("done").start(&telling(everything));
            span.finish(Outcome::ok());
        });
        traces
            .span("modack orders")
            .is_kind("client")
            .links_to(SENDER)
            .has_attribute("messaging.operation.name", "modack")
            .has_no_attribute("messaging.operation.type")
            .has_no_attribute("messaging.message.body.size");
        traces.span("process orders.{region}").has_attribute("messaging.operation.type", "process");
    });
}

/// A batch that knows what its messages don't.
struct Shelf(Vec<Telling>);

impl Batch for Shelf {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        self.0.each(visit);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.system("shelves").destination("upper").partition("0").attribute("shelf.depth", 7);
    }
}

impl BatchMut for Shelf {
    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut dyn MessageMut)) {
        self.0.each_mut(visit);
    }
}

#[test]
fn a_batch_tells_what_its_messages_do_not() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            // They agree on one fact, differ in one, and are silent on the others.
            let one = telling(|facts| _ = facts.system("kafka").partition("1"));
            let mut other = telling(|facts| _ = facts.system("kafka").partition("2"));
            other.headers = from(OTHER_SENDER);
            let mut shelf = Shelf(vec![one, other]);
            throughline::consume("handle").link().run_sync(&Some(&shelf), || ());
            throughline::produce("publish").run_sync(&mut shelf, |_| ());
            throughline::receive("poll").run_sync(|| Shelf(Vec::new()));
            throughline::receive("poll_none").name("none").run_sync(|| None::<Shelf>);
        });
        for span in ["process upper", "send upper"] {
            let span = traces.span(span);
            span.has_attribute("messaging.system", "kafka")
                .has_attribute("messaging.destination.name", "upper")
                .has_no_attribute("messaging.destination.partition.id")
                .has_attribute("shelf.depth", 7)
                .has_links(2);
            let key = "messaging.destination.partition.id";
            span.has_link_attribute(SENDER, key, "1").has_link_attribute(OTHER_SENDER, key, "2");
        }
        traces
            .span("poll")
            .has_attribute("messaging.system", "shelves")
            .has_attribute("messaging.destination.partition.id", "0")
            .has_attribute("messaging.batch.message_count", 0);
        traces
            .span("none")
            .has_attribute("messaging.batch.message_count", 0)
            .has_no_attribute("messaging.system");
    });
}

/// One of two messages of one sender, and a third of another.
fn batch_of(tell: [for<'m> fn(&mut Facts<'m>); 3]) -> [Telling; 3] {
    let [first, second, third] = tell.map(telling);
    [first, second, Telling { headers: from(OTHER_SENDER), ..third }]
}

#[test]
fn messages_that_say_nothing_do_not_agree_with_those_that_do() {
    fn silent(_: &mut Facts<'_>) {}
    fn first(facts: &mut Facts<'_>) {
        facts.partition("1").attribute("vendor.rank", 1);
    }
    const KEYS: [&str; 2] = ["messaging.destination.partition.id", "vendor.rank"];

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let handle = |name, batch: &[Telling]| {
                throughline::consume(name).run_sync(batch, || ());
            };
            handle("silent at first", &batch_of([silent, first, first]));
            handle("silent at last", &batch_of([first, silent, first]));
            handle("silent elsewhere", &batch_of([first, first, silent]));
            handle("all silent", &batch_of([silent, silent, silent]));
        });
        for key in KEYS {
            for name in ["silent at first", "silent at last", "silent elsewhere", "all silent"] {
                traces.span(name).has_links(2).has_no_attribute(key);
            }
        }
        let links_with = |name: &str, key: &str| {
            let span = traces.span(name);
            let has =
                |keys: &[opentelemetry::KeyValue]| keys.iter().any(|it| it.key.as_str() == key);
            span.links().iter().map(|link| has(&link.attributes)).collect::<Vec<_>>()
        };
        for key in KEYS {
            assert_eq!(links_with("silent at first", key), [false, true], "{key}");
            assert_eq!(links_with("silent at last", key), [false, true], "{key}");
            assert_eq!(links_with("silent elsewhere", key), [true, false], "{key}");
            assert_eq!(links_with("all silent", key), [false, false], "{key}");
        }
    });
}

#[test]
fn a_destination_that_varies_for_one_message_is_in_no_batchs_name() {
    fn plain(facts: &mut Facts<'_>) {
        facts.destination("orders.4711");
    }
    fn varying(facts: &mut Facts<'_>) {
        facts.varying_destination("orders.4711");
    }
    fn varying_elsewhere(facts: &mut Facts<'_>) {
        facts.varying_destination("orders.4711").partition("7");
    }
    for tell in [varying, varying_elsewhere] {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                let batch = batch_of([plain, tell, plain]);
                throughline::consume("handle").run_sync(&batch[..], || ());
            });
            traces.span("handle").has_attribute("messaging.destination.name", "orders.4711");
        });
    }
    // Also of a message that is gone when its span starts, and where it is the user's own word.
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let read = throughline::consume("later").read(&telling(varying));
            read.start().finish(Outcome::ok());
            throughline::consume("said").destination("orders").run_sync(&telling(varying), || ());
        });
        traces.span("later").has_attribute("messaging.destination.name", "orders.4711");
        traces.span("process orders").has_attribute("messaging.destination.name", "orders");
    });
}

#[test]
fn each_thing_that_the_user_says_goes_before_the_messages_also_alone() {
    type Say = fn(throughline::Consumer<'static>) -> throughline::Consumer<'static>;
    const SAID: [(&str, Say); 6] = [
        ("messaging.system", |it| it.system("said")),
        ("messaging.destination.name", |it| it.destination("said")),
        ("messaging.destination.template", |it| it.destination_template("said")),
        ("messaging.consumer.group.name", |it| it.consumer_group("said")),
        ("messaging.client.id", |it| it.client_id("said")),
        ("server.address", |it| it.server("said")),
    ];
    for (key, say) in SAID {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                let consume = say(throughline::consume("handle").link()).name("handle");
                consume.run_sync(&telling(everything), || ());
            });
            traces.span("handle").has_attribute(key, "said");
        });
    }
}

/// What the user says is of all messages: then they differ in it no more.
#[test]
fn what_the_user_says_stands_on_no_link() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let batch = batch_of([
                |facts| _ = facts.destination("eu").partition("1"),
                |facts| _ = facts.destination("eu").partition("1"),
                |facts| _ = facts.destination("us").partition("2"),
            ]);
            throughline::consume("handle").destination("orders").run_sync(&batch[..], || ());
        });
        let span = traces.span("process orders");
        span.has_attribute("messaging.destination.name", "orders");
        let keys = span.links().iter().map(|link| {
            let keys = link.attributes.iter().map(|it| it.key.as_str());
            keys.filter(|key| key.starts_with("messaging.")).collect::<Vec<_>>()
        });
        assert!(
            keys.clone().all(|keys| keys == ["messaging.destination.partition.id"]),
            "{traces}"
        );
        assert_eq!(keys.count(), 2);
    });
}

/// A batch whose destination varies, unless its messages know better, and that has a depth.
struct Heap(Vec<Telling>);

impl Batch for Heap {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        self.0.each(visit);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.varying_destination("heap.4711").attribute("heap.depth", 7);
    }
}

#[test]
fn what_a_batch_tells_is_neither_over_its_messages_nor_where_they_differ() {
    fn heaped(depths: [for<'m> fn(&mut Facts<'m>); 3]) -> Heap {
        Heap(batch_of(depths).into())
    }
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let handle = |name, heap: &Heap| throughline::consume(name).run_sync(heap, || ());
            handle("silent", &heaped([|_| (), |_| (), |_| ()]));
            let agreeing = |facts: &mut Facts<'_>| {
                facts.destination("orders").attribute("heap.depth", 1);
            };
            handle("agreeing", &heaped([agreeing, agreeing, agreeing]));
            handle(
                "differing",
                &heaped([
                    |facts| _ = facts.attribute("heap.depth", 1),
                    |facts| _ = facts.attribute("heap.depth", 1),
                    |facts| _ = facts.attribute("heap.depth", 2),
                ]),
            );
        });
        traces
            .span("silent")
            .has_attribute("messaging.destination.name", "heap.4711")
            .has_attribute("heap.depth", 7);
        traces
            .span("process orders")
            .has_attribute("messaging.destination.name", "orders")
            .has_attribute("heap.depth", 1); // once
        traces
            .span("differing")
            .has_no_attribute("heap.depth")
            .has_link_attribute(SENDER, "heap.depth", 1)
            .has_link_attribute(OTHER_SENDER, "heap.depth", 2);
    });
}
