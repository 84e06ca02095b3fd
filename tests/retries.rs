//! What is sent again keeps its origin, the next attempt links to the failed one, and a failure that
//! will be retried is no error.

use throughline::{
    Facts, HeaderReader, IntoOutcome, Message, MessageMut, Outcome, TraceContext, Traced,
    async_consumer, async_producer,
};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, from, headers, in_both_worlds, in_span};

#[async_producer(destination = "orders", retry)]
fn send_again(mut message: Headers) -> Headers {
    message.push(("own".to_owned(), "header".to_owned()));
    message
}

#[async_consumer(continue)]
fn attempt(message: &Headers) -> Headers {
    // The failed attempt is the handler's span, not one inside it.
    in_span("inner", || send_again(message.clone()))
}

#[async_consumer(link)]
fn linking_attempt(message: &Headers) {
    let _ = message;
}

#[async_consumer(link)]
fn batch(messages: &[Headers]) {
    let _ = messages;
}

#[test]
fn the_next_attempt_has_the_same_origin_and_links_to_the_failed_one() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let again = attempt(&from(SENDER));
            assert_eq!(TraceContext::read_from(&again).traceparent().as_deref(), Some(SENDER));
            let _ = attempt(&again);
            linking_attempt(&again);
        });
        let [first, second] = traces.spans("attempt")[..] else { panic!("two attempts") };
        first.continues(SENDER).has_links(1);
        second.continues(SENDER).has_links(2);
        let linked = |span: throughline::testing::Span<'_>| {
            span.links().iter().map(|link| link.span_context.span_id()).collect::<Vec<_>>()
        };
        assert_eq!(linked(second)[1], first.span_id());
        let third = traces.span("linking_attempt").is_root().has_links(2);
        assert_eq!(linked(third)[1], first.span_id());
        let role = &third.links()[1].attributes;
        assert_eq!(role[0].key.as_str(), "throughline.link.role");
        assert_eq!(role[0].value.as_str(), "attempt");
        // The message's own context is not this producer's: it is a client's span, linked to it.
        for send in traces.spans("send orders") {
            assert_eq!(send.kind(), "client");
            assert_eq!(send.links()[0].span_context.span_id().to_string(), SENDER[36..52]);
        }
    });
}

#[test]
fn a_payload_in_a_channel_tells_of_its_failed_attempt() {
    #[async_producer(retry)]
    fn again(mut order: Traced<u8>) -> Traced<u8> {
        *order += 1;
        order
    }
    #[async_consumer(continue)]
    fn charge(order: Traced<u8>) -> Option<Traced<u8>> {
        (*order == 0).then(|| again(order))
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let order = in_span("request", || Traced::new(0));
            let order = charge(order).expect("it is sent again");
            assert!(charge(order).is_none());
        });
        let [first, second] = traces.spans("charge")[..] else { panic!("two attempts") };
        first.continues("request").has_links(1);
        let second = second.continues("request").has_links(2);
        assert_eq!(second.links()[1].span_context.span_id(), first.span_id());
    });
}

#[test]
fn a_batch_links_to_each_failed_attempt_once() {
    in_both_worlds(|capture| {
        let attempted =
            |sender| headers(&[("traceparent", sender), ("throughline-attempt", SENDER)]);
        let messages = [
            attempted(OTHER_SENDER),
            attempted(OTHER_SENDER),
            headers(&[("throughline-attempt", "x")]),
        ];
        let traces = capture.run_sync(|| batch(&messages));
        traces.span("batch").has_links(2).links_to(OTHER_SENDER).links_to(SENDER);
    });
}

#[test]
fn the_attempts_number_stands_on_the_span() {
    struct Delivery(u64);
    impl Message for Delivery {
        fn headers<'m>(&'m self, _: &mut HeaderReader<'m>) {}
        fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
            facts.attempt(self.0);
        }
    }
    #[async_consumer(link)]
    fn handle(delivery: &Delivery) {
        let _ = delivery;
    }

    impl MessageMut for Delivery {
        fn set_header(&mut self, _: &str, _: &str) {}
        fn remove_header(&mut self, _: &str) {}
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            handle(&Delivery(3));
            throughline::produce("again").run_sync(&mut Delivery(3), |_| ());
        });
        traces.span("handle").has_attribute("throughline.message.attempt", 3);
        traces.span("again").has_no_attribute("throughline.message.attempt");
    });
}

