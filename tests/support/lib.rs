//! What the tests share.

mod log;

use std::time::{Duration, Instant};

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;
use throughline::testing::{Capture, Traces};
use throughline::{Outcome, TraceContext};

pub use log::Log;

/// A sender in another process.
pub const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// Another one.
pub const OTHER_SENDER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";
/// One whose trace is not sampled.
pub const UNSAMPLED_SENDER: &str = "00-2af7651916cd43dd8448eb211c80319c-d7ad6b7169203331-00";

/// A message with headers, as a broker's client would have it.
pub type Headers = Vec<(String, String)>;

/// The headers of a message.
pub fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A message that `sender` sent.
pub fn from(sender: &str) -> Headers {
    headers(&[("traceparent", sender)])
}

/// Runs `body` with an OpenTelemetry layer that listens to `tracing`, and with OpenTelemetry alone.
pub fn in_both_worlds(mut body: impl FnMut(Capture)) {
    body(Capture::new());
    body(Capture::new().without_tracing());
}

/// Works for so long by the clock, for what is measured; it may take longer, never shorter.
pub fn work_for(at_least: Duration) {
    let began = Instant::now();
    while began.elapsed() < at_least {
        std::hint::spin_loop();
    }
}

/// Captures what `body` makes inside a span called `poll loop`.
pub fn inside_a_poll_loop(capture: Capture, body: impl FnOnce()) -> Traces {
    capture.run_sync(|| in_span("poll loop", body))
}

/// Runs `body` in a span, made in whichever way this world makes one.
pub fn in_span<R>(name: &'static str, body: impl FnOnce() -> R) -> R {
    let mut span = throughline::produce(name).start(&mut TraceContext::default());
    let result = span.run_sync(body);
    span.finish(Outcome::ok());
    result
}

/// The `traceparent` that work would send from here.
pub fn current() -> Option<String> {
    TraceContext::current().traceparent()
}

/// A baggage entry that is in force here.
pub fn baggage(key: &str) -> Option<String> {
    Context::current().baggage().get(key).map(ToString::to_string)
}

/// The trace that work here belongs to, as 32 hexadecimal digits.
pub fn current_trace() -> String {
    Context::current().span().span_context().trace_id().to_string()
}
