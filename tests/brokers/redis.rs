//! Redis streams and lists by redis.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::Trial;
use redis::aio::MultiplexedConnection;
use redis::streams::{
    StreamAutoClaimOptions, StreamId, StreamKey, StreamReadOptions, StreamReadReply,
};
use redis::{AsyncTypedCommands, Client, RedisResult};
use throughline::clients::redis_1::count_deliveries;
use throughline::testing::{Capture, Span, Traces};
use throughline::{TraceContext, Traced, async_consumer, async_producer};
use throughline_test_brokers::REDIS;
use throughline_tests::{OTHER_SENDER, SENDER, baggage, in_both_worlds};

const GROUP: &str = "billing";

/// The tests of this client.
pub(crate) fn trials() -> Vec<Trial> {
    REDIS.trials(&[
        ("a_handler_continues_its_sender", a_handler_continues_its_sender),
        ("a_stream_is_a_batch", a_stream_is_a_batch),
        ("what_a_dead_worker_left_comes_again", what_a_dead_worker_left_comes_again),
        ("fields_of_other_libraries_are_read", fields_of_other_libraries_are_read),
        ("too_much_baggage_harms_nobody", too_much_baggage_harms_nobody),
        ("a_list_carries_traced_payloads", a_list_carries_traced_payloads),
    ])
}

/// Runs `body` with a connection to the server and a key that is nobody else's, and captures what it
/// makes.
fn captured<F: Future<Output = ()>>(
    address: &str,
    capture: Capture,
    body: impl FnOnce(MultiplexedConnection, String) -> F,
) -> Traces {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    let key = format!("throughline-{now}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let client = Client::open(format!("redis://{address}")).expect("an address");
        let connection = in_time(client.get_multiplexed_async_connection()).await;
        let mut redis = connection.expect("a connection");
        let traces = capture.run(in_time(body(redis.clone(), key.clone()))).await;
        in_time(redis.del(&key)).await.expect("it is gone");
        traces
    })
}

async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("in time")
}

type Fields = Vec<(String, String)>;

fn fields(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[async_producer(system = "redis", destination = "orders")]
async fn place_order(
    redis: &mut MultiplexedConnection,
    key: &str,
    #[message] fields: Fields,
) -> RedisResult<Option<String>> {
    redis.xadd(key, "*", &fields).await
}

async fn create_group(redis: &mut MultiplexedConnection, key: &str) {
    redis.xgroup_create_mkstream(key, GROUP, "0").await.expect("a group");
}

/// What is new to the group, for a worker of it.
async fn read(
    redis: &mut MultiplexedConnection,
    key: &str,
    worker: &str,
) -> RedisResult<Option<StreamReadReply>> {
    let options = StreamReadOptions::default().group(GROUP, worker).count(10);
    redis.xread_options(&[key], &[">"], &options).await
}

async fn read_one_stream(redis: &mut MultiplexedConnection, key: &str, worker: &str) -> StreamKey {
    let read = read(redis, key, worker).await.expect("no error");
    let [stream] = read.expect("entries").keys.try_into().expect("one stream");
    stream
}

#[async_consumer(
    continue,
    destination = "orders",
    consumer_group = GROUP,
    capture_headers = ["item"]
)]
async fn charge_card(order: &StreamId) -> Option<String> {
    baggage("tenant")
}

