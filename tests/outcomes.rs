//! However a handler ends, its span ends with it, once, and says how; and the caller sees what it
//! would have seen without the span.

use std::error::Error;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use opentelemetry::trace::Status;
use throughline::testing::{Capture, Span, Traces};
use throughline::{IntoOutcome, Outcome, TraceContext, async_consumer};

/// Runs `body` with an OpenTelemetry layer that listens to `tracing`, and with OpenTelemetry alone.
fn in_both_worlds(body: impl AsyncFn(), check: impl Fn(&Traces)) {
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        check(&runtime.block_on(capture.run(body())));
    }
}

fn message() -> TraceContext {
    TraceContext::default()
}

/// The only span there is, so that it cannot have ended twice.
#[track_caller]
fn only(traces: &Traces) -> Span<'_> {
    assert_eq!(traces.len(), 1, "{traces}");
    assert!(format!("{traces:?}").ends_with("open: [] }"), "{traces:?}");
    traces.all()[0]
}

#[track_caller]
fn failed_as(traces: &Traces, error_type: &str, description: &str) {
    only(traces).is_error_with(description).has_attribute("error.type", error_type);
}

#[track_caller]
fn succeeded(traces: &Traces) {
    only(traces).status_is_unset().has_no_attribute("error.type");
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// What the future panics with, if it does.
async fn panic_of<F: Future>(future: F) -> Option<&'static str> {
    let mut future = pin!(future);
    let ended =
        poll_fn(|task| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(task))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) => Poll::Ready(None),
            Err(payload) => Poll::Ready(Some(payload)),
        });
    Some(*ended.await?.downcast::<&'static str>().expect("the very payload"))
}

/// Panics without the hook's words in the test's output.
fn panic_with(payload: &'static str) -> ! {
    resume_unwind(Box::new(payload))
}

#[derive(Debug, Clone, Copy)]
struct CardRefused;

impl fmt::Display for CardRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bank said no")
    }
}

impl Error for CardRefused {}

struct Displayed<T>(T);

impl<T: fmt::Display> fmt::Display for Displayed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "displayed {}", self.0)
    }
}

#[derive(Debug)]
struct Debugged {
    _code: u8,
}

struct Silent;

/// Says itself what it is, though it could be displayed.
struct Coded(u8);

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not asked")
    }
}

impl IntoOutcome for Coded {
    fn outcome(&self) -> Outcome {
        Outcome::error(format!("code_{}", self.0)).describe("as the gateway has it")
    }
}

enum Reply {
    Ack,
    Reject,
}

impl IntoOutcome for Reply {
    fn outcome(&self) -> Outcome {
        match self {
            Reply::Ack => Outcome::ok(),
            Reply::Reject => Outcome::error("rejected"),
        }
    }
}

#[async_consumer(link, from = &message())]
async fn answer<T>(answer: T) -> T
where
    T: Clone,
{
    answer.clone()
}

/// A handler that gives back the value of `$value`, whose type is `$type`, and one that is not
/// async; run in both worlds.
macro_rules! handlers_return {
    ($type:ty, $value:expr, $check:expr) => {{
        #[async_consumer(link, from = &message())]
        async fn handler() -> $type {
            tokio::task::yield_now().await;
            $value
        }
        #[async_consumer(link, from = &message())]
        fn sync_handler() -> $type {
            $value
        }
        in_both_worlds(
            async || {
                let _ = handler().await;
            },
            $check,
        );
        in_both_worlds(
            async || {
                let _ = sync_handler();
            },
            $check,
        );
    }};
}

#[test]
fn an_error_is_named_after_its_type_and_described_by_its_words() {
    handlers_return!(Result<u8, CardRefused>, Err(CardRefused), |traces| {
        failed_as(traces, "CardRefused", "the bank said no");
    });
}

#[test]
fn an_error_that_can_be_displayed_only_is_told_as_well() {
    handlers_return!(Result<(), Displayed<u8>>, Err(Displayed(7)), |traces| {
        failed_as(traces, "Displayed", "displayed 7");
    });
}

