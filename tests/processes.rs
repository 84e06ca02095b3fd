//! A process of many requests has a top-level trace, whose root ends as soon as it has begun. What
//! is kept of it leads there from every request, and its steps lead back. In both worlds.

use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt, Tracer, TracerProvider};
use opentelemetry_sdk::trace::Sampler;
use throughline::testing::{self, Capture, Traces};
use throughline::{Outcome, Step, TraceContext, Traced, async_consumer, field};
use throughline_tests::{
    SENDER, baggage, current, from, headers, in_both_worlds, in_span, inside_a_poll_loop,
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry, reload};

/// The row of a process that somebody began in another program.
fn begun_elsewhere() -> TraceContext {
    TraceContext::read_from(&from(SENDER))
}

/// A request as an instrumented web framework makes one with OpenTelemetry's API.
fn in_otel_request<R>(body: impl FnOnce() -> R) -> R {
    let span = testing::provider().tracer("web").start("GET /confirm");
    let _attached = Context::current().with_span(span).attach();
    body()
}

/// A request as a middleware makes one with `tracing`.
fn in_tracing_request<R>(body: impl FnOnce() -> R) -> R {
    tracing::info_span!("GET /confirm").in_scope(body)
}

#[track_caller]
fn ended_before_the_next_began(traces: &Traces, span: &str, next: &str) {
    let (span, next) = (traces.span(span).data(), traces.span(next).data());
    assert!(span.end_time <= next.start_time, "{traces}");
}

mod beginning {
    use super::*;

    #[test]
    fn the_root_has_a_trace_of_its_own_and_ends_at_once() {
        in_both_worlds(|capture| {
            let traces = inside_a_poll_loop(capture, || {
                let _ = TraceContext::begin("sign-up");
                in_span("later", || ());
            });
            let root = traces.span("sign-up").is_root().is_kind("internal").status_is_unset();
            root.links_to("poll loop").has_links(1);
            root.has_link_attribute("poll loop", "throughline.link.role", "ambient");
            assert!(root.data().attributes.is_empty(), "{:?}", root.data().attributes);
            assert_ne!(root.trace_id(), traces.span("poll loop").trace_id());
            ended_before_the_next_began(&traces, "sign-up", "later");
        });
    }

    #[test]
    fn what_is_kept_names_the_root_and_nothing_around_it_changes() {
        in_both_worlds(|capture| {
            let mut kept = TraceContext::default();
            let traces = inside_a_poll_loop(capture, || {
                let before = current();
                kept = TraceContext::begin("sign-up");
                assert_eq!(current(), before);
            });
            let root = traces.span("sign-up");
            let root = format!("00-{}-{}-01", root.trace_id(), root.span_id());
            assert_eq!(kept.traceparent(), Some(root));
        });
    }

    #[test]
    fn without_a_span_around_it_there_is_nothing_to_link_to() {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| TraceContext::begin("sign-up"));
            traces.span("sign-up").is_root().has_no_links();
        });
    }

    #[test]
    fn a_handler_can_begin_a_process() {
        #[async_consumer(link)]
        fn invite(message: &[(&str, &str)]) -> TraceContext {
            TraceContext::begin("sign-up")
        }

        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| invite(&[("traceparent", SENDER)]));
            traces.span("sign-up").is_root().links_to("invite").has_links(1);
        });
    }

    #[test]
    fn its_fields_stand_on_the_root() {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                let (id, mail) = (7, "ada@example.org");
                let fields = [("signup.id", field::value(&id)), ("mail", field::display(&mail))];
                TraceContext::begin(Step::new("sign-up").fields(&fields))
            });
            traces
                .span("sign-up")
                .has_attribute("signup.id", 7)
                .has_attribute("mail", "ada@example.org");
        });
    }

    #[test]
    fn a_site_gives_it_a_target_and_declared_fields() {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                let site = throughline::site!(
                    operation: process,
                    function: "sign-up",
                    span: "sign-up",
                    target: "signups",
                    level: INFO,
                    fields: ["signup.id"],
                );
                let id = 7;
                let fields = [("signup.id", field::value(&id))];
                [TraceContext::begin(Step::new(site).fields(&fields)), TraceContext::begin(site)]
            });
            let [one, other] = traces.spans("sign-up")[..] else { panic!("{traces}") };
            let with_id = if one.attribute("signup.id").is_some() { one } else { other };
            with_id.has_attribute("signup.id", 7);
        });
    }

    #[test]
    fn baggage_is_kept_with_it() {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                let message = headers(&[("traceparent", SENDER), ("baggage", "tenant=acme")]);
                let mut handler = throughline::consume("invite").link().start(&message);
                let origin = handler.run_sync(|| TraceContext::begin("sign-up"));
                handler.finish(Outcome::ok());
                assert_eq!(baggage("tenant"), None);
                handle_linked(&Row::with(&origin));
            });
            traces.span("handle_linked").links_to("sign-up").has_attribute("tenant", "acme");
        });
    }

    #[test]
    fn an_unsampled_root_is_linked_to_all_the_same() {
        in_both_worlds(|capture| {
            let mut origin = TraceContext::default();
            let traces = capture.sampler(Sampler::AlwaysOff).run_sync(|| {
                origin = TraceContext::begin("sign-up");
            });
            assert!(traces.is_empty());
            let kept = origin.traceparent().expect("it names the root");
            assert!(kept.ends_with("-00"), "{kept}");

            let traces = Capture::new().run_sync(|| handle_linked(&Row::with(&origin)));
            traces.span("handle_linked").is_root().links_to(&kept);
        });
    }
}

