//! `err`: a failure is told in one event inside the span.

use std::fmt;
use std::sync::{Arc, Mutex};

use throughline::testing::Capture;
use throughline::{
    IntoOutcome, Outcome, TaskFn as _, TraceContext, async_consumer, async_producer, async_task,
};
use throughline_tests::{Headers, Log, SENDER, from};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt as _};

use crate::with_a_log;

struct Refused(u32);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused with {}", self.0)
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refused {{ code: {}, cause: .. }}", self.0)
    }
}

#[async_consumer(link, destination = "orders")]
fn by_default(message: &Headers) -> Result<(), Refused> {
    if message.is_empty() { Ok(()) } else { Err(Refused(402)) }
}

#[async_consumer(link, err)]
fn by_display(message: &Headers) -> Result<(), Refused> {
    by_default(message)
}

#[async_consumer(link, err = debug)]
fn by_debug(message: &Headers) -> Result<(), Refused> {
    Err(Refused(u32::try_from(message.len()).unwrap_or_default()))
}

#[async_consumer(link, err = off)]
fn silent(message: &Headers) -> Result<(), Refused> {
    Err(Refused(u32::try_from(message.len()).unwrap_or_default()))
}

#[async_consumer(link)]
fn panicking(message: &Headers) {
    assert!(message.is_empty());
}

#[async_consumer(link, target = "shop::cards")]
fn elsewhere(message: &Headers) -> Result<(), String> {
    Err(message.len().to_string())
}

#[async_producer(destination = "orders")]
fn publish(message: &mut Headers) -> Result<(), String> {
    Err(message.len().to_string())
}

#[test]
fn a_failure_is_one_line_with_type_and_words() {
    with_a_log(|capture| {
        let (traces, lines) = capture(&mut || drop(by_default(&from(SENDER))));
        assert_eq!(
            lines,
            ["ERROR process orders{otel.kind=\"consumer\"}: options::failure_event: failed \
              exception.type=\"Refused\" exception.message=\"refused with 402\""]
        );
        traces.span("process orders").is_error_with("refused with 402");

        let (traces, lines) = capture(&mut || drop(by_default(&Headers::new())));
        assert_eq!(lines, [""; 0]);
        traces.span("process orders").status_is_unset();
    });
}

#[test]
fn the_words_are_those_that_were_asked_for() {
    with_a_log(|capture| {
        let (traces, lines) = capture(&mut || drop(by_debug(&from(SENDER))));
        assert!(lines[0].ends_with("exception.message=\"Refused { code: 1, cause: .. }\""));
        assert_eq!(lines.len(), 1);
        // The span's own words stay short.
        traces.span("by_debug").is_error_with("refused with 1");

        let (traces, lines) = capture(&mut || drop(silent(&from(SENDER))));
        assert_eq!(lines, [""; 0]);
        traces.span("silent").is_error_with("refused with 1");

        let (_, lines) = capture(&mut || drop(by_display(&from(SENDER))));
        assert_eq!(lines.len(), 2, "one for each of the two handlers");
        assert!(lines[1].contains("by_display") && lines[1].ends_with("\"refused with 402\""));
    });
}

#[test]
fn a_panic_and_a_cancellation_are_told_as_well() {
    with_a_log(|capture| {
        let (_, lines) = capture(&mut || {
            let handled = std::panic::catch_unwind(|| panicking(&from(SENDER)));
            assert!(handled.is_err());
        });
        assert_eq!(lines.len(), 1);
        assert!(lines[0].ends_with("failed exception.type=\"panic\""), "{}", lines[0]);

        let (_, lines) = capture(&mut || {
            drop(throughline::consume("dropped").start(&TraceContext::default()));
        });
        assert!(lines[0].ends_with("failed exception.type=\"cancelled\""), "{}", lines[0]);
    });
}

#[test]
fn what_fails_to_be_sent_is_a_warning() {
    with_a_log(|capture| {
        let (_, lines) = capture(&mut || drop(publish(&mut Headers::new())));
        assert_eq!(lines.len(), 1);
        assert!(lines[0].trim_start().starts_with("WARN send orders"), "{}", lines[0]);
    });
}