#[test]
fn an_error_that_can_be_debugged_only_is_told_as_well() {
    handlers_return!(Result<(), Debugged>, Err(Debugged { _code: 7 }), |traces| {
        failed_as(traces, "Debugged", "Debugged { _code: 7 }");
    });
}

#[test]
fn an_error_that_can_do_nothing_is_named_all_the_same() {
    handlers_return!(Result<(), Silent>, Err(Silent), |traces| failed_as(traces, "Silent", ""));
}

#[test]
fn a_boxed_error_can_be_any_and_is_told_by_its_words() {
    type Boxed = Box<dyn Error + Send + Sync>;
    handlers_return!(Result<(), Boxed>, Err(CardRefused.into()), |traces| {
        failed_as(traces, "_OTHER", "the bank said no");
    });
}

#[test]
fn a_string_is_an_error_too() {
    handlers_return!(Result<(), String>, Err("no stock".to_owned()), |traces| {
        failed_as(traces, "String", "no stock");
    });
    handlers_return!(Result<(), &'static str>, Err("no stock"), |traces| {
        failed_as(traces, "str", "no stock");
    });
}

#[test]
fn an_error_that_says_what_it_is_has_the_first_word() {
    handlers_return!(Result<(), Coded>, Err(Coded(7)), |traces| {
        failed_as(traces, "code_7", "as the gateway has it");
    });
}

#[test]
fn a_result_of_ones_own_says_how_it_ended() {
    handlers_return!(Reply, Reply::Reject, |traces| failed_as(traces, "rejected", ""));
    handlers_return!(Reply, Reply::Ack, succeeded);
}

#[test]
fn an_err_is_an_error_whatever_is_in_it() {
    handlers_return!(Result<u8, ()>, Err(()), |traces| failed_as(traces, "_OTHER", ""));
    handlers_return!(Result<u8, Option<u8>>, Err(None), |traces| failed_as(traces, "Option", ""));
}

#[test]
fn an_ok_is_a_success_whatever_its_error_could_do() {
    handlers_return!(Result<u8, CardRefused>, Ok(1), succeeded);
    handlers_return!(Result<u8, Displayed<u8>>, Ok(1), succeeded);
    handlers_return!(Result<u8, Debugged>, Ok(1), succeeded);
    handlers_return!(Result<u8, Silent>, Ok(1), succeeded);
    handlers_return!(Result<u8, Coded>, Ok(1), succeeded);
    handlers_return!(Result<Silent, Box<dyn Error>>, Ok(Silent), succeeded);
}

#[test]
fn none_is_no_error() {
    handlers_return!(Option<u8>, None, succeeded);
    handlers_return!(Option<Silent>, Some(Silent), succeeded);
}

#[test]
fn anything_else_has_come_to_its_end() {
    handlers_return!((), (), succeeded);
    handlers_return!(u32, 7, succeeded);
    handlers_return!(Silent, Silent, succeeded);
    handlers_return!(impl Sized + use<>, [7, 8], succeeded);
}

#[test]
fn a_value_of_a_type_that_only_the_caller_knows_has_come_to_its_end() {
    in_both_worlds(
        async || assert_eq!(answer(7).await, 7),
        |traces| {
            succeeded(traces);
        },
    );
}

#[test]
fn a_question_mark_ends_the_handler_as_an_error() {
    #[async_consumer(link, from = &message())]
    async fn handler(fails: bool) -> Result<u8, Box<dyn Error>> {
        if fails {
            Err(CardRefused)?;
        }
        Ok("7".parse()?)
    }
    in_both_worlds(
        async || assert!(handler(true).await.is_err()),
        |traces| failed_as(traces, "_OTHER", "the bank said no"),
    );
    in_both_worlds(async || assert_eq!(handler(false).await.ok(), Some(7)), succeeded);
}