/// The row of a process, as a database has it.
struct Row {
    origin: String,
}

impl Row {
    fn with(origin: &TraceContext) -> Self {
        Self { origin: serde_json::to_string(origin).expect("JSON") }
    }

    fn origin(&self) -> TraceContext {
        serde_json::from_str(&self.origin).expect("a context")
    }
}

#[async_consumer(link, from = &row.origin(), fields(tenant = baggage("tenant")))]
fn handle_linked(row: &Row) {
    throughline::record("tenant", baggage("tenant"));
}

#[async_consumer(continue, from = &row.origin())]
fn handle_continued(row: &Row) {}

mod requests {
    use super::*;

    #[test]
    fn a_handler_of_the_row_links_to_the_root_or_is_its_child() {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                let row = in_span("POST /signups", || Row::with(&TraceContext::begin("sign-up")));
                handle_linked(&row);
                handle_continued(&row);
            });
            traces.span("handle_linked").is_root().links_to("sign-up").has_links(1);
            traces.span("handle_continued").continues("sign-up").has_links(1);
        });
    }

    #[test]
    fn a_tracing_span_links_to_the_root() {
        for activation in [true, false] {
            let capture = Capture::new().with_subscriber(|tracer| {
                let layer = tracing_opentelemetry::layer().with_tracer(tracer);
                Registry::default().with(layer.with_context_activation(activation))
            });
            let traces = capture.run_sync(|| {
                in_tracing_request(|| begun_elsewhere().link_current_span());
            });
            traces.span("GET /confirm").is_root().links_to(SENDER).has_links(1);
        }
    }

    #[test]
    fn so_does_one_with_baggage_around_it() {
        for activation in [true, false] {
            let capture = Capture::new().with_subscriber(|tracer| {
                let layer = tracing_opentelemetry::layer().with_tracer(tracer);
                Registry::default().with(layer.with_context_activation(activation))
            });
            let traces = capture.run_sync(|| {
                let message = headers(&[("baggage", "tenant=acme")]);
                // A handler without a span attaches the baggage alone.
                let mut handler = throughline::consume("import").enabled(false).start(&message);
                handler.run_sync(|| {
                    in_tracing_request(|| {
                        assert_eq!(baggage("tenant").as_deref(), Some("acme"));
                        begun_elsewhere().link_current_span();
                    });
                });
                handler.finish(Outcome::ok());
            });
            traces.span("GET /confirm").links_to(SENDER).has_links(1);
        }
    }

    #[test]
    fn so_does_one_whose_layer_is_behind_reload() {
        let capture = Capture::new().with_subscriber(|tracer| {
            let layer = tracing_opentelemetry::layer().with_tracer(tracer);
            Registry::default().with(reload::Layer::new(layer).0)
        });
        let traces = capture.run_sync(|| {
            in_tracing_request(|| begun_elsewhere().link_current_span());
        });
        traces.span("GET /confirm").links_to(SENDER).has_links(1);
    }

    #[test]
    fn an_opentelemetry_span_links_to_the_root() {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                in_otel_request(|| begun_elsewhere().link_current_span());
            });
            traces.span("GET /confirm").is_root().links_to(SENDER).has_links(1);
        });
    }

    #[test]
    fn the_nearest_span_that_is_recorded_links() {
        in_both_worlds(|capture| {
            let traces = inside_a_poll_loop(capture, || {
                in_otel_request(|| {
                    in_span("load the row", || begun_elsewhere().link_current_span());
                });
            });
            traces.span("load the row").links_to(SENDER);
            traces.span("GET /confirm").has_no_links();
            traces.span("poll loop").has_no_links();
        });

        let capture = with_level(LevelFilter::INFO);
        let traces = capture.run_sync(|| {
            in_tracing_request(|| {
                let _filtered_out = tracing::debug_span!("load the row").entered();
                begun_elsewhere().link_current_span();
            });
        });
        traces.span("GET /confirm").links_to(SENDER).has_links(1);
    }

    #[test]
    fn a_handler_links_to_a_process_it_learns_of_later() {
        #[async_consumer(link)]
        fn find_the_row(message: &Traced<u32>) {
            begun_elsewhere().link_current_span();
        }

        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                find_the_row(&in_span("send", || Traced::new(7)));
            });
            traces.span("find_the_row").links_to("send").links_to(SENDER).has_links(2);
        });
    }

    #[test]
    fn a_request_may_belong_to_several_processes() {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                let processes = [TraceContext::begin("sign-up"), TraceContext::begin("approval")];
                in_span("request", || {
                    for origin in &processes {
                        origin.link_current_span();
                    }
                });
            });
            traces.span("request").links_to("sign-up").links_to("approval").has_links(2);
        });
    }

    #[test]
    fn no_span_links_to_itself_or_to_nothing() {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                in_span("request", || {
                    TraceContext::current().link_current_span();
                    TraceContext::default().link_current_span();
                    let baggage_alone = headers(&[("baggage", "tenant=acme")]);
                    TraceContext::read_from(&baggage_alone).link_current_span();
                });
                // No span is active here.
                begun_elsewhere().link_current_span();
            });
            assert_eq!(traces.len(), 1);
            traces.span("request").has_no_links();
        });
    }
}

