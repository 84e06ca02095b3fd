//! NATS and JetStream by async-nats.

use std::time::Duration;

use async_nats::client::{RequestError, traits::Publisher as _};
use async_nats::header::HeaderMap;
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::context::PublishError;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, AckKind, Context, Message};
use async_nats::message::OutboundMessage;
use async_nats::{Client, Subscriber};
use futures_util::{StreamExt, TryStreamExt};
use libtest_mimic::Trial;
use throughline::testing::{Capture, Span, Traces};
use throughline::{TraceContext, async_consumer, async_producer};
use throughline_test_brokers::{NATS, in_time, unique};
use throughline_tests::{OTHER_SENDER, SENDER, baggage, in_both_worlds};

pub(crate) fn trials() -> Vec<Trial> {
    NATS.trials(&[
        ("a_handler_continues_its_sender", a_handler_continues_its_sender),
        ("a_request_is_answered_in_its_trace", a_request_is_answered_in_its_trace),
        ("a_message_of_jetstream_tells_all_it_knows", a_message_of_jetstream_tells_all_it_knows),
        ("what_was_refused_comes_again_as_attempt_2", what_was_refused_comes_again_as_attempt_2),
        ("every_way_to_settle_has_its_span", every_way_to_settle_has_its_span),
        ("a_batch_links_to_every_sender", a_batch_links_to_every_sender),
        ("a_stored_message_is_read_as_a_message", a_stored_message_is_read_as_a_message),
        ("headers_of_other_libraries_are_read", headers_of_other_libraries_are_read),
        ("a_megabyte_of_baggage_harms_nobody", a_megabyte_of_baggage_harms_nobody),
        ("the_largest_message_is_still_taken", the_largest_message_is_still_taken),
    ])
}

/// Runs `body` with a client of the server, and captures what it makes.
fn captured(address: &str, capture: Capture, body: impl AsyncFnOnce(Client)) -> Traces {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = in_time(async_nats::connect(address)).await.expect("a connection");
        capture.run(in_time(body(client))).await
    })
}

async fn subscribe(client: &Client, subject: &str) -> Subscriber {
    let subscriber = client.subscribe(subject.to_owned()).await.expect("a subscription");
    // Until the server knows of it, what is published goes to nobody.
    client.flush().await.expect("a connection");
    subscriber
}

async fn next(subscriber: &mut Subscriber) -> async_nats::Message {
    subscriber.next().await.expect("a message")
}

/// A stream of a test's own, in which a work queue's rule holds: what is acknowledged is gone.
struct Orders {
    jetstream: Context,
    stream: stream::Stream,
    name: String,
}

impl Orders {
    async fn new(client: Client) -> Self {
        let jetstream = jetstream::new(client);
        let name = unique("orders");
        let config = stream::Config {
            name: name.clone(),
            subjects: vec![format!("{name}.*")],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::Memory,
            allow_direct: true,
            ..Default::default()
        };
        let stream = jetstream.create_stream(config).await.expect("a stream");
        Self { jetstream, stream, name }
    }

    async fn consumer(&self) -> PullConsumer {
        let durable_name = Some("payments".to_owned());
        let config = pull::Config { durable_name, ..Default::default() };
        self.stream.create_consumer(config).await.expect("a consumer")
    }

    async fn publish(&self, customer: &str, order: PublishMessage) {
        publish(self, customer, order).await.expect("stored");
    }