#[test]
fn a_panic_is_told_and_reaches_the_caller() {
    #[async_consumer(link, from = &message())]
    async fn at_once() -> Result<(), CardRefused> {
        panic_with("at once")
    }
    #[async_consumer(link, from = &message())]
    async fn later() -> Result<(), CardRefused> {
        tokio::task::yield_now().await;
        panic_with("after an await")
    }
    #[async_consumer(link, from = &message())]
    fn sync() -> Result<(), CardRefused> {
        panic_with("without await")
    }
    let panicked = |traces: &Traces| {
        only(traces).is_error().has_attribute("error.type", "panic");
    };
    in_both_worlds(async || assert_eq!(panic_of(at_once()).await, Some("at once")), panicked);
    in_both_worlds(async || assert_eq!(panic_of(later()).await, Some("after an await")), panicked);
    in_both_worlds(
        async || assert_eq!(panic_of(async { sync() }).await, Some("without await")),
        panicked,
    );
}

#[test]
fn a_panic_in_a_task_is_the_tasks_and_the_spans() {
    #[async_consumer(link, from = &message())]
    async fn handler() {
        panic_with("in a task")
    }
    in_both_worlds(
        async || {
            let ended = tokio::spawn(handler()).await;
            assert!(ended.is_err_and(|error| error.is_panic()));
        },
        |traces| {
            only(traces).is_error().has_attribute("error.type", "panic");
        },
    );
}

#[async_consumer(link, from = &message())]
async fn never_ends() {
    pending::<()>().await;
}

#[test]
fn a_handler_that_is_dropped_before_its_end_was_cancelled() {
    in_both_worlds(
        async || {
            let mut future = Box::pin(never_ends());
            assert!(poll_once(future.as_mut()).is_pending());
            assert!(poll_once(future.as_mut()).is_pending());
            drop(future);
        },
        |traces| {
            only(traces).is_error().has_attribute("error.type", "cancelled");
        },
    );
}

#[test]
fn a_handler_whose_task_is_aborted_was_cancelled() {
    in_both_worlds(
        async || {
            let task = tokio::spawn(never_ends());
            tokio::task::yield_now().await;
            task.abort();
            assert!(task.await.is_err_and(|error| error.is_cancelled()));
        },
        |traces| {
            only(traces).is_error().has_attribute("error.type", "cancelled");
        },
    );
}

#[test]
fn a_handler_that_is_dropped_by_code_which_unwinds_was_cancelled_and_did_not_panic() {
    in_both_worlds(
        async || {
            let unwound = catch_unwind(|| {
                let mut future = Box::pin(never_ends());
                assert!(poll_once(future.as_mut()).is_pending());
                panic_with("a reason of its own");
            });
            assert!(unwound.is_err());
        },
        |traces| {
            only(traces).is_error().has_attribute("error.type", "cancelled");
        },
    );
}

fn catch_one_panic() {
    assert!(catch_unwind(|| panic_with("caught")).is_err());
}

#[test]
fn a_panic_that_the_handler_catches_is_its_own_business() {
    #[async_consumer(link, from = &message())]
    async fn handler() -> Result<(), CardRefused> {
        catch_one_panic();
        Ok(())
    }
    #[async_consumer(link, from = &message())]
    fn sync_handler() {
        catch_one_panic();
    }
    #[async_consumer(link, from = &message())]
    async fn handler_that_is_dropped() {
        catch_one_panic();
        pending::<()>().await;
    }
    in_both_worlds(async || assert!(handler().await.is_ok()), succeeded);
    in_both_worlds(async || sync_handler(), succeeded);
    in_both_worlds(
        async || assert!(poll_once(pin!(handler_that_is_dropped())).is_pending()),
        |traces| {
            only(traces).is_error().has_attribute("error.type", "cancelled");
        },
    );
}

/// Notes which context is active where it is dropped.
struct NotesItsEnd(Arc<Mutex<Vec<TraceContext>>>);

impl Drop for NotesItsEnd {
    fn drop(&mut self) {
        self.0.lock().expect("no test panics here").push(TraceContext::current());
    }
}

#[async_consumer(link, from = &message())]
async fn holds_until(held: NotesItsEnd, end: impl Future<Output = ()>) {
    let also_held = NotesItsEnd(Arc::clone(&held.0));
    end.await;
    drop(also_held);
}

