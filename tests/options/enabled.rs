//! `enabled = EXPR`: whether a span is made, for each call.

use throughline::{TraceContext, async_consumer, async_producer};
use throughline_tests::{
    Headers, SENDER, current, current_trace, from, in_both_worlds, inside_a_poll_loop,
};

#[async_consumer(continue, enabled = !message.is_empty() && wanted)]
fn continuing(#[message] message: &Headers, wanted: bool) -> Option<String> {
    let _ = (message, wanted);
    current()
}

#[async_consumer(link, enabled = false)]
fn linking(message: &Headers) -> (usize, String) {
    (message.len(), current_trace())
}

#[async_producer(destination = "orders", enabled = wanted)]
fn publish(#[message] message: Headers, wanted: bool) -> (Headers, Option<String>, bool) {
    (message, current(), wanted)
}

#[test]
fn each_call_decides() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            assert!(continuing(&from(SENDER), true).is_some());
        });
        traces.span("continuing").continues(SENDER);
    });
}

#[test]
fn without_a_span_the_context_passes_through() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            assert_eq!(continuing(&from(SENDER), false).as_deref(), Some(SENDER));
        });
        assert!(traces.is_empty());
    });
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || {
            // Under `link` the work does not fall under the poll loop.
            assert_eq!(linking(&from(SENDER)), (1, "0".repeat(32)));
        });
        assert_eq!(traces.len(), 1);
    });
}

#[test]
fn a_producer_without_a_span_writes_the_ambient_context() {
    in_both_worlds(|capture| {
        let mut sent = None;
        let traces = inside_a_poll_loop(capture, || {
            sent = Some((publish(Headers::new(), false), current()));
        });
        let ((message, inside, _), ambient) = sent.expect("it ran");
        assert_eq!(TraceContext::read_from(&message).traceparent(), ambient);
        assert_eq!(inside, ambient);
        assert_eq!(traces.len(), 1);
    });
}

#[test]
fn what_a_handler_without_a_span_forwards_was_not_chosen_either() {
    #[async_producer(destination = "orders")]
    fn forward(message: Headers) -> Headers {
        message
    }

    #[async_consumer(link, enabled = false)]
    fn forwarding(message: Headers) -> Headers {
        forward(message)
    }

    in_both_worlds(|capture| {
        let mut sent = Headers::new();
        let traces = capture.run_sync(|| sent = forwarding(from(SENDER)));
        let span = traces.span("send orders").is_kind("producer").has_no_links();
        let sent = TraceContext::read_from(&sent).traceparent().expect("it was written");
        assert!(sent.contains(&span.span_id().to_string()), "{sent}");
    });
}
