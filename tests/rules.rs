//! The ten rules that follow from the table of relations, each an answer to a defect seen in
//! another system. Both worlds. (That a batch can't be continued is told by the compiler: see
//! `ui/`. That the span ends exactly once: `outcomes.rs`.)

use std::sync::{Arc, Mutex};

use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanKind, TraceId};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, ShouldSample};
use throughline::testing::Capture;
use throughline::{Facts, HeaderReader, Message, TraceContext, async_consumer};
use throughline_tests::{
    Headers, Log, OTHER_SENDER, SENDER, UNSAMPLED_SENDER, baggage, current, from, headers,
    in_both_worlds, in_span, inside_a_poll_loop,
};

#[async_consumer(link)]
fn linked(message: &Headers) -> Option<String> {
    current()
}

#[async_consumer(continue)]
fn continued(message: &Headers) -> Option<String> {
    current()
}

#[async_consumer(link)]
fn linked_batch<M: Message>(messages: &[M]) {}

// 1. A new root is a root.

#[test]
fn neither_a_span_nor_an_attached_context_becomes_the_parent_of_a_root() {
    use opentelemetry::Context;
    use opentelemetry::trace::TraceContextExt;

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            in_span("poll loop", || {
                let attached = TraceContext::read_from(&from(OTHER_SENDER));
                let mut span = throughline::consume("attached").continue_().start(&attached);
                span.run_sync(|| {
                    assert!(Context::current().has_active_span());
                    linked(&from(SENDER));
                });
                span.finish(throughline::Outcome::ok());
            });
        });
        traces.span("linked").is_root();
    });
}

#[test]
fn in_tracing_too_a_root_has_no_parent() {
    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::layer::SubscriberExt;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    impl<'w> MakeWriter<'w> for Lines {
        type Writer = Self;
        fn make_writer(&'w self) -> Self {
            self.clone()
        }
    }

    #[async_consumer(link, fields(order = 7))]
    fn logging(message: &Headers) {
        tracing::info!("inside");
    }

    // With a formatter alone: from the first message on.
    let lines = Lines::default();
    let log = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(lines.clone());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(log), || {
        tracing::info_span!("poll_loop", shard = 3).in_scope(|| logging(&from(SENDER)));
    });
    let written = String::from_utf8(lines.0.lock().expect("not poisoned").clone()).expect("text");
    assert!(written.contains("logging{"), "{written}");
    assert!(written.contains("order=7"), "{written}");
    assert!(!written.contains("poll_loop"), "{written}");
}

// 2. A message without a context still gets a span.

#[test]
fn a_message_without_a_context_gets_a_span_that_says_so() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| linked(&Headers::new()));
        traces
            .span("linked")
            .is_root()
            .has_no_links()
            .has_attribute("throughline.relation.reason", "no_context");
    });
}

#[test]
fn a_message_without_a_context_is_not_taken_for_one_of_the_span_around_it() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || drop(linked(&Headers::new())));
        let span = traces.span("linked").is_root().has_links(1);
        span.has_link_attribute("poll loop", "throughline.link.role", "ambient");
    });
}

// 3. Links and sampling-relevant attributes are there when the span is created.

/// Name, kind, attributes and the number of links.
type Question = (String, SpanKind, Vec<KeyValue>, usize);

#[derive(Debug, Clone, Default)]
struct Asked(Arc<Mutex<Vec<Question>>>);

impl ShouldSample for Asked {
    fn should_sample(
        &self,
        parent: Option<&opentelemetry::Context>,
        trace: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        self.0.lock().expect("not poisoned").push((
            name.to_owned(),
            kind.clone(),
            attributes.to_vec(),
            links.len(),
        ));
        Sampler::AlwaysOn.should_sample(parent, trace, name, kind, attributes, links)
    }
}

#[test]
fn samplers_see_name_kind_links_and_attributes() {
    #[async_consumer(link, system = "kafka", destination = "orders")]
    fn sampled(message: &Headers) {}

    in_both_worlds(|capture| {
        let asked = Asked::default();
        capture.sampler(asked.clone()).run_sync(|| sampled(&from(SENDER)));
        let asked = asked.0.lock().expect("not poisoned");
        let [(name, kind, attributes, links)] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!((name.as_str(), kind, *links), ("process orders", &SpanKind::Consumer, 1));
        for (key, value) in [
            ("messaging.system", "kafka"),
            ("messaging.operation.name", "process"),
            ("messaging.operation.type", "process"),
            ("messaging.destination.name", "orders"),
        ] {
            assert!(attributes.contains(&KeyValue::new(key, value)), "{key}: {attributes:?}");
        }
    });
}

// 4. Baggage survives `link`.

#[test]
fn baggage_survives_link() {
    #[async_consumer(link)]
    async fn carrying(message: Headers) -> Option<String> {
        tokio::task::yield_now().await;
        baggage("tenant")
    }

    in_both_worlds(|capture| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let mut seen = None;
        let message = headers(&[("traceparent", SENDER), ("baggage", "tenant=acme")]);
        let traces = runtime.block_on(capture.run(async { seen = carrying(message).await }));
        traces.span("carrying").is_root();
        assert_eq!(seen.as_deref(), Some("acme"));
    });
}

