//! What the workers' spans are related to, in both worlds.

use throughline::testing::{Capture, Traces};

use super::*;

/// Runs `body` with an OpenTelemetry layer that listens to `tracing`, and with OpenTelemetry alone.
async fn in_both_worlds(body: impl AsyncFn(), check: impl Fn(&Traces)) {
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        check(&capture.run(body()).await);
    }
}

fn order(card: &str) -> Order {
    Order { card: card.to_owned() }
}

#[tokio::test]
async fn a_task_that_carries_its_context_in_the_arguments_is_continued() {
    in_both_worlds(
        async || {
            let mut orders = MemoryStorage::new();
            push_order(&mut orders, Traced::new(order("4000"))).await.expect("pushed");
            charge_cards(orders).await.expect("no error of the worker's");
        },
        |traces| {
            traces.assert_tree(
                "
                trace A
                  send orders                        producer
                    process orders                   consumer   continues A/send orders
                ",
            );
        },
    )
    .await;
}

#[tokio::test]
async fn a_task_that_carries_its_context_in_the_metadata_is_linked() {
    in_both_worlds(
        async || {
            let mut newsletters = MemoryStorage::new();
            push_newsletter(&mut newsletters, order("4000")).await.expect("pushed");
            send_newsletters(newsletters).await.expect("no error of the worker's");
        },
        |traces| {
            traces.assert_tree(
                "
                trace A
                  send newsletters                   producer
                trace B
                  process newsletters                consumer   links to A/send newsletters
                ",
            );
            let span =
                traces.span("process newsletters").has_attribute("messaging.system", "apalis");
            assert!(span.attribute("messaging.message.id").is_some(), "{span:?}");
        },
    )
    .await;
}

#[tokio::test]
async fn each_attempt_has_its_span_and_the_errors_own_name() {
    in_both_worlds(
        async || {
            let mut orders = MemoryStorage::new();
            push_order(&mut orders, Traced::new(order(""))).await.expect("pushed");
            charge_cards(orders).await.expect("no error of the worker's");
        },
        |traces| {
            traces.assert_tree(
                "
                trace A
                  send orders                        producer
                    process orders                   consumer   continues A/send orders; error: PaymentError: no such card
                    process orders                   consumer   continues A/send orders; error: PaymentError: no such card
                    process orders                   consumer   continues A/send orders; error: PaymentError: no such card
                ",
            );
        },
    )
    .await;
}
