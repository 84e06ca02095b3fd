//! `docs/traces.md` draws the trace of every relation. Each of its trees is what the code beside it
//! makes, in both worlds, and each line of that code stands here too.

// A page for newcomers shows what a handler is given, not what one might do with it.
#![allow(unused_variables, clippy::unused_async, clippy::needless_pass_by_value, clippy::ptr_arg)]

use throughline::testing::Capture;
use throughline::{Relation, TraceContext, async_consumer, async_producer, async_task};
use throughline_tests::Headers;

const PAGE: &str = include_str!("../docs/traces.md");
const THIS_FILE: &str = include_str!("traces_page.rs");

type Order = Headers;

#[async_producer(destination = "orders")]
async fn publish(order: &mut Order) {}

/// A request that publishes an order.
async fn ordered() -> Order {
    let request = throughline::task("POST /orders").run(async {
        let mut order = Order::new();
        publish(&mut order).await;
        Some(order)
    });
    request.await.expect("an order")
}

async fn in_poll_loop<F: Future<Output = ()>>(body: F) {
    throughline::task("poll loop").run(body).await;
}

/// A part of the page: what stands under a heading, up to the next.
fn parts() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n## ").skip(1).flat_map(|chapter| chapter.split("\n### ")).map(|part| {
        let (heading, text) = part.split_once('\n').unwrap_or((part, ""));
        (heading, text)
    })
}

