//! A handler is seen by whoever listens where it runs, wherever it was called first. A program of its own:
//! with other subscribers alive, `tracing` asks all of them.

use throughline::TraceContext;
use throughline::testing::Capture;

/// While a single subscriber lives that is not the global one, `tracing` asks nobody but the thread
/// on which a call site is first seen.
#[test]
fn a_handler_that_was_first_called_where_nobody_listens_is_seen_where_somebody_does() {
    #[throughline::async_consumer(link)]
    fn called_first_elsewhere(message: &TraceContext) {
        let _ = message;
    }

    let traces = Capture::new().run_sync(|| {
        let elsewhere = std::thread::spawn(|| called_first_elsewhere(&TraceContext::default()));
        elsewhere.join().expect("it ends");
        called_first_elsewhere(&TraceContext::default());
    });
    assert!(!traces.spans("called_first_elsewhere").is_empty());
}