#[test]
fn what_a_handler_held_is_dropped_inside_its_span_however_it_ends() {
    let notes = Arc::<Mutex<Vec<TraceContext>>>::default();
    let held = || NotesItsEnd(Arc::clone(&notes));
    let in_the_span = |traces: &Traces| {
        let span = only(traces);
        let expected = format!("00-{}-{}-01", span.trace_id(), span.span_id());
        let notes = std::mem::take(&mut *notes.lock().expect("no test panics here"));
        assert_eq!(notes.len(), 2);
        for note in notes {
            assert_eq!(note.traceparent().as_ref(), Some(&expected), "{traces}");
        }
    };
    in_both_worlds(
        async || {
            let mut future = Box::pin(holds_until(held(), pending()));
            assert!(poll_once(future.as_mut()).is_pending());
            drop(future);
            assert!(TraceContext::current().is_empty());
        },
        |traces| {
            in_the_span(traces);
            only(traces).has_attribute("error.type", "cancelled");
        },
    );
    in_both_worlds(
        async || {
            let panics = async { panic_with("while it holds something") };
            assert!(panic_of(holds_until(held(), panics)).await.is_some());
        },
        |traces| {
            in_the_span(traces);
            only(traces).has_attribute("error.type", "panic");
        },
    );
    in_both_worlds(async || holds_until(held(), async {}).await, in_the_span);
}

#[test]
fn a_handler_that_is_never_polled_makes_no_span() {
    in_both_worlds(async || drop(never_ends()), |traces| assert!(traces.is_empty(), "{traces}"));
}

#[test]
fn a_handler_within_a_handler_ends_as_its_own_and_not_as_the_others() {
    #[async_consumer(link, from = &message())]
    async fn inner() -> Result<(), CardRefused> {
        Err(CardRefused)
    }
    #[async_consumer(link, from = &message())]
    async fn outer() -> bool {
        inner().await.is_err()
    }
    in_both_worlds(
        async || assert!(outer().await),
        |traces| {
            assert_eq!(traces.len(), 2, "{traces}");
            traces.span("inner").is_error_with("the bank said no");
            assert_eq!(traces.span("outer").data().status, Status::Unset);
        },
    );
}

#[test]
fn the_builder_tells_the_same_outcomes() {
    in_both_worlds(
        async || {
            let consume = || throughline::consume("built").link();
            let result: Result<(), CardRefused> =
                consume().run(&message(), async { Err(CardRefused) }).await;
            assert!(result.is_err());
        },
        |traces| failed_as(traces, "CardRefused", "the bank said no"),
    );
    in_both_worlds(
        async || {
            let body = || -> Option<u8> { panic_with("in the builder") };
            let run = AssertUnwindSafe(|| {
                throughline::consume("built").link().run_sync(&message(), body)
            });
            assert!(catch_unwind(run).is_err());
        },
        |traces| {
            only(traces).is_error().has_attribute("error.type", "panic");
        },
    );
    in_both_worlds(
        async || drop(throughline::consume("built").link().start(&message())),
        |traces| {
            only(traces).is_error().has_attribute("error.type", "cancelled");
        },
    );
    in_both_worlds(
        async || {
            let span = throughline::consume("built").link().start(&message());
            span.finish(Outcome::error("card_refused").describe("the bank said no"));
        },
        |traces| failed_as(traces, "card_refused", "the bank said no"),
    );
}

#[test]
fn a_span_that_starts_later_tells_the_same_outcomes_and_runs_the_future_inside() {
    in_both_worlds(
        async || {
            let span = throughline::consume("built").link().read(&message());
            let ended: Result<(), CardRefused> = span.run(async { Err(CardRefused) }).await;
            assert!(ended.is_err());
        },
        |traces| failed_as(traces, "CardRefused", "the bank said no"),
    );
    in_both_worlds(
        async || {
            let span = throughline::consume("built").link().read(&message());
            let inside = span.run(async { Some(TraceContext::current()) }).await;
            assert!(inside.is_some_and(|inside| !inside.is_empty()));
        },
        succeeded,
    );
}