/// The fenced blocks in `text` of this language.
fn blocks(text: &'static str, language: &str) -> Vec<&'static str> {
    let fenced = text.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// The only tree under this heading is what `body` makes.
#[track_caller]
fn shows(heading: &str, body: impl AsyncFn()) {
    let (_, text) = parts().find(|part| part.0 == heading).expect("a heading of the page");
    let [tree] = blocks(text, "text")[..] else { panic!("one tree under {heading}") };
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(capture.run(body())).assert_tree(tree);
    }
}

mod continued {
    use super::*;

    #[async_consumer(continue, destination = "orders")]
    async fn charge_card(order: Order) {}

    #[test]
    fn one_trace() {
        shows("Somebody waits for it: `continue`", async || charge_card(ordered().await).await);
    }

    #[test]
    fn in_a_poll_loop() {
        shows("`continue`, called by a poll loop that has a span", async || {
            let order = ordered().await;
            in_poll_loop(charge_card(order)).await;
        });
    }
}

mod linked {
    use super::*;

    #[async_consumer(link, destination = "orders")]
    async fn send_newsletter(order: Order) {}

    #[test]
    fn two_traces() {
        shows("It has a pace of its own: `link`", async || {
            send_newsletter(ordered().await).await;
        });
    }

    #[test]
    fn in_a_poll_loop() {
        shows("`link`, called by a poll loop that has a span", async || {
            let order = ordered().await;
            in_poll_loop(send_newsletter(order)).await;
        });
    }
}

mod nested {
    use super::*;

    #[async_consumer(link, nested, destination = "orders")]
    async fn reconcile(order: Order) {}

    #[test]
    fn under_the_run_around_it() {
        shows("The run around it is the story: `link, nested`", async || {
            let order = ordered().await;
            throughline::task("nightly run").run(reconcile(order)).await;
        });
    }
}

mod ignored {
    use super::*;

    #[async_consumer(ignore, destination = "orders")]
    async fn receive_webhook(order: Order) {}

    #[test]
    fn no_way_back() {
        shows("The sender is not trusted: `ignore`", async || {
            receive_webhook(ordered().await).await;
        });
    }
}

mod chosen {
    use super::*;

    #[async_consumer(mode = relation, destination = "orders")]
    async fn audit(#[message] order: Order, relation: Relation) {}

    #[test]
    fn for_each_call() {
        shows("It depends: `mode`", async || {
            let order = ordered().await;
            audit(order.clone(), Relation::CONTINUE).await;
            audit(order, Relation::LINK).await;
        });
    }
}

mod bounded {
    use super::*;

    #[async_consumer(continue, within = "15m", destination = "orders")]
    async fn pack(order: Order) {}

    #[test]
    fn by_age() {
        shows("Continue, but not for ever: `within`", async || {
            let mut order = ordered().await;
            pack(order.clone()).await;
            for (name, value) in &mut order {
                // Sent some time in 2001.
                if name == "throughline-sent" {
                    *value = "1000000000000".to_owned();
                }
            }
            pack(order).await;
        });
    }

    #[async_consumer(continue, max_hops = 2, destination = "orders")]
    async fn poll_status(order: Order) -> Option<Order> {
        let mut again = Order::new();
        publish(&mut again).await;
        Some(again)
    }

    #[test]
    fn by_hops() {
        shows("A message that sends the next one: `max_hops`", async || {
            let mut order = ordered().await;
            for _ in 0..3 {
                order = poll_status(order).await.expect("the next one");
            }
        });
    }

    #[async_producer(destination = "reminders", new_trace)]
    async fn remind_tomorrow(order: &mut Order) {}

    #[async_consumer(continue, destination = "reminders")]
    async fn remind(order: Order) {}

    #[test]
    fn by_the_sender() {
        shows("The sender asks for a new trace: `new_trace`", async || {
            let request = throughline::task("POST /orders").run(async {
                let mut order = Order::new();
                remind_tomorrow(&mut order).await;
                Some(order)
            });
            remind(request.await.expect("an order")).await;
        });
    }
}

mod batches {
    use super::*;

    #[async_consumer(link, destination = "orders")]
    async fn record_sales(orders: Vec<Order>) {}

    #[test]
    fn handled() {
        shows("Many messages in one call: `link` on a batch", async || {
            let batch = vec![ordered().await, ordered().await];
            record_sales(batch).await;
        });
    }

    #[async_consumer(link, nested, destination = "orders")]
    async fn reconcile_all(orders: Vec<Order>) {}

    #[test]
    fn under_the_run_around_it() {
        shows("A batch in a run that is the story: `link, nested` on a batch", async || {
            let batch = vec![ordered().await, ordered().await];
            throughline::task("nightly run").run(reconcile_all(batch)).await;
        });
    }

    #[async_consumer(ignore, destination = "orders")]
    async fn receive_webhooks(orders: Vec<Order>) {}

    #[test]
    fn no_way_back() {
        shows("A batch from people who are not trusted: `ignore` on a batch", async || {
            receive_webhooks(vec![ordered().await, ordered().await]).await;
        });
    }

    #[async_consumer(mode = relation, destination = "orders")]
    async fn audit_all(#[message] orders: Vec<Order>, relation: Relation) {}

    #[test]
    fn never_continued() {
        shows("A batch whose relation depends: `mode` on a batch", async || {
            audit_all(vec![ordered().await, ordered().await], Relation::CONTINUE).await;
        });
    }

    #[async_consumer(link, nested, destination = "orders")]
    async fn record_one(order: &Order) {}

    #[async_consumer(link, destination = "orders")]
    async fn record_each(orders: Vec<Order>) {
        for order in &orders {
            record_one(order).await;
        }
    }

    #[test]
    fn handled_one_by_one_inside() {
        shows("A batch, and a span for each message in it", async || {
            record_each(vec![ordered().await, ordered().await]).await;
        });
    }

    #[async_producer(destination = "orders")]
    async fn publish_all(orders: &mut Vec<Order>) {}

    #[async_consumer(continue, destination = "orders")]
    async fn charge_card(order: Order) {}

    #[test]
    fn sent() {
        shows("Many messages sent by one call", async || {
            let mut orders = vec![Order::new(), Order::new()];
            publish_all(&mut orders).await;
            for order in orders {
                charge_card(order).await;
            }
        });
    }

    #[test]
    fn created_and_sent() {
        shows("Sent by one call, and told apart: `create`", async || {
            let mut orders = vec![Order::new(), Order::new()];
            for order in &mut orders {
                throughline::create("new_order").destination("orders").run_sync(order, |_| ());
            }
            publish_all(&mut orders).await;
            for order in orders {
                charge_card(order).await;
            }
        });
    }
}

mod retries {
    use super::*;

    #[async_producer(destination = "orders", retry)]
    async fn send_again(order: Order) -> Option<Order> {
        Some(order)
    }

    #[async_consumer(continue, destination = "orders")]
    async fn charge_card(#[message] order: Order, card_is_busy: bool) -> Option<Order> {
        if card_is_busy { send_again(order).await } else { None }
    }

    #[test]
    fn sent_again() {
        shows("A message that is sent again: `retry`", async || {
            let again = charge_card(ordered().await, true).await.expect("it is sent again");
            assert!(charge_card(again, false).await.is_none());
        });
    }
}

mod tasks {
    use super::*;

    #[async_task(continue)]
    async fn resize_picture(id: u32) {}

    #[async_task(link)]
    async fn warm_cache(id: u32) {}

    #[test]
    fn both() {
        shows("Work spawned in a request: `async_task`", async || {
            let request = throughline::task("POST /pictures").run(async {
                let (resize, warm) = (tokio::spawn(resize_picture(7)), tokio::spawn(warm_cache(7)));
                Some((resize, warm))
            });
            let (resize, warm) = request.await.expect("two tasks");
            assert!(resize.await.is_ok() && warm.await.is_ok());
        });
    }
}

mod processes {
    use super::*;

    struct Signup {
        origin: TraceContext,
    }

    #[async_consumer(link, from = &signup.origin)]
    async fn send_reminder(signup: &Signup) {}

    #[test]
    fn of_many_requests() {
        shows("A process of many requests", async || {
            let post = throughline::task("POST /signups")
                .run(async { Some(Signup { origin: TraceContext::begin("sign-up") }) });
            let signup = post.await.expect("a sign-up");
            let confirm = async {
                signup.origin.link_current_span();
                signup.origin.add_step("confirm e-mail");
            };
            throughline::task("GET /confirm").link().run(confirm).await;
            send_reminder(&signup).await;
        });
    }
}

mod handlers_in_handlers {
    use super::*;

    #[async_consumer(continue, destination = "orders")]
    async fn charge_card(order: &Order) {}

    #[async_consumer(link, destination = "orders")]
    async fn dispatch(order: Order) {
        charge_card(&order).await;
    }

    #[test]
    fn of_one_message() {
        shows("A handler that calls a handler", async || dispatch(ordered().await).await);
    }
}

mod polls {
    use super::*;

    #[async_consumer(link, destination = "orders")]
    async fn pack(order: &Order) {
        throughline::settle("ack").destination("orders").run(order, async {}).await;
    }

    #[test]
    fn and_settlements() {
        shows("Polls and settlements as spans", async || {
            let order = ordered().await;
            let poll = throughline::receive("poll").destination("orders").operation("poll");
            let order = poll.run(async { Some(order) }).await.expect("an order");
            pack(&order).await;
        });
    }
}

#[test]
fn every_tree_of_the_page_is_made_here() {
    for (heading, text) in parts() {
        let is_made = THIS_FILE.contains(&format!("shows(\"{heading}\""));
        assert_eq!(is_made, !blocks(text, "text").is_empty(), "{heading}");
    }
}

#[test]
fn every_line_of_code_on_the_page_is_here_too() {
    let here: Vec<_> = THIS_FILE.lines().map(str::trim).collect();
    for (heading, text) in parts() {
        for line in blocks(text, "rust").into_iter().flat_map(str::lines).map(str::trim) {
            assert!(line.is_empty() || here.contains(&line), "{heading}: {line}");
        }
    }
}