    /// How many messages are still to be settled, and waits for that.
    async fn are_settled_but_for(&mut self, left: u64) {
        while self.stream.info().await.expect("a stream").state.messages != left {
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        self.jetstream.delete_stream(&self.name).await.expect("a stream");
    }
}

const TEMPLATE: &str = "orders.{customer}";

#[async_producer(destination_template = TEMPLATE, name = format!("order of {customer}"))]
async fn publish(
    orders: &Orders,
    customer: &str,
    #[message] order: PublishMessage,
) -> Result<(), PublishError> {
    let subject = format!("{}.{customer}", orders.name);
    orders.jetstream.send_publish(subject, order).await?.await.map(|_| ())
}

#[async_consumer(continue, destination_template = TEMPLATE)]
async fn charge_card(order: &Message) -> Result<(), String> {
    if order.payload.is_empty() { Err("no order".to_owned()) } else { Ok(()) }
}

async fn fetch(consumer: &PullConsumer, at_most: usize) -> Vec<Message> {
    let fetch =
        async { consumer.fetch().max_messages(at_most).messages().await?.try_collect().await };
    let fetched = throughline::receive("fetch").destination_template(TEMPLATE).run(fetch).await;
    fetched.map_err(|error: async_nats::Error| error).expect("no error")
}

/// Waits for one message. What asks for more than it takes would have the next one sent to nobody.
async fn fetch_one(consumer: &PullConsumer) -> Message {
    let one = consumer.batch().max_messages(1).expires(Duration::from_secs(20));
    let mut messages = one.messages().await.expect("a consumer");
    messages.next().await.expect("a message").expect("no error")
}

fn order() -> PublishMessage {
    PublishMessage::build().payload("two lemons".into())
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, *value);
    }
    headers
}

fn is_young(span: Span<'_>) {
    let age = span.attribute("throughline.message.age").expect("an age").as_str();
    let age: f64 = age.parse().expect("a number");
    assert!((0.0..30.0).contains(&age), "{age}");
}

fn a_handler_continues_its_sender(address: &str) {
    #[async_producer(destination_template = "prices.{sku}", into = headers)]
    async fn tell(client: &Client, subject: &str, headers: HeaderMap) {
        let told = client.publish_with_headers(subject.to_owned(), headers, "3.50".into());
        told.await.expect("a connection");
    }

    #[async_consumer(continue, destination_template = "prices.{sku}", consumer_group = "shops")]
    async fn note(price: &async_nats::Message) -> usize {
        price.payload.len()
    }

    in_both_worlds(|capture| {
        let subject = format!("{}.tea", unique("prices"));
        let traces = captured(address, capture, async |client| {
            let mut prices = subscribe(&client, &subject).await;
            tell(&client, &subject, headers(&[("Traceparent", "of another day")])).await;
            assert_eq!(note(&next(&mut prices).await).await, 4);
        });
        traces.assert_tree(
            "
trace A
  send prices.{sku}                  producer
    process prices.{sku}             consumer   continues A/send prices.{sku}
",
        );
        let span = traces.span("process prices.{sku}");
        span.has_attribute("messaging.system", "nats")
            .has_attribute("messaging.destination.name", &*subject)
            .has_attribute("messaging.destination.template", "prices.{sku}")
            .has_attribute("messaging.consumer.group.name", "shops")
            .has_attribute("messaging.message.body.size", 4)
            .has_no_attribute("messaging.destination.temporary")
            .has_no_attribute("throughline.message.attempt");
        is_young(span);
        let envelope = span.attribute("messaging.message.envelope.size").expect("a size").as_str();
        // The subject, a `traceparent` and a `throughline-sent` go with it.
        assert!(envelope.parse::<usize>().expect("a number") > subject.len() + 100, "{envelope}");
    });
}

fn a_request_is_answered_in_its_trace(address: &str) {
    #[async_producer(destination = "prices", into = headers)]
    async fn ask(
        client: &Client,
        subject: &str,
        headers: HeaderMap,
    ) -> Result<async_nats::Message, RequestError> {
        client.request_with_headers(subject.to_owned(), headers, "tea".into()).await
    }

    #[async_producer(into = headers)]
    async fn reply(client: &Client, inbox: async_nats::Subject, headers: HeaderMap) {
        client.publish_with_headers(inbox, headers, "3.50".into()).await.expect("a connection");
    }

    #[async_consumer(continue, destination = "prices")]
    async fn answer(#[message] question: async_nats::Message, client: &Client) {
        reply(client, question.reply.expect("a question"), HeaderMap::new()).await;
    }

    in_both_worlds(|capture| {
        let subject = unique("prices");
        let traces = captured(address, capture, async |client| {
            let mut questions = subscribe(&client, &subject).await;
            let answering = async { answer(next(&mut questions).await, &client).await };
            let asking = ask(&client, &subject, HeaderMap::new());
            let (told, ()) = tokio::join!(asking, answering);
            let told = told.expect("an answer");
            throughline::consume("note").continue_().run_sync(&told, || ());
        });
        traces.assert_tree(
            "
trace A
  send prices                        producer
    process prices                   consumer   continues A/send prices
      reply                          producer
        note                         consumer   continues A/reply
",
        );
        let span = traces.span("note");
        span.has_attribute("messaging.destination.temporary", true)
            .has_attribute("messaging.destination.anonymous", true);
    });
}

