//! RabbitMQ by lapin.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use lapin::message::{BasicGetMessage, Delivery};
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicGetOptions, BasicNackOptions, BasicPublishOptions,
    BasicRejectOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    ExchangeKind,
};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use throughline::clients::lapin_4;
use throughline::testing::{Capture, Span, Traces};
use throughline::{TraceContext, async_consumer, async_producer};
use throughline_test_brokers::RABBITMQ;
use throughline_tests::{SENDER, baggage, in_both_worlds};

use crate::python::{self, Python};

/// The tests of this client.
pub(crate) fn trials() -> Vec<Trial> {
    let alone = RABBITMQ.trials(&[
        ("a_handler_continues_its_sender", a_handler_continues_its_sender),
        ("a_batch_links_to_every_sender", a_batch_links_to_every_sender),
        ("a_poll_links_to_what_it_brings", a_poll_links_to_what_it_brings),
        ("a_classic_queue_tells_a_second_attempt", a_classic_queue_tells_a_second_attempt),
        ("a_quorum_queue_counts_attempts", a_quorum_queue_counts_attempts),
        ("what_a_dead_worker_left_comes_again", what_a_dead_worker_left_comes_again),
        ("a_queue_named_by_the_server_is_anonymous", a_queue_named_by_the_server_is_anonymous),
        ("headers_of_other_libraries_are_read", headers_of_other_libraries_are_read),
        ("the_largest_context_arrives", the_largest_context_arrives),
        ("too_much_baggage_harms_nobody", too_much_baggage_harms_nobody),
        (
            "a_time_in_seconds_gives_way_to_one_in_milliseconds",
            a_time_in_seconds_gives_way_to_one_in_milliseconds,
        ),
    ]);
    let with_python = python::trials(
        "rabbitmq",
        RABBITMQ.missing(),
        &[
            ("a_message_from_python_is_continued_here", a_message_from_python_is_continued_here),
            (
                "a_message_from_here_is_continued_in_python",
                a_message_from_here_is_continued_in_python,
            ),
        ],
    );
    alone.into_iter().chain(with_python).collect()
}

/// Runs `body` with a channel to the server and captures what it makes.
fn captured<F: Future<Output = ()>>(
    address: &str,
    capture: Capture,
    body: impl FnOnce(Channel) -> F,
) -> Traces {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let connection = in_time(connect(address)).await;
        let channel = connection.create_channel().await.expect("a channel");
        capture.run(in_time(body(channel))).await
    })
}

async fn connect(address: &str) -> Connection {
    let uri = format!("amqp://{address}");
    Connection::connect(&uri, ConnectionProperties::default()).await.expect("a connection")
}

async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("in time")
}