#[test]
fn a_message_that_was_forwarded_tells_of_no_old_attempt() {
    #[async_producer(destination = "orders")]
    fn forward(message: &mut Headers) {
        assert!(!message.is_empty());
    }

    in_both_worlds(|capture| {
        capture.run_sync(|| {
            let mut message = headers(&[("throughline-attempt", SENDER)]);
            forward(&mut message);
            assert!(!message.iter().any(|(name, _)| name == "throughline-attempt"));
            message.remove_header("traceparent");
        });
    });
}

/// What becomes of a message, as the application has it.
enum Settled {
    Ack,
    Requeue(&'static str),
    DeadLetter(&'static str),
}

impl IntoOutcome for Settled {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Ack => Outcome::ok().named("ack"),
            Self::Requeue(why) => Outcome::error(*why).retried().named("requeue"),
            Self::DeadLetter(why) => Outcome::error(*why).named("dead_letter").describe("for good"),
        }
    }
}

#[async_consumer(link)]
fn settle(#[message] message: &Headers, how: Settled) -> Settled {
    let _ = message;
    how
}

#[async_consumer(link)]
fn retry(message: &Headers) -> Result<(), Later> {
    let _ = message;
    Err(Later)
}

struct Later;

impl IntoOutcome for Later {
    fn outcome(&self) -> Outcome {
        Outcome::error("PaymentTimeout").retried()
    }
}

#[test]
fn a_failure_that_will_be_retried_is_no_error_and_the_outcome_has_a_name() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let message = Headers::new();
            settle(&message, Settled::Ack);
            settle(&message, Settled::Requeue("card_busy"));
            settle(&message, Settled::DeadLetter("card_stolen"));
            drop(retry(&message));
        });
        let [ack, requeue, dead] = traces.spans("settle")[..] else { panic!("three") };
        ack.status_is_unset()
            .has_attribute("throughline.outcome.name", "ack")
            .has_no_attribute("throughline.outcome.reason");
        requeue
            .status_is_unset()
            .has_attribute("throughline.outcome.name", "requeue")
            .has_attribute("throughline.outcome.reason", "card_busy")
            .has_no_attribute("error.type");
        dead.is_error_with("for good")
            .has_attribute("throughline.outcome.name", "dead_letter")
            .has_attribute("error.type", "card_stolen");
        traces
            .span("retry")
            .status_is_unset()
            .has_attribute("throughline.outcome.name", "retry")
            .has_attribute("throughline.outcome.reason", "PaymentTimeout");
        for span in [ack, requeue] {
            assert!(span.events().is_empty(), "no failure is told");
        }
    });
}

#[test]
fn what_was_noted_of_a_message_is_kept_with_its_context() {
    let sent = headers(&[
        ("traceparent", SENDER),
        ("throughline-attempt", OTHER_SENDER),
        ("throughline-break", "1"),
        ("throughline-sent", "1700000000000"),
    ]);
    let mut copy = Headers::new();
    TraceContext::read_from(&sent).write_to(&mut copy);
    copy.sort();
    let mut sent = sent;
    sent.sort();
    assert_eq!(copy, sent);
}

#[test]
fn a_batch_that_is_gone_when_its_span_starts_links_to_its_failed_attempts_too() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let attempted =
                headers(&[("traceparent", SENDER), ("throughline-attempt", OTHER_SENDER)]);
            let read = throughline::consume("later").read(&[attempted][..]);
            read.start().finish(Outcome::ok());
        });
        traces.span("later").has_links(2).has_link_attribute(
            OTHER_SENDER,
            "throughline.link.role",
            "attempt",
        );
    });
}
