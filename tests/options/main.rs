//! What the options of a handler and a producer do, each in its own file.

mod captured_headers;
mod enabled;
mod failure_event;
mod max_links;
mod record;
mod span_fields;

use throughline::testing::{Capture, Traces};
use throughline_tests::Log;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};

/// Captures with a log formatter at INFO, once beside an OpenTelemetry layer and once alone.
fn with_a_log(mut check: impl FnMut(&dyn Fn(&mut dyn FnMut()) -> (Traces, Vec<String>))) {
    for bridged in [true, false] {
        check(&|body| {
            let log = Log::default();
            let formatter = || {
                tracing_subscriber::fmt::layer()
                    .with_writer(log.clone())
                    .with_ansi(false)
                    .without_time()
                    .with_filter(LevelFilter::INFO)
            };
            let capture = Capture::new().with_subscriber(|tracer| {
                let layer = bridged.then(|| tracing_opentelemetry::layer().with_tracer(tracer));
                tracing_subscriber::registry().with(layer).with(formatter())
            });
            (capture.run_sync(body), log.lines())
        });
    }
}