fn a_handler_continues_its_sender(address: &str) {
    in_both_worlds(|capture| {
        let traces = captured(address, capture, async |mut redis, key| {
            create_group(&mut redis, &key).await;
            let receive =
                || throughline::receive("read").destination("orders").consumer_group(GROUP);
            let nothing = receive().run(read(&mut redis, &key, "worker")).await.expect("no error");
            assert!(nothing.is_none());
            place_order(&mut redis, &key, fields(&[("item", "tea")])).await.expect("it is added");
            let poll = receive().run(read(&mut redis, &key, "worker"));
            let [stream] = &poll.await.expect("no error").expect("entries").keys[..] else {
                panic!("one stream")
            };
            let [order] = &stream.ids[..] else { panic!("one entry: {stream:?}") };
            charge_card(order).await;
            let ack = throughline::settle("ack").destination("orders").consumer_group(GROUP);
            let acknowledged = ack.run(order, redis.xack(&key, GROUP, &[&order.id])).await;
            assert_eq!(acknowledged.expect("no error"), 1);
        });

        traces
            .span("send orders")
            .is_root()
            .is_kind("producer")
            .has_attribute("messaging.system", "redis");
        let charge = traces
            .span("process orders")
            .continues("send orders")
            .has_attribute("messaging.system", "redis")
            .has_attribute("messaging.consumer.group.name", GROUP)
            // Redis 7 does not tell it with the entry.
            .has_no_attribute("throughline.message.attempt");
        let id = charge.attribute("messaging.message.id").expect("an id").to_string();
        assert!(id.ends_with("-0"), "{id}");
        assert!(age(charge) < 30.0);
        assert!(charge.attribute("throughline.message.header.item").is_some());

        let [nothing, one] = traces.spans("receive orders")[..] else { panic!("{traces}") };
        nothing.has_no_links().has_attribute("messaging.batch.message_count", 0);
        one.links_to("send orders").has_attribute("messaging.batch.message_count", 1);
        traces
            .span("ack orders")
            .is_kind("client")
            .links_to("send orders")
            .has_attribute("messaging.message.id", &id)
            .has_attribute("messaging.consumer.group.name", GROUP);
    });
}

/// Seconds.
fn age(span: Span<'_>) -> f64 {
    let age = span.attribute("throughline.message.age").expect("an age");
    age.to_string().parse().expect("a number")
}

#[async_consumer(link)]
async fn record_sales(orders: &StreamKey) {}

fn a_stream_is_a_batch(address: &str) {
    in_both_worlds(|capture| {
        let mut stream = StreamKey::default();
        let traces = captured(address, capture, async |mut redis, key| {
            create_group(&mut redis, &key).await;
            for item in ["tea", "lemons"] {
                place_order(&mut redis, &key, fields(&[("item", item)])).await.expect("added");
            }
            stream = read_one_stream(&mut redis, &key, "worker").await;
            record_sales(&stream).await;
        });
        let [tea, lemons] = traces.spans("send orders")[..] else { panic!("{traces}") };
        let record = traces
            .span(&format!("process {}", stream.key))
            .is_root()
            .has_links(2)
            .has_attribute("messaging.system", "redis")
            .has_attribute("messaging.destination.name", &stream.key)
            .has_attribute("messaging.batch.message_count", 2);
        for (link, (sent, entry)) in
            record.links().iter().zip([tea, lemons].iter().zip(&stream.ids))
        {
            assert_eq!(link.span_context.span_id(), sent.span_id());
            let id =
                link.attributes.iter().find(|told| told.key.as_str() == "messaging.message.id");
            assert_eq!(id.expect("an id").value.to_string(), entry.id);
        }
    });
}

/// At least once: what was read and not acknowledged is claimed by another, as the second attempt.
fn what_a_dead_worker_left_comes_again(address: &str) {
    in_both_worlds(|capture| {
        let traces = captured(address, capture, async |mut redis, key| {
            create_group(&mut redis, &key).await;
            place_order(&mut redis, &key, fields(&[("item", "tea")])).await.expect("it is added");
            let read = read_one_stream(&mut redis, &key, "dead").await;
            assert_eq!(read.ids.len(), 1);

            for attempt in 2..=3 {
                let worker = format!("worker-{attempt}");
                let options = StreamAutoClaimOptions::default();
                let claim = redis.xautoclaim_options(&key, GROUP, &worker, 0, "0-0", options);
                let mut claimed = claim.await.expect("no error").claimed;
                let pending =
                    redis.xpending_consumer_count(&key, GROUP, "-", "+", 10, &worker).await;
                count_deliveries(&mut claimed, &pending.expect("no error"));
                let [order] = &claimed[..] else { panic!("one entry: {claimed:?}") };
                charge_card(order).await;
                if attempt == 3 {
                    let ack = throughline::settle("ack").destination("orders");
                    let acknowledged = ack.run(order, redis.xack(&key, GROUP, &[&order.id])).await;
                    assert_eq!(acknowledged.expect("no error"), 1);
                }
            }
            let left = redis.xpending_count(&key, GROUP, "-", "+", 10).await.expect("no error");
            assert!(left.ids.is_empty(), "{left:?}");
        });
        let [second, third] = traces.spans("process orders")[..] else { panic!("{traces}") };
        second.continues("send orders").has_attribute("throughline.message.attempt", 2);
        third.continues("send orders").has_attribute("throughline.message.attempt", 3);
        traces.span("ack orders").has_attribute("throughline.message.attempt", 3);
    });
}

