//! Applications that speak B3 and Jaeger in place of W3C's headers, by way of real servers. The
//! propagator is the whole process's, hence a process of its own.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use libtest_mimic::{Arguments, Trial};
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{
    Extractor, Injector, TextMapCompositePropagator, TextMapPropagator,
};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, global};
use redis::streams::{StreamId, StreamReadOptions};
use redis::{AsyncTypedCommands, Client};
use throughline::async_consumer;
use throughline::testing::{Capture, Traces};
use throughline_test_brokers::{RABBITMQ, REDIS};
use throughline_tests::in_both_worlds;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
/// Of a sender that speaks B3, and of one that speaks Jaeger.
const HEADERS: [&[(&str, &str)]; 2] = [
    &[("X-B3-TraceId", TRACE), ("X-B3-SpanId", "b7ad6b7169203331"), ("X-B3-Sampled", "1")],
    &[("Uber-Trace-Id", "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1")],
];

fn main() -> ExitCode {
    let both: [Box<dyn TextMapPropagator + Send + Sync>; 2] =
        [Box::new(B3::default()), Box::new(Jaeger::default())];
    global::set_text_map_propagator(TextMapCompositePropagator::new(both.into()));
    let mut trials: Vec<Trial> = RABBITMQ.trials(&[("speaks_b3_and_jaeger", by_rabbitmq)]);
    trials.extend(REDIS.trials(&[("speaks_b3_and_jaeger", by_redis)]));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

#[derive(Debug)]
struct B3([String; 3]);

impl Default for B3 {
    fn default() -> Self {
        Self(["X-B3-TraceId", "X-B3-SpanId", "X-B3-Sampled"].map(str::to_owned))
    }
}

impl TextMapPropagator for B3 {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span().span_context().clone();
        if span.is_valid() {
            injector.set(&self.0[0], span.trace_id().to_string());
            injector.set(&self.0[1], span.span_id().to_string());
            injector.set(&self.0[2], u8::from(span.is_sampled()).to_string());
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let [trace, span, sampled] = self.0.each_ref().map(|name| extractor.get(name));
        with_origin(context, trace, span, sampled == Some("1"))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.0)
    }
}

#[derive(Debug)]
struct Jaeger([String; 1]);

impl Default for Jaeger {
    fn default() -> Self {
        Self(["uber-trace-id".to_owned()])
    }
}

impl TextMapPropagator for Jaeger {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span().span_context().clone();
        if span.is_valid() {
            let sampled = u8::from(span.is_sampled());
            let id = format!("{}:{}:0:{sampled}", span.trace_id(), span.span_id());
            injector.set(&self.0[0], id);
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let mut parts = extractor.get(&self.0[0]).unwrap_or_default().split(':');
        let (trace, span, flags) = (parts.next(), parts.next(), parts.nth(1));
        with_origin(context, trace, span, flags == Some("1"))
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.0)
    }
}

fn with_origin(
    context: &Context,
    trace: Option<&str>,
    span: Option<&str>,
    is_sampled: bool,
) -> Context {
    let trace = trace.and_then(|trace| TraceId::from_hex(trace).ok());
    let span = span.and_then(|span| SpanId::from_hex(span).ok());
    let Some((trace, span)) = trace.zip(span) else { return context.clone() };
    let flags = TraceFlags::default().with_sampled(is_sampled);
    let origin = SpanContext::new(trace, span, flags, true, TraceState::NONE);
    context.with_remote_span_context(origin)
}

fn captured(capture: Capture, body: impl Future<Output = ()>) -> Traces {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let body = tokio::time::timeout(Duration::from_secs(30), body);
        capture.run(async { body.await.expect("in time") }).await
    })
}

fn unique(name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_nanos();
    format!("throughline-{name}-{now}")
}

/// Two messages come from elsewhere, the third is sent here.
fn check(traces: &Traces) {
    let handlers = traces.spans("process foreign");
    assert_eq!(handlers.len(), HEADERS.len(), "{traces}");
    for handler in handlers {
        assert_eq!(handler.trace_id().to_string(), TRACE);
        assert!(handler.parent_outside().is_some());
    }
    traces.span("process ours").continues("publish");
}

