//! A task relates to whoever called it, wherever and however late it runs. Both worlds.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use opentelemetry_sdk::trace::Sampler;
use throughline::testing::{Capture, Traces};
use throughline::{
    IntoOutcome, Outcome, Relation, TaskFn, TaskFuture, TraceContext, Traced, async_consumer,
    async_producer, async_task,
};
use throughline_tests::{
    Headers, SENDER, UNSAMPLED_SENDER, baggage, current, current_trace, from, headers,
    in_both_worlds, in_span, work_for,
};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

#[async_task(continue)]
async fn resize(image: &'static str) -> usize {
    tokio::task::yield_now().await;
    in_span("write", || image.len())
}

#[async_task(link)]
async fn mail(address: &'static str) -> usize {
    tokio::task::yield_now().await;
    in_span("send", || address.len())
}

/// What both of them make where the request that called them is answered and gone.
const TREE: &str = "
trace A
  request                            internal
    resize                           internal
      write                          producer
trace B
  mail                               internal   links to A/request
    send                             producer
";

/// Runs `body` on a runtime of one thread, in both worlds.
fn on_one_thread(body: impl AsyncFn(), check: impl Fn(&Traces)) {
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        check(&runtime.block_on(capture.run(body())));
    }
}

/// Runs `body` on a runtime of many threads, in both worlds.
fn on_many_threads(body: impl AsyncFn(), check: impl Fn(&Traces)) {
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        check(&many_threads().block_on(capture.run(body())));
    }
}

fn many_threads() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime")
}

