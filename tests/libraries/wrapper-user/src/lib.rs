//! A service that knows throughline only through its company's crate, `../wrapper`.
//!
//! It shows both ways to write a handler there: with the company's own macro, and with
//! throughline's attributes where `crate = PATH` says how this crate reaches the runtime.

use std::sync::mpsc::{SendError, Sender};

use company::handler;
use company::throughline::{async_consumer, async_producer, Message, MessageMut, Traced};

/// What the service handles.
#[derive(Debug, Clone)]
pub struct Order {
    /// Its number.
    pub id: u32,
    /// The card it is paid with.
    pub card: String,
}

/// Sends an order to whoever handles it.
///
/// # Errors
/// If nobody does any more.
#[async_producer(destination = "orders", crate = company::throughline)]
pub fn publish(
    orders: &Sender<Traced<Order>>,
    #[message] order: Traced<Order>,
) -> Result<(), SendError<Traced<Order>>> {
    orders.send(order)
}

/// The customer waits for this.
///
/// # Errors
/// If there is no card.
#[async_consumer(
    continue,
    destination = "orders",
    fields(order.id = order.id),
    crate = company::throughline
)]
pub async fn charge_card(order: Traced<Order>) -> Result<(), String> {
    if order.card.is_empty() {
        Err("no card".to_owned())
    } else {
        Ok(())
    }
}

handler! {
    (link, "orders")
    /// Nobody waits for this.
    pub async fn send_newsletter(order: Traced<Order>) -> u32 {
        order.id
    }
}

handler! {
    (link, format!("stock.{shelf}"), from = order, name = "reserve stock", fields(shelf))
    /// As much of the attribute as there is, through the company's macro.
    pub fn reserve_stock(shelf: u8, order: &Traced<Order>) -> Option<u32> {
        (shelf < 10).then_some(order.id)
    }
}

/// What another service asks for.
#[derive(Debug, Message, MessageMut)]
#[message(system = "company_bus", destination = "refunds", crate = company::throughline)]
pub struct Refund {
    /// As they came over the bus.
    #[message(headers)]
    pub headers: Vec<(String, String)>,
    /// The order's number.
    #[message(conversation_id)]
    pub order: u32,
}

/// Asks for a refund.
#[async_producer(crate = company::throughline)]
pub fn ask_back(refund: Refund) -> Refund {
    refund
}

/// Gives the money back.
#[async_consumer(continue, crate = company::throughline)]
pub async fn pay_back(refund: Refund) -> u32 {
    refund.order
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use company::throughline::testing;

    use super::*;

    /// An order, as it comes to its handlers.
    fn published(card: &str) -> Traced<Order> {
        let (orders, handlers) = channel();
        let order = Order { id: 7, card: card.to_owned() };
        publish(&orders, Traced::new(order)).expect("somebody handles it");
        handlers.recv().expect("an order")
    }

    #[tokio::test]
    async fn handlers_are_related_to_the_producer() {
        let traces = testing::capture(async {
            let order = published("4000");
            reserve_stock(3, &order);
            charge_card(order.clone()).await.expect("it has a card");
            send_newsletter(order).await;
        })
        .await;

        traces.assert_tree(
            "
            trace A
              send orders                        producer
                process orders                   consumer   continues A/send orders
            trace B
              process orders                     consumer   links to A/send orders
            trace C
              reserve stock                      consumer   links to A/send orders
            ",
        );
        traces.span("A/process orders").has_attribute("order.id", 7);
        traces.span("B/process orders").has_attribute("messaging.system", "company_bus");
        traces
            .span("reserve stock")
            .has_attribute("messaging.destination.name", "stock.3")
            .has_attribute("shelf", 3);
    }

    #[tokio::test]
    async fn a_failure_shows() {
        let traces = testing::capture(async { charge_card(published("")).await }).await;
        traces.span("process orders").continues("send orders").is_error_with("no card");
    }
    #[tokio::test]
    async fn a_message_of_its_own_is_derived() {
        let traces = testing::capture(async {
            let refund = ask_back(Refund { headers: Vec::new(), order: 7 });
            pay_back(refund).await;
        })
        .await;

        traces
            .span("process refunds")
            .continues("send refunds")
            .has_attribute("messaging.system", "company_bus")
            .has_attribute("messaging.message.conversation_id", "7");
    }
    #[tokio::test]
    async fn instrument_may_stand_below() {
        #[async_consumer(link, crate = company::throughline)]
        #[tracing::instrument(name = "inner", skip_all)]
        async fn instrumented(order: Traced<Order>) -> u32 {
            order.id
        }

        let traces = testing::capture(async { instrumented(published("4000")).await }).await;
        traces.span("instrumented").is_root().links_to("send orders");
        traces.span("inner").is_child_of("instrumented");
    }
}