#[async_task(link, fields(image = "cat"))]
fn resize() -> Result<(), Refused> {
    Err(Refused(413))
}

#[async_task(link, err = off)]
fn resize_silently() -> Result<(), Refused> {
    Err(Refused(413))
}

/// It is no messaging operation: the event is an exception like any other.
#[test]
fn a_task_tells_its_failure_too() {
    with_a_log(|capture| {
        let (traces, lines) = capture(&mut || drop(resize()));
        assert_eq!(
            lines,
            ["ERROR resize{otel.kind=\"internal\" image=\"cat\"}: options::failure_event: failed \
              exception.type=\"Refused\" exception.message=\"refused with 413\""]
        );
        traces.span("resize").is_error_with("refused with 413");

        let (_, lines) = capture(&mut || drop(resize_silently()));
        assert_eq!(lines, [""; 0]);
        let (_, lines) = capture(&mut || {
            let task = throughline::task("by hand").failure_event(false);
            assert!(task.run_sync(|| "x".parse::<u8>()).is_err());
        });
        assert_eq!(lines, [""; 0]);

        // What has a name alone is known by the target of all such.
        let (_, lines) = capture(&mut || drop((|| "x".parse::<u8>()).continued("parse")()));
        assert_eq!(
            lines,
            ["ERROR task{otel.name=\"parse\" otel.kind=\"internal\"}: throughline: failed \
              exception.type=\"ParseIntError\""]
        );
    });

    let log = Log::default();
    let names =
        Capture::new().with_subscriber(|_| tracing_subscriber::registry().with(Names(log.clone())));
    names.run_sync(|| {
        drop(resize());
        throughline::task("by name").run_sync(|| Err::<(), _>("no"))
    });
    assert_eq!(log.lines(), ["exception"; 2]);
}

/// Writes the name of each event, which no formatter prints.
struct Names(Log);

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Names {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        use std::io::Write as _;

        writeln!(self.0.clone(), "{}", event.metadata().name()).expect("it is in memory");
    }
}

#[test]
fn a_producer_can_be_silent_too() {
    #[async_producer(destination = "orders", err = off)]
    fn publish_silently(message: &mut Headers) -> Result<(), String> {
        Err(message.len().to_string())
    }

    with_a_log(|capture| {
        let (traces, lines) = capture(&mut || drop(publish_silently(&mut Headers::new())));
        assert_eq!(lines, [""; 0]);
        traces.span("send orders").is_error();
    });
}

#[test]
fn the_event_is_named_as_the_conventions_have_it_and_filtered_by_the_handlers_target() {
    let log = Log::default();
    let only = |target: &'static str| {
        let log = log.clone();
        Capture::new().with_subscriber(move |_| {
            tracing_subscriber::registry()
                .with(tracing_subscriber::EnvFilter::new(format!("{target}=error")))
                .with(tracing_subscriber::fmt::layer().with_writer(log).json())
        })
    };
    only("options").run_sync(|| elsewhere(&from(SENDER)));
    assert_eq!(log.lines(), [""; 0]);
    only("shop").run_sync(|| elsewhere(&from(SENDER)));
    assert_eq!(log.lines().len(), 1);
    assert!(log.lines()[0].contains(r#""target":"shop::cards""#), "{}", log.lines()[0]);
}

/// The bridge copies every event onto its span, under the event's message; the span's own status
/// stands all the same.
#[test]
fn through_a_bridge_the_event_stands_on_the_span_too() {
    let traces = Capture::new().run_sync(|| by_default(&from(SENDER)));
    let span = traces.span("process orders").is_error_with("refused with 402");
    let [event] = span.events() else { panic!("one event, not {:?}", span.events()) };
    assert_eq!(event.name, "failed");
    let has = |key: &str, value: &str| {
        event.attributes.iter().any(|it| it.key.as_str() == key && it.value.as_str() == value)
    };
    assert!(has("exception.type", "Refused") && has("exception.message", "refused with 402"));

    let traces = Capture::new().without_tracing().run_sync(|| by_default(&from(SENDER)));
    assert!(traces.span("process orders").events().is_empty());
}

/// A log of errors alone wants no spans, and all the same to know of failures.
#[test]
fn a_failure_is_told_where_a_filter_keeps_the_span_out() {
    for bridged in [true, false] {
        let log = Log::default();
        let capture = Capture::new().with_subscriber(|tracer| {
            let layer = bridged.then(|| tracing_opentelemetry::layer().with_tracer(tracer));
            let formatter = tracing_subscriber::fmt::layer().with_writer(log.clone());
            let errors = tracing_subscriber::filter::LevelFilter::ERROR;
            tracing_subscriber::registry().with(errors).with(layer).with(formatter)
        });
        capture.run_sync(|| drop(by_default(&from(SENDER))));
        let lines = log.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("refused with 402"), "{lines:?}");
    }
}

