//! However a user's handler is written and ends, its span stands where its registration says.

use std::fmt::Error;
use std::future::{pending, ready};
use std::panic::resume_unwind;

use broker::{Broker, Record};
use throughline::testing;
use throughline::{Relation, TraceContext};

use super::Worker;

/// A broker with one order in it, sent by a span of its own.
fn broker_with_an_order() -> Broker {
    let broker = Broker::default();
    let mut record = Record { topic: "orders".to_owned(), ..Record::default() };
    throughline::produce("publish").run_sync(&mut record, |record| broker.send(record.clone()));
    broker
}

async fn succeed(_order: Vec<u8>) -> Result<(), Error> {
    Ok(())
}

#[tokio::test]
async fn a_handler_that_continues_is_in_its_senders_trace() {
    let traces = testing::capture(async {
        let worker = Worker::new().on("orders", Relation::CONTINUE, succeed);
        worker.run(&broker_with_an_order()).await;
    })
    .await;
    traces.assert_tree(
        "
        trace A
          send orders                        producer
            process orders                   consumer   continues A/send orders
        ",
    );
    let handler = "throughline_test_framework::tests::succeed";
    traces.span("process orders").has_attribute("code.function.name", handler);
}

#[tokio::test]
async fn a_handler_that_links_has_its_own_trace() {
    let traces = testing::capture(async {
        let worker = Worker::new().on("orders", Relation::LINK, succeed);
        worker.run(&broker_with_an_order()).await;
    })
    .await;
    traces.assert_tree(
        "
        trace A
          send orders                        producer
        trace B
          process orders                     consumer   links to A/send orders
        ",
    );
}

#[tokio::test]
async fn each_try_of_a_handler_that_fails_has_a_span() {
    let traces = testing::capture(async {
        let fail = |_order| async { Err("no stock".to_owned()) };
        let worker = Worker::new().on("orders", Relation::LINK, fail);
        worker.run(&broker_with_an_order()).await;
    })
    .await;
    traces.assert_tree(
        "
        trace A
          send orders                        producer
        trace B
          process orders                     consumer   links to A/send orders; error: String: no stock
        trace C
          process orders                     consumer   links to A/send orders; error: String: no stock
        ",
    );
}

#[tokio::test]
async fn a_handler_that_panics_ends_its_span() {
    let traces = testing::capture(async {
        // Panics without the hook's words in the test's output.
        let panic = |_order| async { resume_unwind(Box::new("no stock")) };
        let worker = Worker::new().on::<_, _, Error>("orders", Relation::CONTINUE, panic);
        let broker = broker_with_an_order();
        let ended = tokio::spawn(async move { worker.run(&broker).await }).await;
        assert!(ended.is_err_and(|error| error.is_panic()));
    })
    .await;
    traces.assert_tree(
        "
        trace A
          send orders                        producer
            process orders                   consumer   continues A/send orders; error: panic
        ",
    );
}

#[tokio::test]
async fn a_handler_that_is_dropped_ends_its_span() {
    let traces = testing::capture(async {
        let worker =
            Worker::new().on("orders", Relation::LINK, |_order| pending::<Result<(), Error>>());
        let broker = broker_with_an_order();
        tokio::select! {
            biased;
            () = worker.run(&broker) => unreachable!("its handler never ends"),
            () = ready(()) => {}
        }
    })
    .await;
    traces.assert_tree(
        "
        trace A
          send orders                        producer
        trace B
          process orders                     consumer   links to A/send orders; error: cancelled
        ",
    );
}

#[tokio::test]
async fn all_that_a_handler_does_is_in_its_span() {
    let traces = testing::capture(async {
        // Does half of its work before there is a future.
        let handler = |_order| {
            let before = TraceContext::current();
            async move {
                assert_eq!(before, TraceContext::current());
                Ok::<_, Error>(())
            }
        };
        let worker = Worker::new().on("orders", Relation::LINK, handler);
        worker.run(&broker_with_an_order()).await;
    })
    .await;
    traces.span("process orders").status_is_unset();
}