fn a_message_of_jetstream_tells_all_it_knows(address: &str) {
    in_both_worlds(|capture| {
        let mut name = String::new();
        let traces = captured(address, capture, async |client| {
            let orders = Orders::new(client).await;
            let consumer = orders.consumer().await;
            orders.publish("ada", order().message_id("a1")).await;
            charge_card(&fetch_one(&consumer).await).await.expect("an order");
            name.clone_from(&orders.name);
            orders.end().await;
        });
        let span = traces.span("process orders.{customer}");
        span.continues("order of ada")
            .has_attribute("messaging.system", "nats")
            .has_attribute("messaging.destination.name", &*format!("{name}.ada"))
            .has_attribute("messaging.consumer.group.name", "payments")
            .has_attribute("messaging.message.id", "a1")
            .has_attribute("messaging.message.body.size", 10)
            .has_attribute("throughline.message.attempt", 1)
            .has_attribute("throughline.nats.stream.name", &*name)
            .has_attribute("throughline.nats.stream.sequence", 1);
        is_young(span);
        traces.span("order of ada").has_attribute("messaging.message.id", "a1");
    });
}

fn what_was_refused_comes_again_as_attempt_2(address: &str) {
    in_both_worlds(|capture| {
        let traces = captured(address, capture, async |client| {
            let mut orders = Orders::new(client).await;
            let consumer = orders.consumer().await;
            orders.publish("ada", order()).await;
            let order = fetch_one(&consumer).await;
            charge_card(&order).await.expect("an order");
            let refused = order.ack_with(AckKind::Nak(None));
            throughline::settle("nak").run(&order, refused).await.expect("a connection");

            let order = fetch_one(&consumer).await;
            charge_card(&order).await.expect("an order");
            throughline::settle("ack").run(&order, order.double_ack()).await.expect("an answer");
            orders.are_settled_but_for(0).await;
            orders.end().await;
        });
        traces.assert_tree(
            "
trace A
  order of ada                       producer
    process orders.{customer}        consumer   continues A/order of ada
    process orders.{customer}        consumer   continues A/order of ada
trace B
  ack                                client     links to A/order of ada
trace C
  nak                                client     links to A/order of ada
",
        );
        let attempt = |span: &Span<'_>| span.attribute("throughline.message.attempt").cloned();
        let handled = traces.spans("process orders.{customer}");
        let mut attempts: Vec<_> = handled.iter().filter_map(attempt).collect();
        attempts.sort_by_key(ToString::to_string);
        assert_eq!(attempts, [1.into(), 2.into()]);
        for (settled, attempt) in [("nak", 1), ("ack", 2)] {
            traces
                .span(settled)
                .has_attribute("messaging.operation.type", "settle")
                .has_attribute("throughline.message.attempt", attempt)
                .has_attribute("throughline.nats.stream.sequence", 1);
        }
    });
}

fn every_way_to_settle_has_its_span(address: &str) {
    in_both_worlds(|capture| {
        let traces = captured(address, capture, async |client| {
            let mut orders = Orders::new(client).await;
            let consumer = orders.consumer().await;
            orders.publish("ada", order()).await;
            orders.publish("eva", order()).await;
            let [first, second] = &fetch(&consumer, 2).await[..] else { panic!("two orders") };
            let settle = |name| throughline::settle(name).destination_template(TEMPLATE);
            let progress = first.ack_with(AckKind::Progress);
            settle("in_progress").unsettled().run(first, progress).await.expect("a connection");
            orders.are_settled_but_for(2).await;
            settle("ack").run(first, first.ack()).await.expect("a connection");
            orders.are_settled_but_for(1).await;
            settle("term").run(second, second.ack_with(AckKind::Term)).await.expect("a connection");
            orders.are_settled_but_for(0).await;
            orders.end().await;
        });
        for (name, sender) in [
            ("in_progress orders.{customer}", "order of ada"),
            ("ack orders.{customer}", "order of ada"),
            ("term orders.{customer}", "order of eva"),
        ] {
            let span = traces.span(name);
            span.is_kind("client")
                .links_to(sender)
                .has_links(1)
                .has_attribute("messaging.consumer.group.name", "payments")
                .status_is_unset();
            let kind = span.attribute("messaging.operation.type").map(ToString::to_string);
            let expected = if name.starts_with("in_progress") { None } else { Some("settle") };
            assert_eq!(kind.as_deref(), expected);
        }
    });
}

