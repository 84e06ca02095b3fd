//! What a user would write by hand, as the documentation of each library shows it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use fastrace::future::FutureExt as _;
use fastrace::prelude::{Span, SpanContext};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{FutureExt as _, Link, SpanKind, TraceContextExt as _, Tracer};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracer;
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::body;
use crate::messages::{Message, Order, Record};

pub(crate) fn attributes(relation: &'static str) -> Vec<KeyValue> {
    vec![
        KeyValue::new("messaging.operation.name", "handler"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("code.function.name", "throughline_benches::by_hand::handler"),
        KeyValue::new("throughline.relation.kind", relation),
    ]
}

/// OpenTelemetry's API: extract, build the span with kind, attributes and a link, attach it, end it.
pub async fn api_link(message: &Message, awaits: usize) -> usize {
    link_by(&global::tracer("bench"), message, awaits).await
}

/// The same, as a child of the sender's span, which the conventions want linked as well.
pub async fn api_continue(message: &Message, awaits: usize) -> usize {
    continue_by(&global::tracer("bench"), message, awaits).await
}

/// The SDK's own tracer, for who keeps it: then nothing is looked up and little is boxed.
pub static KEPT: OnceLock<SdkTracer> = OnceLock::new();

pub(crate) fn kept() -> &'static SdkTracer {
    KEPT.get().expect("the set-up has kept it")
}

/// By a tracer that was kept.
pub async fn kept_link(message: &Message, awaits: usize) -> usize {
    link_by(kept(), message, awaits).await
}

/// The same, as a child of the sender's span.
pub async fn kept_continue(message: &Message, awaits: usize) -> usize {
    continue_by(kept(), message, awaits).await
}

async fn link_by<T>(tracer: &T, message: &Message, awaits: usize) -> usize
where
    T: Tracer<Span: Send + Sync + 'static>,
{
    let sender = sender_of(message);
    let span = tracer
        .span_builder("handler")
        .with_kind(SpanKind::Consumer)
        .with_attributes(attributes("link"))
        .with_links(links_to(&sender))
        .start_with_context(tracer, &Context::new());
    let context = Context::new().with_span(span);
    let result = body(message, awaits).with_context(context.clone()).await;
    context.span().end();
    result
}

async fn continue_by<T>(tracer: &T, message: &Message, awaits: usize) -> usize
where
    T: Tracer<Span: Send + Sync + 'static>,
{
    let sender = sender_of(message);
    let span = tracer
        .span_builder("handler")
        .with_kind(SpanKind::Consumer)
        .with_attributes(attributes("continue"))
        .with_links(links_to(&sender))
        .start_with_context(tracer, &sender);
    let context = sender.with_span(span);
    let result = body(message, awaits).with_context(context.clone()).await;
    context.span().end();
    result
}

/// Whether the set-up has a global propagator.
pub static HAS_GLOBAL_PROPAGATOR: AtomicBool = AtomicBool::new(false);

/// By the global propagator where the set-up has one, else by the SDK's.
fn sender_of(message: &Message) -> Context {
    if HAS_GLOBAL_PROPAGATOR.load(Ordering::Relaxed) {
        global::get_text_map_propagator(|it| it.extract_with_context(&Context::new(), message))
    } else {
        TraceContextPropagator::new().extract_with_context(&Context::new(), message)
    }
}

/// A message without a context has no sender to link to.
fn links_to(sender: &Context) -> Vec<Link> {
    let sender = sender.span().span_context().clone();
    if sender.is_valid() { vec![Link::with_context(sender)] } else { Vec::new() }
}

/// A batch: a link to every sender, of which the SDK keeps 128.
pub async fn api_batch(messages: &[Message]) -> usize {
    let links = messages.iter().map(|message| {
        let sender = sender_of(message);
        Link::with_context(sender.span().span_context().clone())
    });
    let tracer = global::tracer("bench");
    let mut all = attributes("link");
    all.push(KeyValue::new("messaging.batch.message_count", messages.len() as i64));
    let span = tracer
        .span_builder("handler")
        .with_kind(SpanKind::Consumer)
        .with_attributes(all)
        .with_links(links.collect())
        .start_with_context(&tracer, &Context::new());
    let context = Context::new().with_span(span);
    let result = async { std::hint::black_box(messages.len()) }.with_context(context.clone()).await;
    context.span().end();
    result
}

