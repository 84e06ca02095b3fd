//! Trace Context level 2 and Baggage, exactly: what is read, refused, carried through a handler and
//! written; and in what our propagators differ from the SDK's.

mod differences;
mod properties;
mod rules;
mod through_handlers;

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Headers as a server has them: each may be there several times.
struct Headers<'h>(Vec<(&'h str, &'h str)>);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| *value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let of_name = self.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        let values: Vec<_> = of_name.map(|(_, value)| *value).collect();
        (!values.is_empty()).then_some(values)
    }
}

fn extract(propagator: &dyn TextMapPropagator, headers: &[(&str, &str)]) -> Context {
    propagator.extract_with_context(&Context::new(), &Headers(headers.to_vec()))
}

fn span_context(context: &Context) -> SpanContext {
    context.span().span_context().clone()
}

fn inject(propagator: &dyn TextMapPropagator, context: &Context) -> HashMap<String, String> {
    let mut headers = HashMap::new();
    propagator.inject_context(context, &mut headers);
    headers
}

/// What is sent by whoever passes on what it received.
fn passed_on(
    propagator: &dyn TextMapPropagator,
    headers: &[(&str, &str)],
) -> HashMap<String, String> {
    inject(propagator, &extract(propagator, headers))
}
