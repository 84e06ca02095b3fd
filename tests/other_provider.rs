//! A global provider that is none of the SDK's: it need not know of suppressed telemetry, and may decline a span.
//! It makes what it makes of the SDK's, and is asked for each span and for nothing else. A process of its own, since
//! the provider is global.

use std::borrow::Cow;
use std::sync::Mutex;
use std::time::SystemTime;

use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue, global};
use throughline::{Outcome, TraceContext, consume, diagnose};

/// The names of the spans that it was asked for.
static ASKED_FOR: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Another;

impl TracerProvider for Another {
    type Tracer = Self;

    fn tracer_with_scope(&self, _: InstrumentationScope) -> Self {
        Self
    }
}

impl Tracer for Another {
    type Span = Made;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Made {
        let mut asked_for = ASKED_FOR.lock().expect("nobody panicked");
        asked_for.push(builder.name.to_string());
        let number = asked_for.len() as u64;
        if parent.is_telemetry_suppressed() {
            return Made(parent.span().span_context().clone());
        }
        if builder.name == "declined" {
            return Made(SpanContext::NONE);
        }
        Made(SpanContext::new(
            TraceId::from(u128::from(number)),
            SpanId::from(number),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        ))
    }
}

struct Made(SpanContext);

impl Span for Made {
    fn add_event_with_timestamp<T>(&mut self, _: T, _: SystemTime, _: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
    }

    fn span_context(&self) -> &SpanContext {
        &self.0
    }

    fn is_recording(&self) -> bool {
        true
    }

    fn set_attribute(&mut self, _: KeyValue) {}
    fn set_status(&mut self, _: Status) {}
    fn update_name<T: Into<Cow<'static, str>>>(&mut self, _: T) {}
    fn add_link(&mut self, _: SpanContext, _: Vec<KeyValue>) {}
    fn end_with_timestamp(&mut self, _: SystemTime) {}
}

#[test]
fn a_provider_of_another_kind_is_asked_for_every_span_and_for_no_other() {
    global::set_tracer_provider(Another);
    let handle = |name| {
        let mut span = consume(name).start(&TraceContext::default());
        let is_made = span.run_sync(|| !TraceContext::current().is_empty());
        span.finish(Outcome::ok());
        is_made
    };
    for _ in 0..3 {
        assert!(handle("made"));
        assert!(!handle("declined"));
    }
    let asked_for = ASKED_FOR.lock().expect("nobody panicked").clone();
    assert_eq!(asked_for, ["made", "declined", "made", "declined", "made", "declined"]);
    assert_eq!(diagnose().spans_made(), 3);
}