/// A message of which there is more to tell.
pub async fn api_record(record: &Record) -> usize {
    let sender = sender_of(&record.headers);
    let all = vec![
        KeyValue::new("messaging.operation.name", "process"),
        KeyValue::new("messaging.operation.type", "process"),
        KeyValue::new("code.function.name", "throughline_benches::by_hand::handler"),
        KeyValue::new("throughline.relation.kind", "link"),
        KeyValue::new("messaging.system", "kafka"),
        KeyValue::new("messaging.destination.name", record.topic.clone()),
        KeyValue::new("messaging.destination.partition.id", record.partition.clone()),
        KeyValue::new("messaging.kafka.offset", record.offset as i64),
        KeyValue::new("messaging.kafka.message.key", record.key.clone()),
        KeyValue::new("messaging.message.body.size", record.body.len() as i64),
        KeyValue::new("messaging.consumer.group.name", "billing"),
    ];
    let tracer = global::tracer("bench");
    let span = tracer
        .span_builder(format!("process {}", record.topic))
        .with_kind(SpanKind::Consumer)
        .with_attributes(all)
        .with_links(links_to(&sender))
        .start_with_context(&tracer, &Context::new());
    let context = Context::new().with_span(span);
    let result = body(&record.headers, 0).with_context(context.clone()).await;
    context.span().end();
    result
}