fn a_batch_links_to_every_sender(address: &str) {
    #[async_consumer(link, destination_template = TEMPLATE)]
    async fn record_sales(orders: &[Message]) -> usize {
        orders.len()
    }

    in_both_worlds(|capture| {
        let traces = captured(address, capture, async |client| {
            let mut orders = Orders::new(client).await;
            let consumer = orders.consumer().await;
            for customer in ["ada", "eva", "ida"] {
                orders.publish(customer, order()).await;
            }
            let fetched = fetch(&consumer, 10).await;
            assert_eq!(record_sales(&fetched).await, 3);
            let settling = async {
                for order in &fetched {
                    order.ack().await?;
                }
                Ok::<_, async_nats::Error>(())
            };
            throughline::settle("ack").run(&fetched, settling).await.expect("a connection");
            orders.are_settled_but_for(0).await;
            assert!(fetch(&consumer, 10).await.is_empty());
            orders.end().await;
        });
        let mut polls = traces.spans("receive orders.{customer}");
        polls.sort_by_key(|poll| poll.links().len());
        let [none, some] = polls[..] else { panic!("{traces}") };
        none.has_attribute("messaging.batch.message_count", 0).has_no_links();
        for span in [some, traces.span("process orders.{customer}"), traces.span("ack")] {
            span.is_root()
                .has_links(3)
                .has_attribute("messaging.batch.message_count", 3)
                .has_attribute("messaging.consumer.group.name", "payments")
                .has_no_attribute("throughline.nats.stream.sequence");
            for (customer, sequence) in [("ada", 1), ("eva", 2), ("ida", 3)] {
                let sender = format!("order of {customer}");
                span.has_link_attribute(&sender, "throughline.nats.stream.sequence", sequence);
            }
        }
    });
}

fn a_stored_message_is_read_as_a_message(address: &str) {
    in_both_worlds(|capture| {
        let mut name = String::new();
        let traces = captured(address, capture, async |client| {
            let orders = Orders::new(client).await;
            orders.publish("ada", order()).await;
            let stored = orders.stream.direct_get(1).await.expect("a message");
            throughline::consume("audit").link().run_sync(&stored, || ());
            name.clone_from(&orders.name);
            orders.end().await;
        });
        let span = traces.span("audit");
        span.links_to("order of ada")
            .has_attribute("messaging.destination.name", &*format!("{name}.ada"))
            .has_attribute("throughline.nats.stream.name", &*name)
            .has_attribute("throughline.nats.stream.sequence", 1);
        is_young(span);
    });
}