fn request<R>(body: impl FnOnce() -> R) -> R {
    throughline::task("request").run_sync(|| Some(body())).expect("it ran")
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

// Wherever a task runs.

#[test]
fn spawned_with_no_other_change() {
    let spawned = async || {
        let (one, other) =
            request(|| (tokio::spawn(resize("cat")), tokio::spawn(mail("ann@shop"))));
        assert_eq!((one.await.expect("it ran"), other.await.expect("it ran")), (3, 8));
    };
    on_one_thread(spawned, |traces| traces.assert_tree(TREE));
    on_many_threads(spawned, |traces| traces.assert_tree(TREE));
}

#[test]
fn in_a_join_set() {
    let joined = async || {
        let mut tasks = JoinSet::new();
        request(|| {
            tasks.spawn(resize("cat"));
            tasks.spawn(mail("ann@shop"));
        });
        assert_eq!(tasks.join_all().await.len(), 2);
    };
    on_one_thread(joined, |traces| traces.assert_tree(TREE));
    on_many_threads(joined, |traces| traces.assert_tree(TREE));
}

#[test]
fn in_a_queue_of_futures_that_is_worked_off_under_another_span() {
    type Queued = Pin<Box<dyn Future<Output = usize> + Send>>;
    on_one_thread(
        async || {
            let mut queue = VecDeque::<Queued>::new();
            request(|| {
                queue.push_back(Box::pin(resize("cat")));
                queue.push_back(Box::pin(mail("ann@shop")));
            });
            let mut worker = throughline::consume("worker").link().start(&TraceContext::default());
            let work_off = async {
                while let Some(task) = queue.pop_front() {
                    task.await;
                }
            };
            worker.run(work_off).await;
            worker.finish(Outcome::ok());
        },
        |traces| {
            traces.span("resize").is_child_of("request").has_no_links();
            traces.span("mail").is_root().links_to("request").has_links(1);
            traces.span("write").is_child_of("resize");
            traces.span("send").is_child_of("mail");
            traces.span("worker").is_root();
            assert_eq!(traces.len(), 6, "{traces}");
        },
    );
}

#[test]
fn awaited_in_the_request_itself() {
    on_one_thread(
        async || {
            let mut request = throughline::task("request").start();
            let awaited = async {
                resize("cat").await;
                mail("ann@shop").await;
                current()
            };
            let after = request.run(awaited).await.expect("the request goes on");
            assert!(request.run_sync(current).is_some_and(|inside| inside == after));
            request.finish(Outcome::ok());
        },
        |traces| traces.assert_tree(TREE),
    );
}

#[test]
fn closures_on_a_thread_and_in_spawn_blocking() {
    #[async_task(continue)]
    fn resize_now(image: &'static str) -> usize {
        in_span("write", || image.len())
    }

    fn check(traces: &Traces) {
        traces.span("on a thread").is_child_of("request").has_no_links().is_kind("internal");
        traces.span("resize_now").is_child_of("on a thread");
        traces.span("in blocking").is_root().links_to("request").has_links(1);
        traces.span("write").is_child_of("resize_now");
        assert_eq!(traces.len(), 5, "{traces}");
    }
    let spawned = async || {
        let image = String::from("cat");
        let (on_a_thread, in_blocking) = request(|| {
            (
                thread::spawn((|| resize_now("cat")).continued("on a thread")),
                tokio::task::spawn_blocking((move || image.len()).linked("in blocking")),
            )
        });
        assert_eq!(on_a_thread.join().expect("it ran"), 3);
        assert_eq!(in_blocking.await.expect("it ran"), 3);
    };
    on_one_thread(spawned, check);
    on_many_threads(spawned, check);
}

#[test]
fn futures_and_closures_by_one_import() {
    fn doubled() -> u8 {
        2
    }

    fn generic<F: Future<Output = u8> + Send + 'static>(
        future: F,
    ) -> impl Future<Output = u8> + Send + 'static {
        future.continued("generic")
    }

    fn generic_closure<R: Send>(closure: impl FnOnce() -> R + Send) -> impl FnOnce() -> R + Send {
        closure.linked("generic_closure")
    }

    on_one_thread(
        async || {
            let local = std::rc::Rc::new(1);
            let boxed: Pin<Box<dyn Future<Output = u8>>> = Box::pin(async { 4 });
            let boxed_closure: Box<dyn FnOnce() -> u8> = Box::new(|| 5);
            let (futures, closures) = request(|| {
                let futures = (
                    async move { *local }.continued("async block"),
                    resize("cat").linked("of a task"),
                    boxed.continued("boxed"),
                    generic(std::future::ready(6)),
                );
                let closures = (
                    (|| doubled()).continued("closure"),
                    doubled.linked("function"),
                    boxed_closure.linked("boxed closure"),
                    generic_closure(|| 7),
                );
                (futures, closures)
            });
            assert_eq!(futures.0.await, 1);
            assert_eq!(futures.1.await, 3);
            assert_eq!(futures.2.await, 4);
            assert_eq!(futures.3.await, 6);
            assert_eq!(closures.0() + closures.1() + closures.2() + closures.3(), 2 + 2 + 5 + 7);
        },
        |traces| {
            for name in ["async block", "boxed", "generic", "closure"] {
                traces.span(name).is_child_of("request").has_no_links();
            }
            for name in ["of a task", "function", "boxed closure", "generic_closure"] {
                traces.span(name).is_root().links_to("request");
            }
            // Called in the request as well.
            traces.span("resize").is_child_of("request");
        },
    );
}

#[test]
fn many_tasks_of_one_description() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let part = request(|| throughline::task("part").continue_().name("a part"));
            thread::scope(|scope| {
                for _ in 0..2 {
                    let part = part.clone();
                    scope.spawn(move || part.run_sync(|| in_span("inside", || ())));
                }
            });
        });
        traces.assert_tree(
            "
trace A
  request                            internal
    a part                           internal
      inside                         producer
    a part                           internal
      inside                         producer
",
        );
    });
}

// What it relates to.

#[test]
fn the_span_says_what_it_is() {
    on_one_thread(
        async || {
            let (one, other) = request(|| (resize("cat"), mail("ann@shop")));
            one.await;
            other.await;
            async {}.continued("by name").await;
        },
        |traces| {
            let resize = traces.span("resize");
            resize
                .is_kind("internal")
                .has_attribute("code.function.name", concat!(module_path!(), "::resize"))
                .has_attribute("throughline.relation.kind", "continue")
                .has_no_attribute("throughline.relation.reason");
            let keys = resize.data().attributes.iter().map(|it| it.key.as_str());
            assert_eq!(keys.filter(|key| key.starts_with("messaging.")).count(), 0);
            traces.span("mail").has_attribute("throughline.relation.kind", "link");
            traces.span("by name").has_attribute("code.function.name", "by name");
        },
    );
}

