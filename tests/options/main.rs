//! What the options of a handler and a producer do, each in its own file.

mod captured_headers;
mod enabled;
mod failure_event;
mod max_links;
mod record;
mod span_fields;

use std::io;
use std::sync::{Arc, Mutex};

use throughline::testing::{Capture, Traces};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;

/// What a log formatter has written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn lines(&self) -> Vec<String> {
        let written = String::from_utf8(self.0.lock().expect("nobody panicked").clone());
        written.expect("text").lines().map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("nobody panicked").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// Captures with a log formatter, once beside an OpenTelemetry layer and once alone.
fn with_a_log(mut check: impl FnMut(&dyn Fn(&mut dyn FnMut()) -> (Traces, Vec<String>))) {
    for bridged in [true, false] {
        check(&|body| {
            let log = Log::default();
            let formatter = || {
                tracing_subscriber::fmt::layer()
                    .with_writer(log.clone())
                    .with_ansi(false)
                    .without_time()
            };
            let capture = Capture::new().with_subscriber(|tracer| {
                let layer = bridged.then(|| tracing_opentelemetry::layer().with_tracer(tracer));
                tracing_subscriber::registry().with(layer).with(formatter())
            });
            (capture.run_sync(body), log.lines())
        });
    }
}
