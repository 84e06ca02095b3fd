//! Several messages handled by one call.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::Message;

/// Several messages that are handled by one call.
///
/// Implemented for slices, arrays, `Vec` and `VecDeque` of messages and for what points to one. A
/// client's own batch type says so by implementing it.
///
/// ```
/// use throughline::{Batch, Message, Traced};
///
/// struct Records(Vec<Traced<String>>);
///
/// impl Batch for Records {
///     fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
///         self.0.each(visit);
///     }
/// }
///
/// let records = Records(vec![Traced::new("a".into()), Traced::new("b".into())]);
/// let mut count = 0;
/// records.each(&mut |_| count += 1);
/// assert_eq!(count, 2);
/// ```
pub trait Batch {
    /// Calls `visit` with each message in order.
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message));
}

impl<M: Message> Batch for [M] {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        for message in self {
            visit(message);
        }
    }
}

impl<M: Message, const N: usize> Batch for [M; N] {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        self.as_slice().each(visit);
    }
}

impl<M: Message> Batch for Vec<M> {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        self.as_slice().each(visit);
    }
}

impl<M: Message> Batch for VecDeque<M> {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        for message in self {
            visit(message);
        }
    }
}

macro_rules! batch_behind_a_pointer {
    ($($pointer:ty),+) => {$(
        impl<B: Batch + ?Sized> Batch for $pointer {
            fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
                (**self).each(visit);
            }
        }
    )+};
}

batch_behind_a_pointer!(&B, &mut B, Box<B>, Rc<B>, Arc<B>);

impl<B: Batch + ToOwned + ?Sized> Batch for Cow<'_, B> {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        (**self).each(visit);
    }
}