#[async_consumer(continue, destination = kind)]
async fn handle_delivery(#[message] delivery: &Delivery, kind: &'static str) {}

fn by_rabbitmq(address: &str) {
    in_both_worlds(|capture| {
        let traces = captured(capture, async {
            let uri = format!("amqp://{address}");
            let connection = Connection::connect(&uri, ConnectionProperties::default()).await;
            let channel = connection.expect("a connection").create_channel().await.expect("one");
            let queue = unique("b3");
            let options = QueueDeclareOptions { exclusive: true, ..Default::default() };
            let declared = channel.queue_declare(queue.as_str().into(), options, table(&[]));
            declared.await.expect("a queue");
            let send = async |properties: BasicProperties| {
                let options = BasicPublishOptions::default();
                let sent = channel.basic_publish(
                    "".into(),
                    queue.as_str().into(),
                    options,
                    b"",
                    properties,
                );
                sent.await.expect("sent").await.expect("confirmed");
            };
            for headers in HEADERS {
                send(BasicProperties::default().with_headers(table(headers))).await;
            }
            let mut properties = BasicProperties::default();
            let publish = throughline::produce("publish");
            publish.run(&mut properties, |properties| send(properties.clone())).await;

            let options = BasicConsumeOptions::default();
            let consumer =
                channel.basic_consume(queue.as_str().into(), "".into(), options, table(&[]));
            let mut consumer = consumer.await.expect("a consumer");
            for kind in ["foreign", "foreign", "ours"] {
                let delivery = consumer.next().await.expect("a delivery").expect("no error");
                handle_delivery(&delivery, kind).await;
                if kind == "ours" {
                    let headers = delivery.properties.headers().clone().unwrap_or_default();
                    let names: Vec<&str> =
                        headers.inner().keys().map(ShortString::as_str).collect();
                    assert_eq!(names, WRITTEN);
                }
            }
        });
        check(&traces);
    });
}

/// In lower case, sorted, and nothing of W3C's.
const WRITTEN: [&str; 5] =
    ["throughline-sent", "uber-trace-id", "x-b3-sampled", "x-b3-spanid", "x-b3-traceid"];

fn table(headers: &[(&str, &str)]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in headers {
        table.insert((*name).into(), AMQPValue::LongString((*value).into()));
    }
    table
}

#[async_consumer(continue, destination = kind)]
async fn handle_entry(#[message] entry: &StreamId, kind: &'static str) {}

fn by_redis(address: &str) {
    in_both_worlds(|capture| {
        let traces = captured(capture, async {
            let client = Client::open(format!("redis://{address}")).expect("an address");
            let connection = client.get_multiplexed_async_connection().await;
            let mut redis = connection.expect("a connection");
            let stream = unique("b3");
            for headers in HEADERS {
                redis.xadd(&stream, "*", headers).await.expect("it is added");
            }
            let mut fields: Vec<(String, String)> = Vec::new();
            let publish = throughline::produce("publish");
            publish
                .run(&mut fields, |fields| {
                    let (mut redis, stream, fields) =
                        (redis.clone(), stream.clone(), fields.clone());
                    async move { redis.xadd(&stream, "*", &fields).await }
                })
                .await
                .expect("it is added");

            let options = StreamReadOptions::default();
            let read = redis.xread_options(&[&stream], &["0"], &options).await.expect("no error");
            let entries = &read.expect("entries").keys[0].ids;
            for (entry, kind) in entries.iter().zip(["foreign", "foreign", "ours"]) {
                handle_entry(entry, kind).await;
            }
            let mut names: Vec<&String> = entries[2].map.keys().collect();
            names.sort();
            assert_eq!(names, WRITTEN);
            redis.del(&stream).await.expect("it is gone");
        });
        check(&traces);
    });
}