/// A name that nobody else uses.
fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    format!("{name}-{now}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A queue that goes away with its connection.
async fn declare_queue(channel: &Channel, name: &str) -> String {
    let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
    let queue = channel.queue_declare(name.into(), options, FieldTable::default()).await;
    queue.expect("a queue").name().as_str().to_owned()
}

async fn consume(channel: &Channel, queue: &str) -> Consumer {
    let options = BasicConsumeOptions::default();
    let consumer = channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    consumer.await.expect("a consumer")
}

async fn next(consumer: &mut Consumer) -> Delivery {
    consumer.next().await.expect("a delivery").expect("no error")
}

#[async_producer(destination = lapin_4::destination(exchange, key, None))]
async fn publish(
    channel: &Channel,
    exchange: &str,
    key: &str,
    #[message] properties: BasicProperties,
    body: &[u8],
) -> lapin::Result<Confirmation> {
    send(channel, exchange, key, properties, body).await
}

/// Sends what another library would have written.
async fn send(
    channel: &Channel,
    exchange: &str,
    key: &str,
    properties: BasicProperties,
    body: &[u8],
) -> lapin::Result<Confirmation> {
    let options = BasicPublishOptions::default();
    channel.basic_publish(exchange.into(), key.into(), options, body, properties).await?.await
}

fn table(headers: &[(&str, AMQPValue)]) -> FieldTable {
    let headers = headers.iter().map(|(name, value)| ((*name).into(), value.clone()));
    headers.collect::<BTreeMap<ShortString, AMQPValue>>().into()
}

#[async_consumer(continue, operation = "charge", capture_headers = ["x-tenant"])]
async fn charge_card(order: &Delivery) {
    let ack = order.ack(BasicAckOptions::default());
    assert!(throughline::settle("ack").run(order, ack).await.expect("no error"));
}

fn a_handler_continues_its_sender(address: &str) {
    in_both_worlds(|capture| {
        let exchange = unique("orders");
        let traces = captured(address, capture, async |channel| {
            let queue = declare_queue(&channel, &unique("billing")).await;
            let options = ExchangeDeclareOptions { auto_delete: true, ..Default::default() };
            let (name, none) = (ShortString::from(exchange.as_str()), FieldTable::default());
            let declared =
                channel.exchange_declare(name.clone(), ExchangeKind::Topic, options, none.clone());
            declared.await.expect("an exchange");
            let options = QueueBindOptions::default();
            let bound = channel.queue_bind(queue.as_str().into(), name, "#".into(), options, none);
            bound.await.expect("a binding");
            let mut consumer = consume(&channel, &queue).await;

            let properties = BasicProperties::default()
                .with_message_id("A-1".into())
                .with_correlation_id("cart-9".into())
                .with_headers(table(&[("x-tenant", AMQPValue::LongString("acme".into()))]));
            publish(&channel, &exchange, "placed", properties, b"tea").await.expect("published");
            charge_card(&next(&mut consumer).await).await;
        });

        let name = format!("{exchange}:placed");
        let (send, charge) = (format!("send {name}"), format!("charge {name}"));
        traces
            .span(&send)
            .is_root()
            .is_kind("producer")
            .has_attribute("messaging.system", "rabbitmq")
            .has_attribute("messaging.destination.name", &name)
            .has_attribute("messaging.message.id", "A-1")
            .has_attribute("messaging.message.conversation_id", "cart-9");
        let charge_span = traces
            .span(&charge)
            .continues(&send)
            .is_kind("consumer")
            .has_attribute("messaging.system", "rabbitmq")
            .has_attribute("messaging.destination.name", &name)
            .has_attribute("messaging.rabbitmq.destination.routing_key", "placed")
            .has_attribute("messaging.rabbitmq.message.delivery_tag", 1)
            .has_attribute("messaging.message.id", "A-1")
            .has_attribute("messaging.message.conversation_id", "cart-9")
            .has_attribute("messaging.message.body.size", 3)
            .has_attribute("throughline.message.attempt", 1);
        assert!(charge_span.attribute("throughline.message.header.x-tenant").is_some());
        // The header `throughline-sent` has milliseconds.
        assert!(age(charge_span) < 30.0);
        traces
            .span(&format!("ack {name}"))
            .is_kind("client")
            .is_child_of(&charge)
            .links_to(&send)
            .has_links(1)
            .has_attribute("messaging.rabbitmq.message.delivery_tag", 1);
        assert_eq!(traces.len(), 3, "{traces}");
    });
}

/// Seconds.
fn age(span: Span<'_>) -> f64 {
    let age = span.attribute("throughline.message.age").expect("an age");
    age.to_string().parse().expect("a number")
}

#[async_consumer(link, destination = "sales")]
async fn record_sales(orders: &[Delivery]) {
    // One acknowledgement for all up to the last.
    let ack = orders[orders.len() - 1].ack(BasicAckOptions { multiple: true });
    throughline::settle("ack").destination("sales").run(orders, ack).await.expect("no error");
}

fn a_batch_links_to_every_sender(address: &str) {
    in_both_worlds(|capture| {
        let queue = unique("sales");
        let traces = captured(address, capture, async |channel| {
            declare_queue(&channel, &queue).await;
            let mut consumer = consume(&channel, &queue).await;
            for id in ["A-1", "A-2"] {
                let properties = BasicProperties::default().with_message_id(id.into());
                publish(&channel, "", &queue, properties, b"tea").await.expect("published");
            }
            let orders = [next(&mut consumer).await, next(&mut consumer).await];
            record_sales(&orders).await;
        });
        let sent = format!("send {queue}");
        for span in ["process sales", "ack sales"] {
            let span =
                traces.span(span).has_links(2).has_attribute("messaging.batch.message_count", 2);
            for (link, (id, tag)) in span.links().iter().zip([("A-1", 1), ("A-2", 2)]) {
                let tells = |key: &str| {
                    let told = link.attributes.iter().find(|told| told.key.as_str() == key);
                    told.expect("an attribute").value.to_string()
                };
                assert_eq!(tells("messaging.message.id"), id);
                assert_eq!(tells("messaging.rabbitmq.message.delivery_tag"), tag.to_string());
            }
        }
        let senders = traces.spans(&sent);
        let linked = traces.span("process sales").is_root().linked();
        assert!(
            linked
                .iter()
                .flatten()
                .map(|it| it.span_id())
                .eq(senders.iter().map(|it| it.span_id()))
        );
    });
}

#[async_consumer(link, operation = "pack")]
async fn pack_order(order: &BasicGetMessage) {}

fn a_poll_links_to_what_it_brings(address: &str) {
    in_both_worlds(|capture| {
        let queue = unique("packing");
        let traces = captured(address, capture, async |channel| {
            declare_queue(&channel, &queue).await;
            let get = || {
                let get = channel.basic_get(queue.as_str().into(), BasicGetOptions::default());
                throughline::receive("get").operation("get").destination(queue.clone()).run(get)
            };
            assert_eq!(get().await, Ok(None));
            publish(&channel, "", &queue, BasicProperties::default(), b"")
                .await
                .expect("published");
            let order = get().await.expect("no error").expect("an order");
            pack_order(&order).await;
        });
        let sent = format!("send {queue}");
        let polls = traces.spans(&format!("get {queue}"));
        assert_eq!(polls.len(), 2);
        polls[0].has_no_links().has_attribute("messaging.batch.message_count", 0).status_is_unset();
        polls[1].is_kind("client").links_to(&sent).has_attribute("messaging.system", "rabbitmq");
        traces.span(&format!("pack {queue}")).links_to(&sent);
    });
}

#[async_consumer(continue, destination = "retried")]
async fn handle_again(order: &Delivery) {}

fn attempts(traces: &Traces) -> Vec<String> {
    let handlers = traces.spans("process retried");
    let attempt = |span: &Span<'_>| {
        span.attribute("throughline.message.attempt").expect("an attempt").to_string()
    };
    handlers.iter().map(attempt).collect()
}