mod steps {
    use super::*;

    #[test]
    fn a_step_is_below_the_root_and_links_to_the_request_that_took_it() {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| {
                let row = in_span("POST /signups", || Row::with(&TraceContext::begin("sign-up")));
                in_span("GET /confirm", || {
                    let origin = row.origin();
                    origin.link_current_span();
                    origin.add_step("confirm e-mail");
                    in_span("later", || ());
                });
            });
            traces.assert_tree(
                "
                trace A
                  POST /signups                      producer
                trace B
                  sign-up                            internal   links to A/POST /signups (ambient)
                    confirm e-mail                   internal   links to C/GET /confirm (ambient)
                trace C
                  GET /confirm                       producer   links to B/sign-up
                    later                            producer
                ",
            );
            let step = traces.span("confirm e-mail").status_is_unset();
            assert!(step.data().attributes.is_empty(), "{:?}", step.data().attributes);
            ended_before_the_next_began(&traces, "confirm e-mail", "later");
        });
    }

    #[test]
    fn a_step_has_fields_and_changes_nothing_around_it() {
        in_both_worlds(|capture| {
            let traces = inside_a_poll_loop(capture, || {
                let before = current();
                let role = "legal";
                let fields = [("role", field::value(role))];
                begun_elsewhere().add_step(Step::new("approve").fields(&fields));
                assert_eq!(current(), before);
            });
            traces.span("approve").is_child_of(SENDER).has_attribute("role", "legal");
        });
    }

    #[test]
    fn without_a_request_there_is_nothing_to_link_to() {
        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| begun_elsewhere().add_step("time is up"));
            traces.span("time is up").is_child_of(SENDER).has_no_links();
        });
    }

    #[test]
    fn a_continued_request_is_linked_although_it_is_in_the_same_trace() {
        #[async_consumer(continue, from = origin)]
        fn confirm(origin: &TraceContext) {
            origin.add_step("confirm e-mail");
        }

        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| confirm(&begun_elsewhere()));
            let step = traces.span("confirm e-mail").is_child_of(SENDER);
            step.links_to("confirm").has_links(1);
        });
    }

    #[test]
    fn a_step_does_not_link_to_its_own_parent() {
        #[async_consumer(continue, from = origin, enabled = false)]
        fn passes_through(origin: &TraceContext) {
            assert_eq!(current().as_deref(), Some(SENDER));
            origin.add_step("confirm e-mail");
        }

        in_both_worlds(|capture| {
            let traces = capture.run_sync(|| passes_through(&begun_elsewhere()));
            traces.span("confirm e-mail").is_child_of(SENDER).has_no_links();
        });
    }

    #[test]
    fn where_there_is_no_top_level_trace_there_is_no_step() {
        in_both_worlds(|capture| {
            let traces = inside_a_poll_loop(capture, || {
                TraceContext::default().add_step("confirm e-mail");
                let baggage_alone = headers(&[("baggage", "tenant=acme")]);
                TraceContext::read_from(&baggage_alone).add_step("confirm e-mail");
            });
            assert_eq!(traces.len(), 1, "{traces}");
        });
    }

    #[test]
    fn a_step_is_sampled_as_the_root_was() {
        in_both_worlds(|capture| {
            let mut origin = TraceContext::default();
            Capture::new().sampler(Sampler::AlwaysOff).run_sync(|| {
                origin = TraceContext::begin("sign-up");
            });
            let traces = inside_a_poll_loop(capture, || origin.add_step("confirm e-mail"));
            assert_eq!(traces.len(), 1, "{traces}");
        });
    }

    /// In `tracing` too: the fields of the request do not stand in the step's log lines.
    #[test]
    fn neither_root_nor_step_is_under_the_request_in_tracing() {
        let log = log::Log::default();
        let lines = log.clone();
        let capture = Capture::new().with_subscriber(|tracer| {
            let formatter = tracing_subscriber::fmt::layer()
                .with_writer(log)
                .with_ansi(false)
                .without_time()
                .with_span_events(FmtSpan::CLOSE);
            let bridge = tracing_opentelemetry::layer().with_tracer(tracer);
            Registry::default().with(bridge).with(formatter)
        });
        let _ = capture.run_sync(|| {
            in_tracing_request(|| {
                let origin = TraceContext::begin("sign-up");
                origin.add_step("confirm e-mail");
            });
        });
        let lines = lines.lines();
        for name in ["sign-up", "confirm e-mail"] {
            let closed = lines.iter().find(|line| line.contains(name)).expect("it closed");
            assert!(!closed.contains("GET /confirm"), "{closed}");
        }
    }
}