#[test]
fn without_a_caller_it_is_a_root_without_links_and_says_so() {
    on_one_thread(
        async || {
            resize("cat").await;
            mail("ann@shop").await;
        },
        |traces| {
            for (name, kind) in [("resize", "continue"), ("mail", "link")] {
                traces
                    .span(name)
                    .is_root()
                    .has_no_links()
                    .has_attribute("throughline.relation.kind", kind)
                    .has_attribute("throughline.relation.reason", "no_context");
            }
        },
    );
}

#[test]
fn without_a_caller_the_span_around_the_poll_is_not_taken_for_it() {
    on_one_thread(
        async || {
            let tasks = (resize("cat"), mail("ann@shop"));
            let mut around = throughline::task("around").start();
            around.run(async { (tasks.0.await, tasks.1.await) }).await;
            around.finish(Outcome::ok());
        },
        |traces| {
            traces.span("resize").is_root().has_no_links();
            traces.span("mail").is_root().has_no_links();
        },
    );
}

#[test]
fn a_relation_chosen_at_run_time() {
    #[async_task(mode = relation)]
    async fn chosen(relation: Relation, name: &'static str) -> Option<String> {
        in_span(name, || baggage("tenant"))
    }

    on_one_thread(
        async || {
            let message = headers(&[("traceparent", SENDER), ("baggage", "tenant=acme")]);
            let tasks = throughline::consume("handler").continue_().run_sync(&message, || {
                Some([
                    chosen(Relation::CONTINUE, "continued"),
                    chosen(Relation::LINK, "linked"),
                    chosen(Relation::LINK.nested(), "nested"),
                    chosen(Relation::IGNORE, "ignored"),
                ])
            });
            let mut tenants = Vec::new();
            for task in tasks.expect("it ran") {
                tenants.push(task.await);
            }
            let acme = Some("acme".to_owned());
            assert_eq!(tenants, [acme.clone(), acme.clone(), acme, None]);
        },
        |traces| {
            let chosen = |inner: &str| {
                let parent = traces.span(inner).data().parent_span_id;
                *traces.all().iter().find(|span| span.span_id() == parent).expect("it has one")
            };
            chosen("continued").is_child_of("handler").has_no_links();
            chosen("linked").is_root().links_to("handler").has_links(1);
            chosen("nested").is_root().links_to("handler").has_links(1);
            chosen("ignored")
                .is_root()
                .has_no_links()
                .has_attribute("throughline.relation.kind", "ignore")
                .has_no_attribute("throughline.relation.reason");
        },
    );
}

#[test]
fn baggage_is_kept_by_both_relations_also_on_another_thread() {
    fn tenant() -> Option<String> {
        baggage("tenant")
    }

    #[async_task(link)]
    async fn linked() -> Option<String> {
        tokio::task::yield_now().await;
        tenant()
    }

    on_many_threads(
        async || {
            let message = headers(&[("traceparent", SENDER), ("baggage", "tenant=acme")]);
            let tasks = throughline::consume("handler").link().run_sync(&message, || {
                let on_a_thread = thread::spawn(tenant.linked("on a thread"));
                let continued = tokio::spawn(async { tenant() }.continued("continued"));
                Some((tokio::spawn(linked()), continued, on_a_thread))
            });
            let (linked, continued, on_a_thread) = tasks.expect("it ran");
            assert_eq!(linked.await.expect("it ran").as_deref(), Some("acme"));
            assert_eq!(continued.await.expect("it ran").as_deref(), Some("acme"));
            assert_eq!(on_a_thread.join().expect("it ran").as_deref(), Some("acme"));
        },
        |traces| {
            traces.span("linked").is_root();
        },
    );
}