#[test]
fn a_batch_has_the_baggage_that_all_its_messages_agree_on() {
    #[async_consumer(link)]
    fn carrying(messages: &[Headers]) -> (Option<String>, Option<String>) {
        (baggage("tenant"), baggage("user"))
    }

    in_both_worlds(|capture| {
        let batch = [
            headers(&[("traceparent", SENDER), ("baggage", "tenant=acme,user=ann")]),
            headers(&[("traceparent", OTHER_SENDER), ("baggage", "user=bob,tenant=acme")]),
        ];
        let mut seen = (None, None);
        capture.run_sync(|| seen = carrying(&batch));
        assert_eq!(seen, (Some("acme".to_owned()), None));
    });
}

// 6. A context that can't be read never fails a message.

#[test]
fn a_context_that_cannot_be_read_counts_as_none_and_the_span_says_so() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            continued(&headers(&[("traceparent", "00-not-a-context-01")]));
        });
        traces
            .span("continued")
            .is_root()
            .has_no_links()
            .has_attribute("throughline.relation.kind", "continue")
            .has_attribute("throughline.relation.reason", "unreadable");
    });
}

// 7. The context passes through where the span is filtered out (see `two_worlds.rs`) or not
//    sampled.

#[test]
fn work_under_an_unsampled_continue_handler_still_belongs_to_the_senders_trace() {
    in_both_worlds(|capture| {
        let mut sent = None;
        let traces = capture.run_sync(|| sent = continued(&from(UNSAMPLED_SENDER)));
        assert!(traces.is_empty());
        let sent = sent.expect("a context is sent also where nothing records");
        assert_eq!(sent[3..35], UNSAMPLED_SENDER[3..35]);
        assert!(sent.ends_with("-00"));
    });
}

// What the sender said of its trace's id holds for the whole trace (Trace Context level 2, section "Random
// Trace ID Flag"); the SDK forgets it where it drops a span.
#[test]
fn the_random_flag_goes_on_with_the_trace_that_a_handler_continues() {
    for (sender, flags) in [(UNSAMPLED_SENDER, "-02"), (SENDER, "-03")] {
        let sender = format!("{}{flags}", &sender[..52]);
        in_both_worlds(|capture| {
            let mut sent = None;
            capture.run_sync(|| sent = continued(&from(&sender)));
            let sent = sent.expect("a context is sent");
            assert_eq!(sent[3..35], sender[3..35]);
            assert!(sent.ends_with(flags), "{sent} of {sender}");
        });
    }
}

#[test]
fn work_under_an_unsampled_link_handler_does_not_fall_under_the_poll_loop() {
    in_both_worlds(|capture| {
        let (mut around, mut sent) = (None, None);
        capture.sampler(Sampler::AlwaysOff).run_sync(|| {
            in_span("poll loop", || {
                around = current();
                sent = linked(&from(SENDER));
            });
        });
        let (around, sent) = (around.expect("a loop"), sent.expect("a handler"));
        assert_ne!(around[3..35], sent[3..35]);
        assert_ne!(SENDER[3..35], sent[3..35]);
    });
}

// 9. One link per distinct origin; facts that differ go on the link of their message.

struct Record {
    headers: Headers,
    id: &'static str,
    topic: &'static str,
}

impl Message for Record {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.destination(self.topic).id(self.id);
        if !self.id.is_empty() {
            facts.system("kafka");
        }
    }
}

fn record(sender: &str, id: &'static str, topic: &'static str) -> Record {
    Record { headers: from(sender), id, topic }
}

#[test]
fn facts_that_all_messages_share_are_on_the_span_and_the_others_on_the_links() {
    in_both_worlds(|capture| {
        let batch = [record(SENDER, "1", "orders"), record(OTHER_SENDER, "2", "orders")];
        let traces = capture.run_sync(|| linked_batch(&batch));
        traces
            .span("process orders")
            .has_attribute("messaging.destination.name", "orders")
            .has_no_attribute("messaging.message.id")
            .has_link_attribute(SENDER, "messaging.message.id", "1")
            .has_link_attribute(OTHER_SENDER, "messaging.message.id", "2");
    });
}

#[test]
fn messages_of_one_origin_share_a_link_with_what_they_agree_on_and_their_number() {
    in_both_worlds(|capture| {
        let batch = [
            record(SENDER, "1", "orders"),
            record(SENDER, "2", "orders"),
            record(OTHER_SENDER, "3", "returns"),
        ];
        let traces = capture.run_sync(|| linked_batch(&batch));
        let span = traces.span("linked_batch").has_links(2);
        span.has_link_attribute(SENDER, "throughline.link.message_count", 2)
            .has_link_attribute(SENDER, "messaging.destination.name", "orders")
            .has_link_attribute(OTHER_SENDER, "messaging.destination.name", "returns")
            .has_link_attribute(OTHER_SENDER, "messaging.message.id", "3")
            .has_attribute("messaging.system", "kafka");
        let first = &span.links()[0].attributes;
        assert!(first.iter().all(|it| it.key.as_str() != "messaging.message.id"), "{first:?}");
    });
}