fn a_classic_queue_tells_a_second_attempt(address: &str) {
    in_both_worlds(|capture| {
        let queue = unique("classic");
        let traces = captured(address, capture, async |channel| {
            declare_queue(&channel, &queue).await;
            let mut consumer = consume(&channel, &queue).await;
            publish(&channel, "", &queue, BasicProperties::default(), b"")
                .await
                .expect("published");
            for nth in 1..=3 {
                let order = next(&mut consumer).await;
                handle_again(&order).await;
                let settle = throughline::settle(if nth < 3 { "nack" } else { "reject" });
                let settle = settle.destination("retried");
                if nth < 3 {
                    let nack = order.nack(BasicNackOptions { requeue: true, ..Default::default() });
                    settle.run(&order, nack).await.expect("no error");
                } else {
                    let reject = order.reject(BasicRejectOptions::default());
                    settle.run(&order, reject).await.expect("no error");
                }
            }
        });
        assert_eq!(attempts(&traces), ["1", "2", "2"]);
        let sent = format!("send {queue}");
        assert_eq!(traces.spans("nack retried").len(), 2);
        traces.span("reject retried").links_to(&sent).is_kind("client");
        for handler in traces.spans("process retried") {
            handler.continues(&sent);
        }
    });
}

fn a_quorum_queue_counts_attempts(address: &str) {
    in_both_worlds(|capture| {
        let queue = unique("quorum");
        let traces = captured(address, capture, async |channel| {
            let options = QueueDeclareOptions { durable: true, ..Default::default() };
            let arguments = table(&[
                ("x-queue-type", AMQPValue::LongString("quorum".into())),
                // It can't be exclusive, but it can go away by itself.
                ("x-expires", AMQPValue::LongInt(60_000)),
            ]);
            let declared = channel.queue_declare(queue.as_str().into(), options, arguments);
            declared.await.expect("a queue");
            let mut consumer = consume(&channel, &queue).await;
            publish(&channel, "", &queue, BasicProperties::default(), b"")
                .await
                .expect("published");
            for _ in 1..=3 {
                let order = next(&mut consumer).await;
                handle_again(&order).await;
                let nack = order.nack(BasicNackOptions { requeue: true, ..Default::default() });
                nack.await.expect("no error");
            }
        });
        assert_eq!(attempts(&traces), ["1", "2", "3"]);
    });
}

