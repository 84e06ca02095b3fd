//! The table of relations: whose child a handler's span is, and what it links to. Both worlds.

use throughline::testing::Traces;
use throughline::{Relation, async_consumer};
use throughline_tests::{
    Headers, OTHER_SENDER, SENDER, baggage, current_trace, from, headers, in_both_worlds,
    inside_a_poll_loop,
};

#[async_consumer(link)]
fn linked(message: &Headers) {}

#[async_consumer(link, nested)]
fn nested(message: &Headers) -> Option<String> {
    baggage("tenant")
}

#[async_consumer(continue)]
fn continued(message: &Headers) {}

#[async_consumer(ignore)]
fn ignored(message: &Headers) -> Option<String> {
    baggage("tenant")
}

#[async_consumer(mode = relation, from = message)]
fn chosen(message: &Headers, relation: Relation) {}

#[async_consumer(mode = relation, from = messages)]
fn chosen_batch(messages: &[Headers], relation: Relation) {}

#[async_consumer(link)]
fn linked_batch(messages: &[Headers]) {}

#[track_caller]
fn explains(traces: &Traces, name: &str, kind: &str, reason: Option<&str>) {
    let span = traces.span(name).has_attribute("throughline.relation.kind", kind);
    match reason {
        Some(reason) => span.has_attribute("throughline.relation.reason", reason),
        None => span.has_no_attribute("throughline.relation.reason"),
    };
}

#[test]
fn link_is_a_root_with_a_link_to_the_sender() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| linked(&from(SENDER)));
        traces.span("linked").is_kind("consumer").is_root().has_links(1).links_to(SENDER);
        explains(&traces, "linked", "link", None);
    });
}

#[test]
fn link_inside_another_span_is_still_a_root_and_links_to_that_span_last() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || linked(&from(SENDER)));
        traces.span("linked").is_root().has_links(2).links_to(SENDER).has_link_attribute(
            "poll loop",
            "throughline.link.role",
            "ambient",
        );
        assert_eq!(traces.span("linked").links()[1].attributes.len(), 1);
    });
}

#[test]
fn nested_link_is_a_child_of_the_span_around_it() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || drop(nested(&from(SENDER))));
        traces.span("nested").is_child_of("poll loop").has_links(1).links_to(SENDER);
        explains(&traces, "nested", "link", None);
    });
}

#[test]
fn nested_link_without_a_span_around_it_is_a_root() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| nested(&from(SENDER)));
        traces.span("nested").is_root().has_links(1).links_to(SENDER);
    });
}

#[test]
fn nested_link_has_the_baggage_around_it_with_the_messages_over_it() {
    use opentelemetry::Context;
    use opentelemetry::KeyValue;
    use opentelemetry::baggage::BaggageExt;

    in_both_worlds(|capture| {
        let mut seen = Vec::new();
        capture.run_sync(|| {
            let around = [KeyValue::new("tenant", "around"), KeyValue::new("region", "eu")];
            let _attached = Context::current_with_baggage(around).attach();
            seen.push(nested(&from(SENDER)));
            seen.push(nested(&headers(&[("baggage", "tenant=message")])));
        });
        assert_eq!(seen, [Some("around".to_owned()), Some("message".to_owned())]);
    });
}

#[test]
fn continue_is_a_child_of_the_sender_and_links_to_it_as_well() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| continued(&from(SENDER)));
        traces.span("continued").is_kind("consumer").continues(SENDER).has_links(1);
        explains(&traces, "continued", "continue", None);
    });
}

#[test]
fn continue_inside_another_span_links_to_that_span_last() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || continued(&from(SENDER)));
        traces.span("continued").continues(SENDER).has_links(2).has_link_attribute(
            "poll loop",
            "throughline.link.role",
            "ambient",
        );
    });
}

#[test]
fn continue_where_the_span_around_is_the_sender_links_once() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || {
            let mut message = Headers::new();
            throughline::TraceContext::current().write_to(&mut message);
            continued(&message);
        });
        traces.span("continued").continues("poll loop").has_links(1);
        assert_eq!(traces.span("continued").links()[0].attributes, []);
    });
}

#[test]
fn continue_without_a_context_is_a_root_and_never_a_child_of_the_span_around_it() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || continued(&Headers::new()));
        traces.span("continued").is_root().has_links(1).links_to("poll loop");
        explains(&traces, "continued", "continue", Some("no_context"));
    });
}

#[test]
fn ignore_is_a_root_that_knows_nothing_of_the_message() {
    in_both_worlds(|capture| {
        let mut seen = Some(String::new());
        let message = headers(&[("traceparent", SENDER), ("baggage", "tenant=acme")]);
        let traces = inside_a_poll_loop(capture, || seen = ignored(&message));
        traces.span("ignored").is_root().has_links(1).links_to("poll loop");
        explains(&traces, "ignored", "ignore", None);
        assert_eq!(seen, None);
    });
}