#[test]
fn a_message_that_tells_nothing_leaves_the_facts_of_the_others_on_their_links() {
    const THIRD_SENDER: &str = "00-11111111111111111111111111111111-2222222222222222-01";
    in_both_worlds(|capture| {
        let batch = [
            record(SENDER, "", ""),
            record(OTHER_SENDER, "", ""),
            record(THIRD_SENDER, "3", "orders"),
            record(OTHER_SENDER, "", ""),
        ];
        let traces = capture.run_sync(|| linked_batch(&batch));
        let span = traces.span("linked_batch").has_links(3);
        span.has_link_attribute(THIRD_SENDER, "messaging.message.id", "3")
            .has_link_attribute(THIRD_SENDER, "messaging.system", "kafka")
            .has_link_attribute(OTHER_SENDER, "throughline.link.message_count", 2);
        assert_eq!(
            span.links().iter().map(|it| it.attributes.len()).collect::<Vec<_>>(),
            [0, 1, 3]
        );
    });
}

// 10. At most 128 links, room kept for the span around.

#[test]
fn a_large_batch_has_128_links_and_says_how_many_were_left_out() {
    let batch: Vec<Headers> = (1..=300)
        .map(|n| from(&format!("00-0af7651916cd43dd8448eb211c80319c-{n:016x}-01")))
        .collect();
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || linked_batch(&batch));
        let span = traces.span("linked_batch").has_links(128);
        span.has_attribute("throughline.links.left_out", 173)
            .has_attribute("messaging.batch.message_count", 300)
            .has_link_attribute("poll loop", "throughline.link.role", "ambient");
        assert_eq!(span.data().links.dropped_count, 0);
    });
}

#[test]
fn contexts_that_are_not_sampled_are_linked_all_the_same_and_invalid_ones_never() {
    in_both_worlds(|capture| {
        let batch = [from(UNSAMPLED_SENDER), from("00-x"), Headers::new()];
        let traces = capture.run_sync(|| linked_batch(&batch));
        traces
            .span("linked_batch")
            .has_links(1)
            .links_to(UNSAMPLED_SENDER)
            .has_attribute("throughline.relation.reason", "unreadable");
    });
}

#[test]
fn a_users_field_replaces_the_attribute_of_the_same_name() {
    #[async_consumer(link, destination = "orders", fields("messaging.destination.name" = "mine"))]
    fn named(message: &Headers) {}

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| named(&from(SENDER)));
        // `has_attribute` fails where a key is there twice.
        traces.span("process orders").has_attribute("messaging.destination.name", "mine");
    });
}

#[test]
fn two_handlers_of_one_destination_are_told_apart() {
    #[async_consumer(link, destination = "orders")]
    fn reserve_stock(message: &Headers) {}

    in_both_worlds(|capture: Capture| {
        let traces = capture.run_sync(|| reserve_stock(&from(SENDER)));
        traces
            .span("process orders")
            .has_attribute("code.function.name", concat!(module_path!(), "::reserve_stock"));
    });
}

#[test]
fn a_batch_agrees_on_no_baggage_where_a_message_has_none_or_means_something_else_by_it() {
    #[async_consumer(link)]
    fn carrying(messages: &[Headers]) -> Option<String> {
        baggage("tenant")
    }

    let with = |list: &str| headers(&[("traceparent", SENDER), ("baggage", list)]);
    for (other, agreed) in [
        (with("tenant=acme;of=here"), Some("acme")),
        (with("tenant=acme;of=elsewhere"), None),
        (with("tenant=other;of=here"), None),
        (with("user=ann"), None),
        (from(OTHER_SENDER), None),
    ] {
        in_both_worlds(|capture| {
            let batch = [with("tenant=acme;of=here"), other.clone()];
            let mut seen = None;
            capture.run_sync(|| seen = carrying(&batch));
            assert_eq!(seen.as_deref(), agreed, "{batch:?}");
        });
    }
}

#[test]
fn in_tracing_too_a_nested_handler_is_under_the_span_around_it() {
    use tracing_subscriber::layer::SubscriberExt;

    #[async_consumer(link, nested)]
    fn logging(message: &Headers) {
        tracing::info!("inside");
    }

    for bridged in [true, false] {
        let log = Log::default();
        let capture = Capture::new().with_subscriber(|tracer| {
            let layer = bridged.then(|| tracing_opentelemetry::layer().with_tracer(tracer));
            let formatter = tracing_subscriber::fmt::layer().with_ansi(false);
            tracing_subscriber::registry().with(layer).with(formatter.with_writer(log.clone()))
        });
        inside_a_poll_loop(capture, || logging(&from(SENDER)));
        let lines = log.lines();
        let [line] = &lines[..] else { panic!("{lines:?}") };
        let (around, inside) = (line.find("poll loop"), line.find("logging{"));
        assert!(around.is_some() && around < inside, "{line}");
    }
}
