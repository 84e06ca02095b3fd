//! A message gets one consumer's span, however many handlers take it in hand.

use throughline::{Facts, HeaderReader, Message, Outcome, TraceContext, async_consumer};
use throughline_tests::{
    Headers, OTHER_SENDER, SENDER, current, from, in_both_worlds, in_span, inside_a_poll_loop,
};

#[async_consumer(link, destination = "orders", fields(kind = "outer"))]
fn outer(message: &Headers) {
    inner(message);
}

#[async_consumer(continue, destination = "orders", fields(kind = "inner"))]
fn inner(message: &Headers) -> Option<String> {
    TraceContext::current().traceparent().filter(|_| !message.is_empty())
}

#[async_consumer(link)]
async fn outer_async(message: Headers) {
    tokio::task::yield_now().await;
    assert!(inner_async(message).await.is_err());
}

#[async_consumer(link)]
async fn inner_async(message: Headers) -> Result<usize, String> {
    tokio::task::yield_now().await;
    Err(message.len().to_string())
}

#[async_consumer(link)]
fn each(batch: &[Headers]) {
    for message in batch {
        inner(message);
    }
}

#[test]
fn a_handler_within_a_handler_of_the_same_message_makes_an_internal_span_under_it() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || outer(&from(SENDER)));
        traces.span("process orders").is_kind("consumer").has_attribute("kind", "outer");
        traces
            .span("inner")
            .is_kind("internal")
            .is_child_of("process orders")
            .has_no_links()
            .has_attribute("kind", "inner")
            .has_no_attribute("messaging.operation.type")
            .has_no_attribute("throughline.relation.kind");
    });
    in_both_worlds(|capture| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let traces = runtime.block_on(capture.run(outer_async(from(SENDER))));
        traces
            .span("inner_async")
            .is_kind("internal")
            .is_child_of("outer_async")
            .is_error_with("1");
    });
}

#[test]
fn so_does_a_handler_in_a_task_that_the_messages_handler_has_called() {
    #[async_consumer(link, destination = "orders")]
    fn hands_on(message: &Headers) {
        throughline::task("later").continue_().run_sync(|| inner(message));
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| hands_on(&from(SENDER)));
        traces.span("later").is_child_of("process orders");
        traces.span("inner").is_kind("internal").is_child_of("later").has_no_links();
    });
}

#[test]
fn another_message_has_a_consumers_span_of_its_own() {
    #[async_consumer(link)]
    fn handles_another(message: &Headers) {
        inner(&from(OTHER_SENDER));
        assert!(!message.is_empty());
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| handles_another(&from(SENDER)));
        traces.span("process orders").is_kind("consumer").continues(OTHER_SENDER);
    });
    // Nobody can tell whether two messages without a context are one.
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| outer(&Headers::new()));
        assert_eq!(traces.spans("process orders").len(), 2);
    });
}

#[test]
fn messages_of_one_sender_are_told_apart_by_their_ids() {
    struct Numbered(Headers, &'static str);
    impl Message for Numbered {
        fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
            self.0.headers(reader);
        }
        fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
            facts.id(self.1);
        }
    }
    #[async_consumer(link)]
    fn first(message: &Numbered) {
        second(message);
        second(&Numbered(from(SENDER), "b"));
    }
    #[async_consumer(link)]
    fn second(message: &Numbered) {
        let _ = message;
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| first(&Numbered(from(SENDER), "a")));
        let kinds: Vec<_> = traces.spans("second").iter().map(|span| span.kind()).collect();
        assert!(kinds.contains(&"internal") && kinds.contains(&"consumer"), "{kinds:?}");
    });
}

#[test]
fn the_messages_of_a_batch_have_each_their_own() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| each(&[from(SENDER), from(OTHER_SENDER)]));
        traces.span("each").is_kind("consumer");
        for span in traces.spans("process orders") {
            assert_eq!(span.kind(), "consumer");
        }
    });
}

#[test]
fn who_makes_the_consumers_span_can_say_so() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            in_span("the framework's", || {
                let message = from(SENDER);
                let mut here = throughline::handled_by_current_span(&message);
                here.run_sync(|| inner(&message));
                here.finish(Outcome::ok());
                inner(&message);
            });
        });
        traces.span("inner").is_kind("internal").is_child_of("the framework's");
        traces.span("process orders").is_kind("consumer").continues(SENDER);
    });
}

#[test]
fn what_is_said_of_a_handler_holds_for_its_internal_span_too() {
    #[async_consumer(link, name = "charge the card")]
    fn named(message: &Headers) {
        let _ = message;
    }
    #[async_consumer(link, enabled = false)]
    fn switched_off(message: &Headers) {
        let _ = message;
    }
    #[async_consumer(link)]
    fn around(message: &Headers) {
        named(message);
        switched_off(message);
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| around(&from(SENDER)));
        traces.span("charge the card").is_kind("internal").is_child_of("around");
        assert_eq!(traces.len(), 2, "{traces}");
    });
}

#[test]
fn a_batch_of_one_is_another_delivery() {
    #[async_consumer(link)]
    fn collecting(message: &Headers) {
        batch(std::slice::from_ref(message));
    }
    #[async_consumer(link)]
    fn batch(messages: &[Headers]) {
        let _ = messages;
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| collecting(&from(SENDER)));
        traces.span("batch").is_kind("consumer").is_root().links_to(SENDER);
    });
}

#[test]
fn where_somebody_else_has_made_the_span_nothing_of_an_earlier_one_is_left() {
    #[async_consumer(continue, enabled = false)]
    fn passing_through(message: &Headers) -> Option<String> {
        current().filter(|_| !message.is_empty())
    }

    in_both_worlds(|capture| {
        capture.run_sync(|| {
            in_span("the framework's", || {
                let around = current();
                assert_eq!(passing_through(&from(OTHER_SENDER)).as_deref(), Some(OTHER_SENDER));
                let mut here = throughline::handled_by_current_span(&from(SENDER));
                assert_eq!(here.run_sync(current), around);
                here.finish(Outcome::ok());
            });
        });
    });
}
