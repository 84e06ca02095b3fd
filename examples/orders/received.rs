//! An order as a handler receives it, whichever broker has brought it.

use std::ops::Deref;

use throughline::Message;

use crate::order::Order;

/// An order, and the message that it came in: the trace context is read from there, and what the
/// message tells of itself stands on the handler's span.
#[derive(Message)]
pub struct Received {
    order: Order,
    #[message(headers)]
    message: Box<dyn Message + Send + Sync>,
}

impl Received {
    pub fn new(order: Order, message: impl Message + Send + Sync + 'static) -> Self {
        Self { order, message: Box::new(message) }
    }
}

/// To a handler it is the order.
impl Deref for Received {
    type Target = Order;

    fn deref(&self) -> &Order {
        &self.order
    }
}
