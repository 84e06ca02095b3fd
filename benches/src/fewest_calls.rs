//! The least that OpenTelemetry, and `tracing` with its layer, take for the same span of the same message: they are told all
//! by as few calls as there are, of a header that is looked at no closer than it must be. Nobody writes this: it cannot be
//! sure of its message, nor be set up in any other way. It tells how much of what throughline takes is theirs.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::pin;

use opentelemetry::trace::{
    Link, SpanBuilder, SpanContext, SpanId, SpanKind, TraceContextExt as _, TraceFlags, TraceId,
    TraceState, Tracer,
};
use opentelemetry::{Context, global};
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::body;
use crate::by_hand::{attributes, handler_span, kept};
use crate::messages::Message;

/// A trace of its own, with a link back.
pub async fn link(message: &Message, awaits: usize) -> usize {
    link_by(&global::tracer("bench"), message, awaits).await
}

/// A child of the sender's span.
pub async fn continued(message: &Message, awaits: usize) -> usize {
    continue_by(&global::tracer("bench"), message, awaits).await
}

/// By a tracer that was kept.
pub async fn kept_link(message: &Message, awaits: usize) -> usize {
    link_by(kept(), message, awaits).await
}

/// The same, as a child.
pub async fn kept_continue(message: &Message, awaits: usize) -> usize {
    continue_by(kept(), message, awaits).await
}

/// Through `tracing`: a root needs to be told no parent.
pub async fn tracing_link(message: &Message, awaits: usize) -> usize {
    let span = handler_span!("link");
    if let Some(sender) = sender_of(message) {
        span.add_link(sender);
    }
    body(message, awaits).instrument(span).await
}

/// The same, as a child: the layer takes what is attached for the parent, while `tracing` has no span of its own.
pub async fn tracing_continue(message: &Message, awaits: usize) -> usize {
    let sender = sender_of(message);
    let parent = sender.clone().map(|it| Context::new().with_remote_span_context(it).attach());
    let span = handler_span!(below "continue");
    drop(parent);
    if let Some(sender) = sender {
        span.add_link(sender);
    }
    body(message, awaits).instrument(span).await
}

async fn link_by<T>(tracer: &T, message: &Message, awaits: usize) -> usize
where
    T: Tracer<Span: Send + Sync + 'static>,
{
    let context = start(tracer, "link", sender_of(message), Context::new());
    inside(&context, message, awaits).await
}

async fn continue_by<T>(tracer: &T, message: &Message, awaits: usize) -> usize
where
    T: Tracer<Span: Send + Sync + 'static>,
{
    let sender = sender_of(message);
    let parent = match &sender {
        Some(sender) => Context::new().with_remote_span_context(sender.clone()),
        None => Context::new(),
    };
    let context = start(tracer, "continue", sender, parent);
    inside(&context, message, awaits).await
}

fn start<T>(
    tracer: &T,
    relation: &'static str,
    sender: Option<SpanContext>,
    parent: Context,
) -> Context
where
    T: Tracer<Span: Send + Sync + 'static>,
{
    let described = SpanBuilder {
        name: Cow::Borrowed("handler"),
        span_kind: Some(SpanKind::Consumer),
        attributes: Some(attributes(relation)),
        links: sender.map(|sender| vec![Link::with_context(sender)]),
        ..SpanBuilder::default()
    };
    parent.with_span(tracer.build_with_context(described, &parent))
}

async fn inside(context: &Context, message: &Message, awaits: usize) -> usize {
    let mut body = pin!(body(message, awaits));
    let result = poll_fn(|polled| {
        let _attached = context.clone().attach();
        body.as_mut().poll(polled)
    })
    .await;
    context.span().end();
    result
}

/// Of a header that is what it should be.
fn sender_of(message: &Message) -> Option<SpanContext> {
    let (_, header) = message.iter().find(|(name, _)| *name == "traceparent")?;
    let trace = const_hex::decode_to_array(header.get(3..35)?).ok()?;
    let span = const_hex::decode_to_array(header.get(36..52)?).ok()?;
    let sampled = header.ends_with("01");
    Some(SpanContext::new(
        TraceId::from_bytes(trace),
        SpanId::from_bytes(span),
        TraceFlags::NOT_SAMPLED.with_sampled(sampled),
        true,
        TraceState::NONE,
    ))
}