mod log {
    use std::io;
    use std::sync::{Arc, Mutex};

    /// What a log formatter has written.
    #[derive(Clone, Default)]
    pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

    impl Log {
        pub(crate) fn lines(&self) -> Vec<String> {
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

    impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }
}

/// A bridge that listens to spans of `level` only.
fn with_level(level: LevelFilter) -> Capture {
    Capture::new().with_subscriber(|tracer| {
        Registry::default().with(level).with(tracing_opentelemetry::layer().with_tracer(tracer))
    })
}

/// A bridge from which spans below `level` are hidden, and another layer that wants them.
fn hidden_below(level: LevelFilter) -> Capture {
    Capture::new().with_subscriber(|tracer| {
        let bridge = tracing_opentelemetry::layer().with_tracer(tracer).with_filter(level);
        let log = tracing_subscriber::fmt::layer().with_writer(std::io::sink);
        Registry::default().with(bridge).with(log)
    })
}

mod without_a_span {
    use super::*;

    /// With baggage around, and a loop whose span must not be taken for the process.
    #[track_caller]
    fn nothing_is_made(capture: Capture) {
        let traces = capture.run_sync(|| {
            let message = headers(&[("traceparent", SENDER), ("baggage", "tenant=acme")]);
            let mut handler = throughline::consume("invite").enabled(false).start(&message);
            handler.run_sync(|| {
                let _poll_loop = tracing::error_span!("poll loop").entered();
                let origin = TraceContext::begin("sign-up");
                assert_eq!(origin.traceparent(), None, "no false origin");
                assert!(!origin.is_empty(), "the baggage is kept");
                begun_elsewhere().add_step("confirm e-mail");
            });
            handler.finish(Outcome::ok());
        });
        assert_eq!(traces.len(), 1, "{traces}");
        traces.span("poll loop").has_no_links();
    }

    #[test]
    fn filtered_out_for_everybody() {
        nothing_is_made(with_level(LevelFilter::WARN));
    }

    #[test]
    fn hidden_from_the_bridge() {
        nothing_is_made(hidden_below(LevelFilter::WARN));
    }

    #[test]
    fn a_level_of_its_own_decides() {
        let traces = with_level(LevelFilter::INFO).run_sync(|| {
            let origin = TraceContext::begin("sign-up");
            origin.add_step(throughline::site!(
                operation: process,
                function: "remind",
                span: "remind",
                target: "signups",
                level: DEBUG,
                fields: [],
            ));
        });
        assert_eq!(traces.len(), 1, "{traces}");
        traces.span("sign-up").is_root();
    }

    #[test]
    fn suppressed_telemetry_makes_none() {
        in_both_worlds(|capture| {
            let traces = inside_a_poll_loop(capture, || {
                let _suppressed = Context::enter_telemetry_suppressed_scope();
                let origin = TraceContext::begin("sign-up");
                assert_eq!(origin.traceparent(), None, "no false origin");
                begun_elsewhere().add_step("confirm e-mail");
            });
            assert_eq!(traces.len(), 1, "{traces}");
            traces.span("poll loop").is_root();
        });
    }
}