#[test]
fn the_event_of_a_handler_and_that_of_a_producer_have_their_own_names() {
    #[derive(Clone, Default)]
    struct Names(Arc<Mutex<Vec<&'static str>>>);
    impl<S: tracing::Subscriber> Layer<S> for Names {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            self.0.lock().expect("nobody panicked").push(event.metadata().name());
        }
    }

    let names = Names::default();
    let layer = names.clone();
    Capture::new().with_subscriber(|_| tracing_subscriber::registry().with(layer)).run_sync(|| {
        drop(by_default(&from(SENDER)));
        drop(publish(&mut Headers::new()));
    });
    let told = names.0.lock().expect("nobody panicked");
    assert_eq!(*told, ["messaging.process.exception", "messaging.send.exception"]);
}

/// Says itself what it is, and can be displayed and debugged as well.
#[derive(Debug)]
struct Declined {
    code: u32,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "declined with {}", self.code)
    }
}

impl IntoOutcome for Declined {
    fn outcome(&self) -> Outcome {
        Outcome::error("declined").describe("by the bank")
    }
}

#[test]
fn the_words_that_were_asked_for_go_before_those_of_the_error_in_the_log_alone() {
    #[async_consumer(link)]
    fn its_own(message: &Headers) -> Result<(), Declined> {
        if message.is_empty() { Ok(()) } else { Err(Declined { code: 402 }) }
    }
    #[async_consumer(link, err = display)]
    fn displayed(message: &Headers) -> Result<(), Declined> {
        if message.is_empty() { Ok(()) } else { Err(Declined { code: 402 }) }
    }
    #[async_consumer(link, err = debug)]
    fn debugged(message: &Headers) -> Result<(), Declined> {
        if message.is_empty() { Ok(()) } else { Err(Declined { code: 402 }) }
    }

    type Handler = fn(&Headers) -> Result<(), Declined>;
    let expected: [(&str, Handler, &str); 3] = [
        ("its_own", its_own, "by the bank"),
        ("displayed", displayed, "declined with 402"),
        ("debugged", debugged, "Declined { code: 402 }"),
    ];
    with_a_log(|capture| {
        for (name, handler, words) in expected {
            let (traces, lines) = capture(&mut || drop(handler(&from(SENDER))));
            let end = format!("exception.type=\"declined\" exception.message=\"{words}\"");
            assert!(lines[0].ends_with(&end), "{lines:?}");
            traces.span(name).is_error_with("by the bank").has_attribute("error.type", "declined");
        }
    });
}

#[test]
fn a_handler_within_a_handler_of_the_same_message_is_silent_as_well_if_it_is_to_be() {
    #[async_consumer(link, err = off)]
    fn around(message: &Headers) -> Result<(), Refused> {
        silent(message)
    }

    with_a_log(|capture| {
        let (traces, lines) = capture(&mut || drop(around(&from(SENDER))));
        assert_eq!(lines, [""; 0]);
        traces.span("silent").is_kind("internal").is_error_with("refused with 1");
    });
}

#[test]
fn a_handler_that_is_switched_off_tells_no_failure() {
    #[async_consumer(link, enabled = false)]
    fn switched_off(message: &Headers) -> Result<(), String> {
        Err(message.len().to_string())
    }

    with_a_log(|capture| {
        let (_, lines) = capture(&mut || drop(switched_off(&from(SENDER))));
        assert_eq!(lines, [""; 0]);
    });
}
