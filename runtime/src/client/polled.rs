//! What a poll can bring.

use std::fmt;

use crate::carrier::{Batch, Message, Said};
use crate::consumer::{Many, One, Received, Wanted};

/// A message, a batch, an `Option` of a message, or a `Result` of one of these: what a poll brings.
/// `Number` is inferred.
///
/// Implemented for every [`Message`] and every [`Batch`]; there is nothing to implement here.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what a poll brings",
    label = "neither a message nor a batch, an `Option` or a `Result` of one",
    note = "for a message type of your own, derive or implement `throughline::Message`",
    note = "in place of a stream's `next` write `try_next`, which yields a `Result` of an `Option`"
)]
pub trait Polled<Number> {
    #[doc(hidden)]
    fn polled<'m>(&'m self, wanted: Wanted<'m>, said: Said) -> Option<Received<'m>>;
}

/// What may have failed: the marker by which it is told from what can't.
pub struct Fallible<Number>(std::marker::PhantomData<Number>);

impl<Number> fmt::Debug for Fallible<Number> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fallible")
    }
}

impl<M: Message + ?Sized> Polled<One> for M {
    fn polled<'m>(&'m self, wanted: Wanted<'m>, said: Said) -> Option<Received<'m>> {
        Some(if self.is_there() {
            Received::of(self, &wanted, said)
        } else {
            Received::none_of_a_batch(said)
        })
    }
}

impl<B: Batch + ?Sized> Polled<Many> for B {
    fn polled<'m>(&'m self, wanted: Wanted<'m>, said: Said) -> Option<Received<'m>> {
        Some(Received::of(self, &wanted, said))
    }
}

impl<T: Polled<Number>, E, Number> Polled<Fallible<Number>> for Result<T, E> {
    fn polled<'m>(&'m self, wanted: Wanted<'m>, said: Said) -> Option<Received<'m>> {
        self.as_ref().ok().and_then(|brought| brought.polled(wanted, said))
    }
}