/// At least once: what was delivered and not acknowledged comes to another, as the second attempt.
fn what_a_dead_worker_left_comes_again(address: &str) {
    in_both_worlds(|capture| {
        let queue = unique("left");
        let traces = captured(address, capture, async |channel| {
            let arguments = table(&[("x-expires", AMQPValue::LongInt(60_000))]);
            let options = QueueDeclareOptions::default();
            let declared = channel.queue_declare(queue.as_str().into(), options, arguments);
            declared.await.expect("a queue");
            publish(&channel, "", &queue, BasicProperties::default(), b"")
                .await
                .expect("published");

            let worker = connect(address).await;
            let its_channel = worker.create_channel().await.expect("a channel");
            let order = next(&mut consume(&its_channel, &queue).await).await;
            assert!(!order.redelivered);
            worker.close(200, "killed".into()).await.expect("it is gone");

            let order = next(&mut consume(&channel, &queue).await).await;
            handle_again(&order).await;
            order.ack(BasicAckOptions::default()).await.expect("no error");
        });
        assert_eq!(attempts(&traces), ["2"]);
        traces.span("process retried").continues(&format!("send {queue}"));
    });
}

#[async_consumer(link)]
async fn take_reply(reply: &Delivery) {}

fn a_queue_named_by_the_server_is_anonymous(address: &str) {
    in_both_worlds(|capture| {
        let traces = captured(address, capture, async |channel| {
            let queue = declare_queue(&channel, "").await;
            assert!(queue.starts_with("amq.gen-"), "{queue}");
            let mut consumer = consume(&channel, &queue).await;
            publish(&channel, "", &queue, BasicProperties::default(), b"")
                .await
                .expect("published");
            take_reply(&next(&mut consumer).await).await;
        });
        let reply =
            traces.span("take_reply").has_attribute("messaging.destination.anonymous", true);
        let name = reply.attribute("messaging.destination.name").expect("a name").to_string();
        assert!(name.starts_with("amq.gen-"), "{name}");
        traces.span("send amq.default");
    });
}

#[async_consumer(continue, destination = "foreign")]
async fn handle_foreign(order: &Delivery) -> Option<String> {
    baggage("tenant")
}

fn headers_of_other_libraries_are_read(address: &str) {
    let long = |text: &str| AMQPValue::LongString(text.into());
    let bytes = |bytes: &[u8]| AMQPValue::ByteArray(bytes.into());
    let other = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";
    // What is in the message, and the reason why it is no context, if it is none.
    let cases = [
        (table(&[("TraceParent", long(SENDER)), ("BAGGAGE", long("tenant=acme"))]), None),
        (
            table(&[("traceparent", bytes(SENDER.as_bytes())), ("baggage", bytes(b"tenant=acme"))]),
            None,
        ),
        (table(&[("Traceparent", long(SENDER)), ("TRACEPARENT", long(other))]), Some("unreadable")),
        (table(&[("traceparent", bytes(&[0xff, 0, 0xfe, b'-']))]), Some("unreadable")),
        (table(&[("traceparent", long("\0\u{1}junk"))]), Some("unreadable")),
        (table(&[("traceparent", AMQPValue::LongLongInt(7))]), Some("unreadable")),
        (table(&[("traceparent", AMQPValue::FieldTable(table(&[])))]), Some("no_context")),
        (table(&[]), Some("no_context")),
    ];
    in_both_worlds(|capture| {
        let traces = captured(address, capture, async |channel| {
            let queue = declare_queue(&channel, &unique("foreign")).await;
            let mut consumer = consume(&channel, &queue).await;
            for (nth, (headers, reason)) in cases.iter().enumerate() {
                let properties = BasicProperties::default()
                    .with_message_id(nth.to_string().into())
                    .with_headers(headers.clone());
                send(&channel, "", &queue, properties, b"").await.expect("published");
                let tenant = handle_foreign(&next(&mut consumer).await).await;
                assert_eq!(tenant.as_deref(), reason.is_none().then_some("acme"), "{headers:?}");
            }
            send(&channel, "", &queue, BasicProperties::default(), b"").await.expect("published");
            handle_foreign(&next(&mut consumer).await).await;
        });
        let handlers = traces.spans("process foreign");
        assert_eq!(handlers.len(), cases.len() + 1);
        for handler in handlers {
            let nth = handler.attribute("messaging.message.id").map(ToString::to_string);
            let reason = match nth.map(|nth| nth.parse::<usize>().expect("a number")) {
                Some(nth) => cases[nth].1,
                None => Some("no_context"),
            };
            match reason {
                None => assert_eq!(handler.trace_id().to_string(), SENDER[3..35]),
                Some(reason) => {
                    handler.is_root().has_attribute("throughline.relation.reason", reason);
                }
            }
        }
    });
}

