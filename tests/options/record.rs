//! `throughline::record` fills a field later, in either world.

use throughline::testing::Capture;
use throughline::{async_consumer, async_producer, field};
use throughline_tests::{Headers, SENDER, from, in_both_worlds, in_span};

use crate::with_a_log;

#[async_consumer(link, fields(order.total = Empty, customer = Empty, paid = Empty, note = Empty))]
fn recording(message: &Headers) {
    throughline::record("order.total", message.len());
    in_span("inner", || {
        // From its own span a producer records on itself.
        throughline::record("customer", "of the inner span");
    });
    tracing::info_span!("a span of tracing's").in_scope(|| {
        throughline::record("customer", field::display(&"Ada"));
        throughline::record("paid", true);
    });
    throughline::record("note", None::<&str>);
    throughline::record("not declared", 12.5);
}

#[async_producer(destination = "orders", fields(partition = Empty))]
fn publish(message: &mut Headers) {
    message.clear();
    throughline::record("partition", 3);
}

#[async_consumer(link, fields(before = Empty, after = Empty))]
async fn over_an_await(message: Headers) {
    throughline::record("before", message.len());
    tokio::task::yield_now().await;
    throughline::record("after", message.len());
}

#[async_consumer(link, enabled = false, fields(inner = Empty))]
fn switched_off(message: &Headers) {
    throughline::record("inner", message.len());
}

#[async_consumer(link)]
fn around(message: &Headers) {
    switched_off(message);
    throughline::record("outer", true);
}

#[test]
fn a_field_is_filled_on_the_handlers_span() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| recording(&from(SENDER)));
        traces
            .span("recording")
            .has_attribute("order.total", 1)
            .has_attribute("customer", "Ada")
            .has_attribute("paid", true)
            .has_attribute("not declared", 12.5)
            .has_no_attribute("note");
        traces.span("inner").has_attribute("customer", "of the inner span");
        for span in traces.all() {
            let keys: Vec<_> = span.data().attributes.iter().map(|it| it.key.as_str()).collect();
            let mut distinct = keys.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), keys.len(), "each key once: {keys:?}");
        }
    });
}

#[test]
fn a_producer_and_a_future_record_too() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| publish(&mut Headers::new()));
        traces.span("send orders").has_attribute("partition", 3);
    });
    in_both_worlds(|capture| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let traces = runtime.block_on(capture.run(async {
            tokio::join!(over_an_await(from(SENDER)), over_an_await(Headers::new()));
        }));
        let sizes: Vec<_> = traces
            .spans("over_an_await")
            .iter()
            .map(|span| (span.attribute("before").cloned(), span.attribute("after").cloned()))
            .collect();
        let one = (Some(1.into()), Some(1.into()));
        let none = (Some(0.into()), Some(0.into()));
        assert!(sizes.contains(&one) && sizes.contains(&none), "{sizes:?}");
    });
}

#[test]
fn where_nothing_runs_nothing_is_recorded_and_an_outer_handler_is_left_alone() {
    throughline::record("nobody", 1);
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| around(&from(SENDER)));
        traces.span("around").has_attribute("outer", true).has_no_attribute("inner");
    });
}

#[test]
fn a_declared_field_stands_in_the_log_lines_from_then_on() {
    #[async_consumer(link, fields(size = Empty))]
    fn telling(message: &Headers) {
        tracing::info!("before");
        throughline::record("size", message.len());
        tracing::info!("after");
    }

    with_a_log(|capture| {
        let (_, lines) = capture(&mut || telling(&from(SENDER)));
        assert!(!lines[0].contains("size=1") && lines[1].contains("size=1"), "{lines:?}");
    });
}

#[test]
fn a_value_may_run_a_handler_while_it_is_displayed() {
    struct Odd;
    impl std::fmt::Display for Odd {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            around(&from(SENDER));
            throughline::record("deeper", 1);
            f.write_str("odd")
        }
    }

    #[async_consumer(link, fields(odd = Empty))]
    fn displaying(message: &Headers) {
        throughline::record("odd", field::display(&Odd));
        throughline::record("size", message.len());
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| displaying(&from(SENDER)));
        traces.span("displaying").has_attribute("odd", "odd").has_attribute("size", 1);
    });
}

#[test]
fn a_panic_leaves_the_outer_handler_to_record_on() {
    #[async_consumer(link)]
    fn panicking(message: &Headers) {
        assert!(message.is_empty());
    }

    #[async_consumer(link)]
    fn catching(message: &Headers) {
        assert!(std::panic::catch_unwind(|| panicking(message)).is_err());
        throughline::record("survived", true);
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| catching(&from(SENDER)));
        traces.span("catching").has_attribute("survived", true);
    });
}

#[test]
fn a_declared_field_reaches_the_span_once_with_a_formatter_beside_it() {
    #[async_consumer(link, fields(size = Empty))]
    fn counted(message: &Headers) {
        throughline::record("size", message.len());
    }

    with_a_log(|capture| {
        let (traces, _) = capture(&mut || counted(&from(SENDER)));
        // `has_attribute` fails where a key is there twice.
        traces.span("counted").has_attribute("size", 1);
    });
}

/// One world after the other on one thread: nothing of the first span is left to the second.
#[test]
fn a_declared_field_reaches_the_span_once_after_one_of_the_other_world() {
    #[async_consumer(link, fields(size = Empty))]
    fn counted(message: &Headers) {
        throughline::record("size", message.len());
    }

    for capture in [Capture::new().without_tracing(), Capture::new()] {
        let traces = capture.run_sync(|| counted(&from(SENDER)));
        // `has_attribute` fails where a key is there twice.
        traces.span("counted").has_attribute("size", 1);
    }
}

#[test]
fn a_field_that_was_not_declared_stands_in_no_log_line_whatever_its_name() {
    #[async_consumer(link)]
    fn telling(message: &Headers) {
        throughline::record("throughline.relation.kind", "not so");
        throughline::record("not declared", message.len());
        tracing::info!("after");
    }

    with_a_log(|capture| {
        let (traces, lines) = capture(&mut || telling(&from(SENDER)));
        let told = &traces.span("telling").data().attributes;
        assert!(told.iter().any(|it| it.value.as_str() == "not so"), "{told:?}");
        assert!(!lines[0].contains("not so") && !lines[0].contains("not declared"), "{lines:?}");
    });
}