#[test]
fn baggage_without_a_span_is_kept_as_well() {
    use opentelemetry::KeyValue;
    use opentelemetry::baggage::BaggageExt as _;

    on_one_thread(
        async || {
            let task = {
                let context = opentelemetry::Context::new();
                let context = context.with_baggage([KeyValue::new("tenant", "acme")]);
                let _attached = context.attach();
                async { baggage("tenant") }.continued("alone")
            };
            assert_eq!(task.await.as_deref(), Some("acme"));
        },
        |traces| {
            traces.span("alone").has_attribute("throughline.relation.reason", "no_context");
        },
    );
}

#[test]
fn its_caller_has_ended_by_then_and_nothing_keeps_it_open() {
    in_both_worlds(|capture| {
        let mut task = None;
        let traces = capture.run_sync(|| {
            tracing::info_span!("in tracing").in_scope(|| task = Some(resize("cat")));
        });
        // The capture is over and the task still waits: an open span would be missing.
        assert!(format!("{traces:?}").ends_with("open: [] }"), "{traces:?}");
        drop(task);
    });
}

#[test]
fn a_span_that_ends_when_it_is_dropped_ends_before_the_task_that_it_called() {
    use opentelemetry::trace::{TraceContextExt as _, Tracer as _, TracerProvider as _};

    let application = throughline::testing::provider().tracer("application");
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let task = {
                let span = application.start("by hand");
                let _attached = opentelemetry::Context::new().with_span(span).attach();
                (|| work_for(Duration::from_millis(2))).continued("late")
            };
            task();
        });
        let (caller, late) = (traces.span("by hand").data(), traces.span("late").data());
        assert!(caller.end_time <= late.start_time, "{traces:?}");
        traces.span("late").is_child_of("by hand");
    });
}

// Where the span is not made.

#[test]
fn an_unsampled_caller_is_continued_without_a_span_and_linked_to_with_one() {
    on_one_thread(
        async || {
            let tasks = throughline::consume("handler").continue_();
            let (continued, linked) = tasks
                .run_sync(&from(UNSAMPLED_SENDER), || {
                    Some((
                        async { current() }.continued("continued"),
                        async { current() }.linked("linked"),
                    ))
                })
                .expect("it ran");
            let continued = continued.await.expect("a context is there");
            assert_eq!(continued[3..35], UNSAMPLED_SENDER[3..35]);
            assert!(continued.ends_with("-00"));
            let linked = linked.await.expect("a context is there");
            assert_ne!(linked[3..35], UNSAMPLED_SENDER[3..35]);
        },
        |traces| {
            traces.span("linked").is_root().has_links(1);
            assert_eq!(traces.len(), 1, "{traces}");
        },
    );
}

#[test]
fn a_linked_task_that_is_not_sampled_does_not_fall_under_its_caller() {
    in_both_worlds(|capture| {
        capture.sampler(Sampler::AlwaysOff).run_sync(|| {
            in_span("caller", || {
                let (around, inside) = (current(), current.linked("linked")());
                let (around, inside) = (around.expect("a caller"), inside.expect("a task"));
                assert_ne!(around[3..35], inside[3..35]);
            });
        });
    });
}

#[async_task(continue, level = "trace")]
async fn detail() -> String {
    in_span("inside detail", current_trace)
}

#[async_task(link, level = "trace")]
async fn linked_detail() -> String {
    in_span("inside linked detail", current_trace)
}

#[async_task(continue, enabled = on)]
async fn switched(on: bool) -> String {
    in_span("inside switched", current_trace)
}