/// All properties have to fit into one frame.
fn the_largest_context_arrives(address: &str) {
    let member = |nth: usize| format!("{}{nth:02}={}", "k".repeat(254), "v".repeat(256));
    let state = (0..32).map(member).collect::<Vec<_>>().join(",");
    let baggage = format!("tenant={}", "%3B".repeat(2_700));
    let headers = [("traceparent", SENDER), ("tracestate", &state), ("baggage", &baggage)];
    let context = TraceContext::read_from(&headers);
    let mut written: BTreeMap<String, String> = BTreeMap::new();
    context.write_to(&mut written);
    let written: usize = written.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!((24_000..48_000).contains(&written), "{written}");
    in_both_worlds(|capture| {
        captured(address, capture, async |channel| {
            let queue = declare_queue(&channel, &unique("large")).await;
            let mut consumer = consume(&channel, &queue).await;
            let mut properties = BasicProperties::default();
            context.write_to(&mut properties);
            send(&channel, "", &queue, properties, b"").await.expect("published");
            assert_eq!(TraceContext::read_from(&next(&mut consumer).await), context);
        });
    });
}

#[async_consumer(continue, destination = "hops")]
async fn pass_on(#[message] order: &Delivery, channel: &Channel, queue: &str) {
    publish(channel, "", queue, BasicProperties::default(), b"").await.expect("published");
}

fn too_much_baggage_harms_nobody(address: &str) {
    // As much as a frame holds, and far more by way of another protocol.
    let members = |count: usize| {
        (0..count).map(|nth| format!("key-{nth}={}", "v".repeat(90))).collect::<Vec<_>>().join(",")
    };
    let (received, from_elsewhere) = (members(1_200), members(11_000));
    assert!(received.len() > 110_000 && from_elsewhere.len() > 1_000_000);
    in_both_worlds(|capture| {
        let queue = unique("hops");
        let traces = captured(address, capture, async |channel| {
            declare_queue(&channel, &queue).await;
            let mut consumer = consume(&channel, &queue).await;
            let long = |text: &str| AMQPValue::LongString(text.into());
            let headers = table(&[("traceparent", long(SENDER)), ("baggage", long(&received))]);
            let properties = BasicProperties::default().with_headers(headers);
            send(&channel, "", &queue, properties, b"").await.expect("published");
            pass_on(&next(&mut consumer).await, &channel, &queue).await;

            let headers = [("traceparent", SENDER), ("baggage", &from_elsewhere)];
            let mut properties = BasicProperties::default();
            TraceContext::read_from(&headers).write_to(&mut properties);
            send(&channel, "", &queue, properties, b"").await.expect("published");
            for _ in 0..2 {
                handle_foreign(&next(&mut consumer).await).await;
            }
        });
        let [from_elsewhere, passed_on] = traces.spans("process foreign")[..] else {
            panic!("{traces}")
        };
        passed_on.continues(&format!("send {queue}"));
        assert_eq!(from_elsewhere.trace_id().to_string(), SENDER[3..35]);
        assert!(from_elsewhere.parent_outside().is_some());
    });
}

#[async_consumer(link, destination = "aged")]
async fn handle_aged(order: &Delivery) {}

