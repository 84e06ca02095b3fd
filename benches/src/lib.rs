//! One message handled once, in each of the ways that are compared. All say the same of it: a consumer's
//! span with four attributes, linked to its sender or continuing it, and made active in the handler.

pub mod by_hand;
pub mod compared;
pub mod fewest_calls;
pub mod messages;
pub mod set_up;
pub mod ways;

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use messages::Message;

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
