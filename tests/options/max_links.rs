//! `max_links = N`: how many links a span may have.

use throughline::async_consumer;
use throughline_tests::{Headers, from, in_both_worlds, inside_a_poll_loop};

const FEW: usize = 3;

#[async_consumer(link, max_links = FEW)]
fn few(batch: &[Headers]) -> String {
    batch.len().to_string()
}

#[async_consumer(continue, max_links = 0)]
fn none(message: &Headers) -> String {
    message.len().to_string()
}

fn from_many(senders: u64) -> Vec<Headers> {
    (1..=senders).map(|id| from(&format!("00-{id:032x}-{id:016x}-01"))).collect()
}

#[test]
fn no_more_than_the_handler_says_and_the_rest_is_counted() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || drop(few(&from_many(10))));
        traces
            .span("few")
            .has_links(3)
            .links_to("poll loop")
            .has_attribute("throughline.links.left_out", 8)
            .has_attribute("messaging.batch.message_count", 10);
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| few(&from_many(3)));
        traces.span("few").has_links(3).has_no_attribute("throughline.links.left_out");
    });
}

#[test]
fn without_links_a_handler_continues_all_the_same() {
    in_both_worlds(|capture| {
        let message = &from_many(1)[0];
        let traces = inside_a_poll_loop(capture, || drop(none(message)));
        traces.span("none").is_child_of(&message[0].1).has_no_links();
    });
}