type Field<'a> = (&'a str, &'a [u8]);

fn fields_of_other_libraries_are_read(address: &str) {
    let junk: &[u8] = &[0xff, 0, 0xfe, b'-'];
    // What is in the entry, and the reason why it is no context, if it is none.
    let cases: [(&[Field<'_>], Option<&str>); 5] = [
        (&[("TraceParent", SENDER.as_bytes()), ("BAGGAGE", b"tenant=acme")], None),
        (
            &[("Traceparent", SENDER.as_bytes()), ("TRACEPARENT", OTHER_SENDER.as_bytes())],
            Some("unreadable"),
        ),
        (&[("traceparent", junk)], Some("unreadable")),
        (&[("traceparent", b"")], Some("unreadable")),
        (&[("item", b"tea")], Some("no_context")),
    ];
    for (fields, reason) in cases {
        in_both_worlds(|capture| {
            let traces = captured(address, capture, async |mut redis, key| {
                create_group(&mut redis, &key).await;
                redis.xadd(&key, "*", fields).await.expect("it is added");
                let read = read_one_stream(&mut redis, &key, "worker").await;
                let tenant = charge_card(&read.ids[0]).await;
                assert_eq!(tenant.as_deref(), reason.is_none().then_some("acme"), "{fields:?}");
            });
            let charge = traces.span("process orders");
            match reason {
                None => assert_eq!(charge.trace_id().to_string(), SENDER[3..35]),
                Some(reason) => {
                    charge.is_root().has_attribute("throughline.relation.reason", reason);
                }
            }
        });
    }
}

fn too_much_baggage_harms_nobody(address: &str) {
    let member = |nth: usize| format!("key-{nth}={}", "v".repeat(90));
    let baggage = (0..11_000).map(member).collect::<Vec<_>>().join(",");
    assert!(baggage.len() > 1_000_000);
    in_both_worlds(|capture| {
        let traces = captured(address, capture, async |mut redis, key| {
            create_group(&mut redis, &key).await;
            let sent = fields(&[("traceparent", SENDER), ("baggage", &baggage)]);
            redis.xadd(&key, "*", &sent).await.expect("it is added");
            let read = read_one_stream(&mut redis, &key, "worker").await;
            let context = TraceContext::read_from(&read.ids[0]);
            charge_card(&read.ids[0]).await;

            let mut fields = Fields::new();
            context.write_to(&mut fields);
            redis.xadd(&key, "*", &fields).await.expect("it is added");
            let read = read_one_stream(&mut redis, &key, "worker").await;
            charge_card(&read.ids[0]).await;
        });
        let handlers = traces.spans("process orders");
        assert_eq!(handlers.len(), 2);
        for handler in handlers {
            assert_eq!(handler.trace_id().to_string(), SENDER[3..35]);
        }
    });
}

#[async_producer(system = "redis", destination = "mails")]
async fn send_mail(
    redis: &mut MultiplexedConnection,
    key: &str,
    #[message] mail: Traced<String>,
) -> RedisResult<usize> {
    redis.lpush(key, serde_json::to_string(&mail).expect("text is JSON")).await
}

#[async_consumer(link, system = "redis", destination = "mails")]
async fn deliver_mail(mail: Traced<String>) {
    assert_eq!(*mail, "hello");
}

fn a_list_carries_traced_payloads(address: &str) {
    in_both_worlds(|capture| {
        let traces = captured(address, capture, async |mut redis, key| {
            let mail = Traced::with_context("hello".to_owned(), TraceContext::default());
            send_mail(&mut redis, &key, mail).await.expect("it is pushed");
            let popped = redis.brpop(&key, 20.0).await.expect("no error");
            let [_, mail] = popped.expect("a mail");
            deliver_mail(serde_json::from_str(&mail).expect("a mail")).await;
        });
        let deliver = traces
            .span("process mails")
            .is_root()
            .links_to("send mails")
            .has_attribute("messaging.system", "redis");
        assert!(age(deliver) < 30.0);
    });
}