/// A message on its way out: a span, and its context written into the headers.
pub async fn api_send(headers: &mut Message) -> usize {
    let tracer = global::tracer("bench");
    let span = tracer
        .span_builder("send orders")
        .with_kind(SpanKind::Producer)
        .with_attributes(vec![
            KeyValue::new("messaging.operation.name", "send"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("code.function.name", "throughline_benches::by_hand::send"),
            KeyValue::new("messaging.system", "kafka"),
            KeyValue::new("messaging.destination.name", "orders"),
        ])
        .start(&tracer);
    let context = Context::current_with_span(span);
    send_in(&context, headers);
    let result = async { std::hint::black_box(headers.len()) }.with_context(context.clone()).await;
    context.span().end();
    result
}

/// A message that has come by a channel within the process.
pub async fn api_link_in_memory(order: &Order) -> usize {
    let mut all = attributes("link");
    all.push(KeyValue::new("messaging.system", "in_process"));
    all.push(age(order));
    let tracer = global::tracer("bench");
    let span = tracer
        .span_builder("handler")
        .with_kind(SpanKind::Consumer)
        .with_attributes(all)
        .with_links(links_to(&order.sender))
        .start_with_context(&tracer, &Context::new());
    let context = Context::new().with_span(span);
    let handled = async { std::hint::black_box(order.number) };
    let result = handled.with_context(context.clone()).await;
    context.span().end();
    result
}

/// How long it has waited, in seconds.
fn age(order: &Order) -> KeyValue {
    let age = order.sent.elapsed().unwrap_or_default();
    KeyValue::new("throughline.message.age", age.as_secs_f64())
}

/// A message on its way into such a channel.
pub async fn api_send_in_memory(order: &mut Order) -> usize {
    let tracer = global::tracer("bench");
    let span = tracer
        .span_builder("send orders")
        .with_kind(SpanKind::Producer)
        .with_attributes(vec![
            KeyValue::new("messaging.operation.name", "send"),
            KeyValue::new("messaging.operation.type", "send"),
            KeyValue::new("code.function.name", "throughline_benches::by_hand::send"),
            KeyValue::new("messaging.system", "in_process"),
            KeyValue::new("messaging.destination.name", "orders"),
        ])
        .start(&tracer);
    let context = Context::current_with_span(span);
    order.sender = context.clone();
    order.sent = SystemTime::now();
    let sent = async { std::hint::black_box(order.number) };
    let result = sent.with_context(context.clone()).await;
    context.span().end();
    result
}

/// Work that goes on elsewhere: a child of whatever was active where it was called.
pub fn api_task(work: usize) -> impl Future<Output = usize> {
    let caller = Context::current();
    async move {
        let tracer = global::tracer("bench");
        let span = tracer
            .span_builder("task")
            .with_kind(SpanKind::Internal)
            .with_attributes(vec![
                KeyValue::new("code.function.name", "throughline_benches::by_hand::task"),
                KeyValue::new("throughline.relation.kind", "continue"),
            ])
            .start_with_context(&tracer, &caller);
        let context = caller.with_span(span);
        let result = async { std::hint::black_box(work) }.with_context(context.clone()).await;
        context.span().end();
        result
    }
}

/// By the global propagator where the set-up has one, else by the SDK's.
fn send_in(context: &Context, headers: &mut Message) {
    if HAS_GLOBAL_PROPAGATOR.load(Ordering::Relaxed) {
        global::get_text_map_propagator(|it| it.inject_context(context, headers));
    } else {
        TraceContextPropagator::new().inject_context(context, headers);
    }
}

/// Extracting and attaching alone: what has to be done by hand for a context to pass through.
pub async fn pass_through(message: &Message, awaits: usize) -> usize {
    let sender = sender_of(message);
    body(message, awaits).with_context(sender).await
}

/// A span of `tracing` for a handler, with the attributes that all have: as a root, or below what is current.
macro_rules! handler_span {
    (below $relation:literal) => {
        handler_span!(@ [] $relation)
    };
    ($relation:literal $($more:tt)*) => {
        handler_span!(@ [parent: None,] $relation $($more)*)
    };
    (@ [$($parent:tt)*] $relation:literal $(, $($more:tt)+)?) => {
        tracing::info_span!(
            $($parent)*
            "handler",
            otel.kind = "consumer",
            messaging.operation.name = "handler",
            messaging.operation.type = "process",
            code.function.name = "throughline_benches::by_hand::handler",
            throughline.relation.kind = $relation,
            $($($more)+)?
        )
    };
}

pub(crate) use handler_span;

/// `tracing`, with the layer's extension trait.
pub async fn tracing_link(message: &Message, awaits: usize) -> usize {
    let sender = sender_of(message);
    let span = handler_span!("link");
    let _ = span.set_parent(Context::new());
    span.add_link(sender.span().span_context().clone());
    body(message, awaits).instrument(span).await
}

/// A batch: a link to every sender.
pub async fn tracing_batch(messages: &[Message]) -> usize {
    let span = handler_span!("link", messaging.batch.message_count = messages.len());
    let _ = span.set_parent(Context::new());
    for message in messages {
        let sender = sender_of(message);
        span.add_link(sender.span().span_context().clone());
    }
    async { std::hint::black_box(messages.len()) }.instrument(span).await
}

/// A message of which there is more to tell.
pub async fn tracing_record(record: &Record) -> usize {
    let sender = sender_of(&record.headers);
    let span = tracing::info_span!(
        parent: None,
        "process",
        otel.name = format!("process {}", record.topic),
        otel.kind = "consumer",
        messaging.operation.name = "process",
        messaging.operation.type = "process",
        code.function.name = "throughline_benches::by_hand::handler",
        throughline.relation.kind = "link",
        messaging.system = "kafka",
        messaging.destination.name = record.topic,
        messaging.destination.partition.id = record.partition,
        messaging.kafka.offset = record.offset,
        messaging.kafka.message.key = record.key,
        messaging.message.body.size = record.body.len(),
        messaging.consumer.group.name = "billing",
    );
    let _ = span.set_parent(Context::new());
    span.add_link(sender.span().span_context().clone());
    body(&record.headers, 0).instrument(span).await
}

/// A message on its way out.
pub async fn tracing_send(headers: &mut Message) -> usize {
    let span = tracing::info_span!(
        "send orders",
        otel.kind = "producer",
        messaging.operation.name = "send",
        messaging.operation.type = "send",
        code.function.name = "throughline_benches::by_hand::send",
        messaging.system = "kafka",
        messaging.destination.name = "orders",
    );
    send_in(&span.context(), headers);
    async { std::hint::black_box(headers.len()) }.instrument(span).await
}

/// A message that has come by a channel within the process.
pub async fn tracing_link_in_memory(order: &Order) -> usize {
    let age = order.sent.elapsed().unwrap_or_default();
    let span = handler_span!(
        "link",
        messaging.system = "in_process",
        throughline.message.age = age.as_secs_f64(),
    );
    let _ = span.set_parent(Context::new());
    span.add_link(order.sender.span().span_context().clone());
    async { std::hint::black_box(order.number) }.instrument(span).await
}

/// A message on its way into such a channel.
pub async fn tracing_send_in_memory(order: &mut Order) -> usize {
    let span = tracing::info_span!(
        "send orders",
        otel.kind = "producer",
        messaging.operation.name = "send",
        messaging.operation.type = "send",
        code.function.name = "throughline_benches::by_hand::send",
        messaging.system = "in_process",
        messaging.destination.name = "orders",
    );
    order.sender = span.context();
    order.sent = SystemTime::now();
    async { std::hint::black_box(order.number) }.instrument(span).await
}

/// Work that goes on elsewhere.
pub fn tracing_task(work: usize) -> impl Future<Output = usize> {
    let span = tracing::info_span!(
        "task",
        code.function.name = "throughline_benches::by_hand::task",
        throughline.relation.kind = "continue",
    );
    async move { std::hint::black_box(work) }.instrument(span)
}

/// The same as of one message, as a child of the sender's span.
pub async fn tracing_continue(message: &Message, awaits: usize) -> usize {
    let sender = sender_of(message);
    let span = handler_span!("continue");
    let link = sender.span().span_context().clone();
    let _ = span.set_parent(sender);
    span.add_link(link);
    body(message, awaits).instrument(span).await
}

/// `#[tracing::instrument]`, which reads no context at all.
#[tracing::instrument(skip_all)]
pub async fn instrument(message: &Message, awaits: usize) -> usize {
    body(message, awaits).await
}

/// fastrace, with a decoded traceparent: a trace of its own, sampled as the sender is, with a link to it.
pub async fn fastrace_link(message: &Message, awaits: usize) -> usize {
    let span = match sender_of_fastrace(message) {
        Some(sender) => {
            let root = SpanContext::random().sampled(sender.sampled);
            Span::root("handler", root).with_link(sender)
        }
        None => Span::root("handler", SpanContext::random()),
    };
    let span = span.with_properties(|| properties("link"));
    body(message, awaits).in_span(span).await
}

/// The same, as a child of the sender's span.
pub async fn fastrace_continue(message: &Message, awaits: usize) -> usize {
    let sender = sender_of_fastrace(message).unwrap_or_else(SpanContext::random);
    let span = Span::root("handler", sender).with_properties(|| properties("continue"));
    body(message, awaits).in_span(span).await
}

fn sender_of_fastrace(message: &Message) -> Option<SpanContext> {
    message.get("traceparent").and_then(|it| SpanContext::decode_w3c_traceparent(it))
}

fn properties(relation: &'static str) -> [(&'static str, &'static str); 4] {
    [
        ("messaging.operation.name", "handler"),
        ("messaging.operation.type", "process"),
        ("code.function.name", "throughline_benches::by_hand::handler"),
        ("throughline.relation.kind", relation),
    ]
}

/// The SDK's span started, attached and ended, with nothing else.
pub async fn floor(message: &Message, awaits: usize) -> usize {
    let tracer = global::tracer("bench");
    let span = tracer.span_builder("handler").start_with_context(&tracer, &Context::new());
    let context = Context::new().with_span(span);
    let result = body(message, awaits).with_context(context.clone()).await;
    context.span().end();
    result
}
