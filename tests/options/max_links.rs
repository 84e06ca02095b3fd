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

#[async_consumer(link, max_links = FEW)]
fn few_later(batch: Vec<Headers>) -> impl Future<Output = usize> {
    std::future::ready(batch.len())
}

#[async_consumer(link, max_links = 200)]
fn more_later(batch: Vec<Headers>) -> impl Future<Output = usize> {
    std::future::ready(batch.len())
}

#[test]
fn the_number_holds_where_the_batch_is_gone_when_the_span_starts() {
    in_both_worlds(|capture| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let traces = runtime.block_on(capture.run(async {
            few_later(from_many(10)).await;
            more_later(from_many(150)).await;
        }));
        traces.span("few_later").has_links(3).has_attribute("throughline.links.left_out", 7);
        // More than the SDK takes are offered to it all the same, as the handler wants.
        let span = traces.span("more_later").has_no_attribute("throughline.links.left_out");
        let dropped = usize::try_from(span.data().links.dropped_count).expect("a few");
        assert_eq!(span.links().len() + dropped, 150);
    });
}

#[test]
fn the_number_may_be_said_before_the_relation() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let batch = from_many(10);
            throughline::consume("built").max_links(FEW).link().run_sync(&batch[..], || ());
        });
        traces.span("built").has_links(3).has_attribute("throughline.links.left_out", 7);
    });
}

#[async_consumer(link, max_links = 1)]
fn one(message: &Headers) -> String {
    message.len().to_string()
}

#[test]
fn a_single_sender_may_be_left_out_as_well() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || drop(one(&from_many(1)[0])));
        traces
            .span("one")
            .is_root()
            .has_links(1)
            .links_to("poll loop")
            .has_attribute("throughline.links.left_out", 1);
    });
}
