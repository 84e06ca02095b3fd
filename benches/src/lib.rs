//! One message handled once, in each of the ways that are compared. All say the same of it: a consumer's
//! span with four attributes, linked to its sender or continuing it, and made active in the handler.

pub mod by_hand;
pub mod compared;
pub mod set_up;

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A message as a broker's client would have it, for the stock propagator as well.
pub type Message = HashMap<String, String>;

/// The message that is handled: it carries a `traceparent` and a header of the user's.
pub fn message(sampled: bool) -> Message {
    let flags = if sampled { "01" } else { "00" };
    let traceparent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
    HashMap::from([
        ("traceparent".to_owned(), traceparent),
        ("tenant".to_owned(), "acme".to_owned()),
    ])
}

/// So many messages of as many senders.
pub fn batch(messages: u64) -> Vec<Message> {
    let of = |n: u64| {
        let traceparent = format!("00-{:032x}-{:016x}-01", u128::from(n) + 1, n + 1);
        HashMap::from([("traceparent".to_owned(), traceparent)])
    };
    (0..messages).map(of).collect()
}

/// Polls until it is ready; what is compared waits for nothing but [`yield_now`].
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

/// An await that is pending once.
pub async fn yield_now() {
    let mut is_ready = false;
    std::future::poll_fn(|_| {
        if std::mem::replace(&mut is_ready, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// What a handler does in all of them: next to nothing.
pub async fn body(message: &Message, awaits: usize) -> usize {
    for _ in 0..awaits {
        yield_now().await;
    }
    std::hint::black_box(message.len())
}
