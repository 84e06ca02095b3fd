//! Several messages handled by one call.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::{Facts, Message, MessageMut};

/// Several messages that are handled by one call.
///
/// Implemented for slices, arrays, `Vec` and `VecDeque` of messages and for what points to one; `None`
/// is a batch of none. A client's own batch type says so by implementing it.
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

    /// Says what the batch knows of all its messages and they themselves do not, such as the stream
    /// that they stand in.
    ///
    /// ```
    /// use throughline::{Batch, Facts, Message, Traced};
    ///
    /// struct Partition {
    ///     number: u32,
    ///     records: Vec<Traced<String>>,
    /// }
    ///
    /// impl Batch for Partition {
    ///     fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
    ///         self.records.each(visit);
    ///     }
    ///
    ///     fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
    ///         facts.partition(self.number.to_string());
    ///     }
    /// }
    /// ```
    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let _ = facts;
    }
}

/// Several messages that trace context can be written into: what a producer sends by one call.
///
/// Implemented for slices, arrays, `Vec` and `VecDeque` of writable messages and for what points to
/// one.
///
/// ```
/// use throughline::{BatchMut, Traced};
///
/// let mut orders = vec![Traced::new(1), Traced::new(2)];
/// orders.each_mut(&mut |order| order.remove_header("traceparent"));
/// ```
pub trait BatchMut: Batch {
    /// Calls `visit` with each message, in the same order as [`each`](Batch::each).
    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut dyn MessageMut));
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

            fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
                (**self).describe(facts);
            }
        }
    )+};
}

batch_behind_a_pointer!(&B, &mut B, Box<B>, Rc<B>, Arc<B>);

impl<B: Batch + ToOwned + ?Sized> Batch for Cow<'_, B> {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        (**self).each(visit);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        (**self).describe(facts);
    }
}

impl<B: Batch> Batch for Option<B> {
    fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
        if let Some(batch) = self {
            batch.each(visit);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        if let Some(batch) = self {
            batch.describe(facts);
        }
    }
}

impl<M: MessageMut> BatchMut for [M] {
    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut dyn MessageMut)) {
        for message in self {
            visit(message);
        }
    }
}

impl<M: MessageMut, const N: usize> BatchMut for [M; N] {
    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut dyn MessageMut)) {
        self.as_mut_slice().each_mut(visit);
    }
}

impl<M: MessageMut> BatchMut for Vec<M> {
    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut dyn MessageMut)) {
        self.as_mut_slice().each_mut(visit);
    }
}

impl<M: MessageMut> BatchMut for VecDeque<M> {
    fn each_mut(&mut self, visit: &mut dyn FnMut(&mut dyn MessageMut)) {
        for message in self {
            visit(message);
        }
    }
}

macro_rules! writable_batch_behind_a_pointer {
    ($($pointer:ty),+) => {$(
        impl<B: BatchMut + ?Sized> BatchMut for $pointer {
            fn each_mut(&mut self, visit: &mut dyn FnMut(&mut dyn MessageMut)) {
                (**self).each_mut(visit);
            }
        }
    )+};
}

writable_batch_behind_a_pointer!(&mut B, Box<B>);