#[test]
fn ignore_without_a_span_around_it_has_no_links() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| ignored(&from(SENDER)));
        traces.span("ignored").is_root().has_no_links();
    });
}

#[test]
fn a_relation_chosen_at_run_time_is_as_if_it_were_written() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || {
            chosen(&from(SENDER), Relation::CONTINUE);
        });
        traces.span("chosen").continues(SENDER).has_links(2);
    });
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || {
            chosen(&from(SENDER), Relation::LINK.nested());
        });
        traces.span("chosen").is_child_of("poll loop").has_links(1);
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| chosen(&from(SENDER), Relation::IGNORE));
        traces.span("chosen").is_root().has_no_links();
    });
}

#[test]
fn continue_chosen_at_run_time_links_a_batch_and_says_why() {
    in_both_worlds(|capture| {
        let batch = [from(SENDER), from(OTHER_SENDER)];
        let traces = capture.run_sync(|| chosen_batch(&batch, Relation::CONTINUE));
        traces.span("chosen_batch").is_root().has_links(2).links_to(SENDER).links_to(OTHER_SENDER);
        explains(&traces, "chosen_batch", "link", Some("batch"));
    });
}

#[test]
fn a_batch_links_to_every_sender_in_order() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || {
            linked_batch(&[from(SENDER), from(OTHER_SENDER)]);
        });
        let span = traces.span("linked_batch").is_root().has_links(3);
        span.has_attribute("messaging.batch.message_count", 2);
        let senders: Vec<_> = span.links().iter().map(|it| it.span_context.trace_id()).collect();
        assert_eq!(format!("{}", senders[0]), SENDER[3..35]);
        assert_eq!(format!("{}", senders[1]), OTHER_SENDER[3..35]);
        assert_eq!(senders[2], traces.span("poll loop").trace_id());
    });
}

#[test]
fn an_empty_batch_is_a_root_without_links() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| linked_batch(&[]));
        traces
            .span("linked_batch")
            .is_root()
            .has_no_links()
            .has_attribute("messaging.batch.message_count", 0);
    });
}

#[test]
fn work_inside_belongs_to_the_handler_and_work_after_it_to_the_loop() {
    #[async_consumer(link)]
    fn working(message: &Headers) -> String {
        current_trace()
    }

    in_both_worlds(|capture| {
        let mut traces_seen = Vec::new();
        let traces = inside_a_poll_loop(capture, || {
            traces_seen.push(working(&from(SENDER)));
            traces_seen.push(current_trace());
        });
        let expected =
            ["working", "poll loop"].map(|name| traces.span(name).trace_id().to_string());
        assert_eq!(traces_seen, expected);
    });
}

#[test]
fn nested_link_with_baggage_of_the_message_is_a_child_all_the_same() {
    in_both_worlds(|capture| {
        let mut seen = None;
        let traces = inside_a_poll_loop(capture, || {
            seen = nested(&headers(&[("traceparent", SENDER), ("baggage", "tenant=acme")]));
        });
        traces.span("nested").is_child_of("poll loop").has_links(1).links_to(SENDER);
        assert_eq!(seen.as_deref(), Some("acme"));
    });
}

#[async_consumer(link)]
fn linked_batch_later(messages: Vec<Headers>) -> impl Future<Output = usize> {
    std::future::ready(messages.len())
}

#[test]
fn a_batch_that_the_span_around_has_sent_a_message_of_links_to_it_once() {
    in_both_worlds(|capture| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let traces = inside_a_poll_loop(capture, || {
            let mut sent_here = Headers::new();
            throughline::TraceContext::current().write_to(&mut sent_here);
            let messages = vec![from(SENDER), sent_here];
            linked_batch(&messages);
            runtime.block_on(linked_batch_later(messages));
        });
        for name in ["linked_batch", "linked_batch_later"] {
            let span = traces.span(name).is_root().has_links(2);
            span.links_to(SENDER).links_to("poll loop");
            assert!(span.links().iter().all(|link| link.attributes.is_empty()), "{traces}");
        }
    });
}

#[test]
fn senders_are_told_apart_by_both_of_their_ids() {
    in_both_worlds(|capture| {
        let ids = [(1, 1), (2, 1), (1, 2), (1, 1)];
        let batch = ids.map(|(trace, span)| from(&format!("00-{trace:032x}-{span:016x}-01")));
        let traces = capture.run_sync(|| linked_batch(&batch));
        traces.span("linked_batch").has_links(3);
    });
}