fn a_time_in_seconds_gives_way_to_one_in_milliseconds(address: &str) {
    in_both_worlds(|capture| {
        let traces = captured(address, capture, async |channel| {
            let queue = declare_queue(&channel, &unique("aged")).await;
            let mut consumer = consume(&channel, &queue).await;
            let hour_ago = SystemTime::now() - Duration::from_hours(1);
            let seconds = hour_ago.duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
            let properties = BasicProperties::default().with_timestamp(seconds);
            send(&channel, "", &queue, properties.clone(), b"").await.expect("published");
            handle_aged(&next(&mut consumer).await).await;
            publish(&channel, "", &queue, properties, b"").await.expect("published");
            handle_aged(&next(&mut consumer).await).await;
        });
        let [seconds, milliseconds] = traces.spans("process aged")[..] else { panic!("{traces}") };
        assert!((3_600.0..3_630.0).contains(&age(seconds)));
        assert!(age(milliseconds) < 30.0);
    });
}

/// Where a span is, of the facts that a script tells of it.
fn ids(span: &Value) -> Value {
    json!({ "trace_id": span["trace_id"], "span_id": span["span_id"] })
}

fn a_message_from_python_is_continued_here(python: &Python) {
    let address = RABBITMQ.address();
    in_both_worlds(|capture| {
        let queue = unique("from-python");
        let mut script = None;
        let traces = captured(&address, capture, async |channel| {
            declare_queue(&channel, &queue).await;
            let mut consumer = consume(&channel, &queue).await;
            script = Some(python.start("rabbitmq.py", &["produce", &address, &queue]));
            let order = next(&mut consumer).await;
            assert_eq!(order.data, b"two lemons");
            assert_eq!(handle_foreign(&order).await.as_deref(), Some("Größe&Söhne,Hamburg"));
        });
        let mut script = script.expect("it was started");
        // The instrumentation makes two spans of a send; the inner one's context is in the message.
        let sent = script.span(&format!("{queue} send"));
        assert_eq!(script.span(&format!("{queue} send"))["span_id"], sent["parent"]["span_id"]);
        let request = script.span("request");
        script.finish();
        assert_eq!(sent["trace_id"], request["trace_id"]);

        let process = traces.span("process foreign").has_links(1);
        process.has_attribute("messaging.message.id", "A-1");
        let link = &process.links()[0].span_context;
        assert_eq!(json!(process.trace_id().to_string()), sent["trace_id"]);
        assert_eq!(json!(process.parent_outside().map(|it| it.to_string())), sent["span_id"]);
        assert_eq!(json!(link.trace_id().to_string()), sent["trace_id"]);
        assert_eq!(json!(link.span_id().to_string()), sent["span_id"]);
    });
}

fn a_message_from_here_is_continued_in_python(python: &Python) {
    let address = RABBITMQ.address();
    let from_elsewhere = [("traceparent", SENDER), ("baggage", "tenant=Gr%C3%B6%C3%9Fe%2CHamburg")];
    in_both_worlds(|capture| {
        let queue = unique("to-python");
        let mut script = python.start("rabbitmq.py", &["consume", &address, &queue]);
        script.told("listening");
        let traces = captured(&address, capture, async |channel| {
            let handling = throughline::consume("handle").continue_().run(&from_elsewhere, async {
                let properties = BasicProperties::default()
                    .with_message_id("A-1".into())
                    .with_content_type("text/plain".into())
                    .with_headers(table(&[("shop", AMQPValue::LongString("corner".into()))]));
                publish(&channel, "", &queue, properties, b"two lemons").await
            });
            handling.await.expect("published");
        });
        let message = script.told("message");
        let charge = script.span("charge");
        let receive = script.span(&format!("{queue} receive"));
        script.finish();

        let send = traces.span(&format!("send {queue}"));
        let ours = json!({
            "trace_id": send.trace_id().to_string(),
            "span_id": send.span_id().to_string(),
        });
        assert_eq!(receive["parent"], ours);
        assert_eq!(charge["parent"], ids(&receive));
        assert_eq!(receive["trace_id"], SENDER[3..35]);
        assert_eq!(message["baggage"], json!({ "tenant": "Größe,Hamburg" }));
        assert_eq!(message["body"], "two lemons");
        assert_eq!(message["content_type"], "text/plain");
        assert_eq!(message["headers"]["shop"], "corner");
    });
}