fn headers_of_other_libraries_are_read(address: &str) {
    let readable = headers(&[("tenant", "acme"), ("TraceParent", SENDER), ("Baggage", "a=1")]);
    let twice_the_same = headers(&[("traceparent", SENDER), ("traceparent", SENDER)]);
    let two_senders = headers(&[("traceparent", SENDER), ("traceparent", OTHER_SENDER)]);
    let junk = headers(&[("traceparent", "\u{1}\u{7f}\u{fffd} \t ;"), ("baggage", "=\u{0},,;")]);
    let nothing = headers(&[("tenant", "acme")]);
    in_both_worlds(|capture| {
        let subject = unique("orders");
        let traces = captured(address, capture, async |client| {
            let mut orders = subscribe(&client, &subject).await;
            for (name, headers) in [
                ("other casing", &readable),
                ("twice", &twice_the_same),
                ("two senders", &two_senders),
                ("junk", &junk),
                ("nothing", &nothing),
            ] {
                let sent = client.publish_with_headers(subject.clone(), headers.clone(), "".into());
                sent.await.expect("a connection");
                let order = next(&mut orders).await;
                let expected = (name == "other casing").then(|| "1".to_owned());
                throughline::consume(name)
                    .continue_()
                    .run_sync(&order, || assert_eq!(baggage("a"), expected, "{name}"));
            }
            client.publish(subject.clone(), "".into()).await.expect("a connection");
            throughline::consume("no headers")
                .continue_()
                .run_sync(&next(&mut orders).await, || ());
        });
        let expected = [
            ("other casing", Some(SENDER), None),
            ("twice", Some(SENDER), None),
            ("two senders", None, Some("unreadable")),
            ("junk", None, Some("unreadable")),
            ("nothing", None, Some("no_context")),
            ("no headers", None, Some("no_context")),
        ];
        for (name, sender, reason) in expected {
            let span = traces.span(name);
            let trace = format!("00-{}-", span.trace_id());
            assert_eq!(SENDER.starts_with(&trace), sender.is_some(), "{name}");
            let told = span.attribute("throughline.relation.reason").map(ToString::to_string);
            assert_eq!(told.as_deref(), reason, "{name}");
        }
    });
}

fn a_megabyte_of_baggage_harms_nobody(address: &str) {
    in_both_worlds(|capture| {
        let (subject, forwarded) = (unique("orders"), unique("parcels"));
        let entries: Vec<_> = (0..60_000).map(|entry| format!("k{entry}=v{entry}")).collect();
        let baggage_of_a_sender = entries.join(",");
        assert!(baggage_of_a_sender.len() > 800_000);
        let traces = captured(address, capture, async |client| {
            let mut orders = subscribe(&client, &subject).await;
            let mut parcels = subscribe(&client, &forwarded).await;
            let heavy = headers(&[("traceparent", SENDER), ("baggage", &baggage_of_a_sender)]);
            let sent = client.publish_with_headers(subject.clone(), heavy, "".into());
            sent.await.expect("a connection");
            let order = next(&mut orders).await;
            let handling = async {
                assert_eq!(baggage("k7").as_deref(), Some("v7"));
                let mut headers = HeaderMap::new();
                let publish = |headers: &mut HeaderMap| {
                    client.publish_with_headers(forwarded.clone(), headers.clone(), "".into())
                };
                throughline::produce("forward").run(&mut headers, publish).await
            };
            throughline::consume("pack").continue_().run(&order, handling).await.expect("sent");
            let parcel = next(&mut parcels).await;
            let sender = TraceContext::read_from(&parcel).traceparent().expect("a sender");
            assert!(sender.starts_with(&SENDER[..35]), "{sender}");
            let length = parcel.headers.as_ref().and_then(|all| all.get("baggage"));
            assert!((1..32_768).contains(&length.expect("baggage").as_str().len()));
        });
        traces.span("forward").is_child_of("pack").status_is_unset();
    });
}

fn the_largest_message_is_still_taken(address: &str) {
    #[async_producer(destination = "orders")]
    async fn send(
        client: &Client,
        #[message] message: OutboundMessage,
    ) -> Result<(), async_nats::PublishError> {
        client.publish_message(message).await
    }

    let subject = unique("orders");
    let traces = captured(address, Capture::new(), async |client| {
        let mut orders = subscribe(&client, &subject).await;
        // What a `traceparent` alone adds, as `NATS/1.0`, a line for it, and the line that ends all.
        let line = "NATS/1.0\r\ntraceparent: \r\n\r\n".len() + SENDER.len();
        for (payload, has_context) in [
            (client.max_payload() - line, true),
            (client.max_payload() - line + 1, false),
            (client.max_payload(), false),
        ] {
            let message = OutboundMessage {
                subject: subject.as_str().into(),
                payload: vec![0; payload].into(),
                headers: None,
                reply: None,
            };
            send(&client, message).await.expect("taken");
            let order = next(&mut orders).await;
            assert_eq!(order.payload.len(), payload);
            let sender = TraceContext::read_from(&order).traceparent();
            assert_eq!(sender.is_some(), has_context, "{payload} bytes");
        }
    });
    assert_eq!(traces.spans("send orders").len(), 3);
}