#[test]
fn filtered_out_it_lets_the_context_pass() {
    use tracing_subscriber::layer::SubscriberExt as _;

    let capture = Capture::new().with_subscriber(|tracer| {
        tracing_subscriber::registry()
            .with(tracing_subscriber::filter::LevelFilter::INFO)
            .with(tracing_opentelemetry::layer().with_tracer(tracer))
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let traces = runtime.block_on(capture.run(async {
        let (detail, linked, switched) = request(|| (detail(), linked_detail(), switched(false)));
        let mut around = throughline::task("around").start();
        around
            .run(async {
                detail.await;
                linked.await;
                switched.await;
            })
            .await;
        around.finish(Outcome::ok());
    }));
    traces.span("inside detail").is_child_of("request");
    traces.span("inside switched").is_child_of("request");
    traces.span("inside linked detail").is_root();
    assert_eq!(traces.len(), 5, "{traces}");
}

#[test]
fn called_where_telemetry_is_suppressed_it_makes_no_span_wherever_it_runs() {
    use opentelemetry::Context;

    on_many_threads(
        async || {
            let (here, there) = {
                let _suppressed = Context::enter_telemetry_suppressed_scope();
                let look = || {
                    let suppressed = Context::is_current_telemetry_suppressed();
                    in_span("inside", || suppressed)
                };
                (async move { look() }.continued("here"), thread::spawn(look.linked("there")))
            };
            assert!(here.await, "what it does is not traced either");
            assert!(there.join().expect("it ran"));
            let polled = async { in_span("inside", || ()) }.continued("polled");
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            assert!(poll_once(std::pin::pin!(polled)).is_ready());
        },
        |traces| assert!(traces.is_empty(), "{traces}"),
    );
}

#[test]
fn suppressed_telemetry_is_known_where_the_caller_is_known_to_tracing_alone() {
    use tracing_subscriber::layer::SubscriberExt as _;

    let capture = Capture::new().with_subscriber(|tracer| {
        let layer = tracing_opentelemetry::layer().with_tracer(tracer);
        tracing_subscriber::registry().with(layer.with_context_activation(false))
    });
    let traces = capture.run_sync(|| {
        let task = tracing::info_span!("request").in_scope(|| {
            let _suppressed = opentelemetry::Context::enter_telemetry_suppressed_scope();
            (|| ()).continued("suppressed")
        });
        task();
        tracing::info_span!("request").in_scope(|| (|| ()).continued("task"))();
    });
    traces.span("task").is_child_of("request");
    assert_eq!(traces.len(), 3, "{traces}");
}

// In the log.

#[test]
fn in_tracing_it_has_no_parent_so_that_it_keeps_none_open() {
    let mut begun = None;
    let traces = Capture::new().run_sync(|| {
        begun = tracing::info_span!("request").in_scope(|| {
            let mut task = Box::pin(std::future::pending::<()>().continued("task"));
            assert!(poll_once(task.as_mut()).is_pending());
            Some(task)
        });
    });
    traces.span("request").is_root();
    assert!(format!("{traces:?}").ends_with(r#"open: ["task"] }"#), "{traces:?}");
    drop(begun);
}

// Inside a handler.

#[async_producer(destination = "thumbnails")]
async fn publish(message: Headers) -> Headers {
    message
}

#[async_producer(destination = "thumbnails")]
async fn publish_traced(message: Traced<u8>) -> TraceContext {
    message.context().clone()
}

#[test]
fn a_context_that_was_forwarded_or_captured_by_its_caller_is_no_more_chosen_in_the_task() {
    #[async_consumer(continue)]
    fn handler(message: Headers) -> tokio::task::JoinHandle<Headers> {
        tokio::spawn(publish(message).continued("forward"))
    }

    #[async_consumer(link)]
    fn answers(message: Headers) -> tokio::task::JoinHandle<TraceContext> {
        drop(message);
        tokio::spawn(publish_traced(Traced::new(7)).continued("answer"))
    }

    let forwarded = async || {
        answers(from(SENDER)).await.expect("it ran");
        let message = handler(from(SENDER)).await.expect("it ran");
        let sent = TraceContext::read_from(&message).traceparent().expect("it was written");
        assert_eq!(sent[3..35], SENDER[3..35]);
        assert_ne!(sent[36..52], SENDER[36..52], "the producer's own");

        let captured = request(|| {
            let message = Traced::new(7);
            tokio::spawn(publish_traced(message).linked("later"))
        });
        captured.await.expect("it ran");

        let captured_two_calls_ago = request(|| {
            let message = Traced::new(7);
            let outer = async {
                tokio::spawn(publish_traced(message).linked("inner")).await.expect("it ran")
            };
            tokio::spawn(outer.linked("outer"))
        });
        captured_two_calls_ago.await.expect("it ran");
    };
    let check = |traces: &Traces| {
        let sent: Vec<_> =
            traces.all().into_iter().filter(|it| it.name() == "send thumbnails").collect();
        assert_eq!(sent.len(), 4, "{traces}");
        for span in sent {
            span.is_kind("producer").has_no_links();
        }
    };
    on_one_thread(forwarded, check);
    on_many_threads(forwarded, check);
}

#[test]
fn a_context_that_is_forwarded_by_a_handler_without_a_span_is_not_chosen_either() {
    #[async_consumer(link, enabled = false)]
    fn untraced(message: Headers) -> tokio::task::JoinHandle<Headers> {
        tokio::spawn(publish(message).continued("forward"))
    }

    on_one_thread(
        async || drop(untraced(from(SENDER)).await),
        |traces| {
            traces.span("forward").is_root();
            traces.span("send thumbnails").is_kind("producer").has_no_links();
        },
    );
}

#[test]
fn a_handler_that_polls_the_task_of_another_does_not_lend_it_its_origins() {
    on_one_thread(
        async || {
            // `SENDER` is chosen here, whatever runs around the poll.
            let task = publish(from(SENDER)).linked("elsewhere");
            let message = from(SENDER);
            let handler = throughline::consume("handler").link();
            handler.run(&message, async { Some(task.await) }).await;
        },
        |traces| {
            traces.span("send thumbnails").is_kind("client").links_to(SENDER);
        },
    );
}

// How it ends.

struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the studio is closed")
    }
}

#[async_task(continue)]
async fn refuse() -> Result<u8, Refused> {
    Err(Refused)
}

#[async_task(continue)]
async fn panics(payload: &'static str) {
    resume_unwind(Box::new(payload))
}

#[async_task(continue)]
async fn never_ends() {
    std::future::pending().await
}

#[test]
fn it_ends_as_a_handler_does() {
    on_one_thread(
        async || {
            assert!(refuse().await.is_err());
            let mut panicking = Box::pin(panics("in a task"));
            let payload = catch_unwind(AssertUnwindSafe(|| poll_once(panicking.as_mut())));
            assert!(payload.is_err_and(|it| it.downcast_ref() == Some(&"in a task")));
            drop(panicking);
            let mut cancelled = Box::pin(never_ends());
            assert!(poll_once(cancelled.as_mut()).is_pending());
            drop(cancelled);
            drop(resize("never polled"));
        },
        |traces| {
            traces
                .span("refuse")
                .is_error_with("the studio is closed")
                .has_attribute("error.type", "Refused");
            traces.span("panics").is_error().has_attribute("error.type", "panic");
            traces.span("never_ends").is_error().has_attribute("error.type", "cancelled");
            assert_eq!(traces.len(), 3, "{traces}");
            assert!(format!("{traces:?}").ends_with("open: [] }"), "{traces:?}");
        },
    );
}

#[test]
fn futures_and_closures_end_in_the_same_ways() {
    struct Image;

    on_one_thread(
        async || {
            let parsed = async { "x".parse::<u8>() }.continued("parse").await;
            assert!(parsed.is_err());
            let refused = (|| Err::<Image, _>(Refused)).linked("refuse")();
            assert!(refused.is_err());
            async { Image }.continued("no result").await;
            (|| Ok::<_, Refused>(Image)).linked("no error")().unwrap_or(Image);
            let panicking = (|| resume_unwind(Box::new("in a closure"))).continued("panics");
            assert!(catch_unwind(AssertUnwindSafe(panicking)).is_err());
            let mut panicking =
                Box::pin(async { resume_unwind(Box::new("in a future")) }.continued("panics too"));
            assert!(catch_unwind(AssertUnwindSafe(|| poll_once(panicking.as_mut()))).is_err());
            drop(panicking);
            let mut cancelled = Box::pin(std::future::pending::<()>().linked("cancelled"));
            assert!(poll_once(cancelled.as_mut()).is_pending());
            drop(cancelled);
            drop(async {}.linked("never polled"));
            drop((|| ()).linked("never called"));
        },
        |traces| {
            // The words are left out: nothing is asked of the error.
            traces.span("parse").is_error_with("").has_attribute("error.type", "ParseIntError");
            traces.span("refuse").is_error_with("").has_attribute("error.type", "Refused");
            traces.span("no result").status_is_unset();
            traces.span("no error").status_is_unset();
            traces.span("panics").has_attribute("error.type", "panic");
            traces.span("panics too").has_attribute("error.type", "panic");
            traces.span("cancelled").has_attribute("error.type", "cancelled");
            assert_eq!(traces.len(), 7, "{traces}");
        },
    );
}

#[test]
fn the_builder_has_an_errors_words_too() {
    enum Reply {
        Full,
    }
    impl IntoOutcome for Reply {
        fn outcome(&self) -> Outcome {
            match self {
                Reply::Full => Outcome::error("full").describe("come again"),
            }
        }
    }

    on_one_thread(
        async || {
            let task = throughline::task("parse").continue_();
            assert!(task.run(async { "x".parse::<u8>() }).await.is_err());
            throughline::task("reply").link().run_sync(|| Reply::Full);
        },
        |traces| {
            traces
                .span("parse")
                .is_error_with("invalid digit found in string")
                .has_attribute("error.type", "ParseIntError");
            traces.span("reply").is_error_with("come again").has_attribute("error.type", "full");
        },
    );
}

#[test]
fn what_a_task_holds_is_dropped_inside_its_span() {
    struct Notes(Arc<Mutex<Vec<String>>>);
    impl Drop for Notes {
        fn drop(&mut self) {
            self.0.lock().expect("nobody panicked").push(current_trace());
        }
    }

    #[async_task(link)]
    async fn holds(notes: Notes, ends: bool) {
        if !ends {
            std::future::pending::<()>().await;
        }
        drop(notes);
    }

    in_both_worlds(|capture| {
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let notes = || Notes(Arc::clone(&seen));
        let traces = capture.run_sync(|| {
            let held = notes();
            let of_async_block = async move {
                std::future::pending::<()>().await;
                drop(held);
            };
            let mut tasks: [Pin<Box<dyn Future<Output = ()>>>; 3] = [
                Box::pin(holds(notes(), true)),
                Box::pin(holds(notes(), false)),
                Box::pin(of_async_block.linked("holds")),
            ];
            for task in &mut tasks {
                let _ = poll_once(task.as_mut());
            }
            drop(tasks);
        });
        let mut seen = seen.lock().expect("nobody panicked").clone();
        let mut expected: Vec<_> =
            traces.all().iter().map(|span| span.trace_id().to_string()).collect();
        seen.sort();
        expected.sort();
        assert_eq!((seen.len(), &seen), (3, &expected));
    });
}

#[test]
fn record_fills_in_a_field_of_the_task_that_runs() {
    #[async_task(link, fields(parts = Empty))]
    async fn cut(parts: usize) {
        in_span("inner", || ());
        throughline::record("parts", parts);
    }

    let recorded = async || {
        let (one, other) = request(|| {
            let by_name = async { throughline::record("parts", 4) }.linked("by name");
            (tokio::spawn(cut(3)), tokio::spawn(by_name))
        });
        one.await.expect("it ran");
        other.await.expect("it ran");
    };
    let check = |traces: &Traces| {
        traces.span("cut").has_attribute("parts", 3);
        traces.span("by name").has_attribute("parts", 4);
    };
    on_one_thread(recorded, check);
    on_many_threads(recorded, check);
}

#[test]
fn the_builders_fields_are_those_of_the_call_or_of_the_start() {
    use throughline::field;

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let mut width = 320;
            let task = throughline::task("kept").name("kept fields");
            let task = task.fields(&[("width", field::value(&width))]);
            width += 320;
            task.run_sync(|| ());
            let span = throughline::task("given").start_with(&[("width", field::value(&width))]);
            span.finish(Outcome::ok());
            throughline::task("none").enabled(false).run_sync(|| ());
        });
        traces.span("kept fields").has_attribute("width", 320);
        traces.span("given").has_attribute("width", 640);
        assert_eq!(traces.len(), 2, "{traces}");
    });
}
