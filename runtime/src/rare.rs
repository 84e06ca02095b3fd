//! What is mostly not there.

use std::ops::{Deref, DerefMut};

/// An option that is mostly none. To drop none is to look at it: what drops anything else is kept out of the
/// way of the code that every message runs through, of which a processor holds only so much at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rare<T>(Option<T>);

impl<T> Default for Rare<T> {
    #[inline]
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<Option<T>> for Rare<T> {
    #[inline]
    fn from(it: Option<T>) -> Self {
        Self(it)
    }
}

impl<T> Deref for Rare<T> {
    type Target = Option<T>;

    #[inline]
    fn deref(&self) -> &Option<T> {
        &self.0
    }
}

impl<T> DerefMut for Rare<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Option<T> {
        &mut self.0
    }
}

impl<T> Drop for Rare<T> {
    #[inline]
    fn drop(&mut self) {
        if self.0.is_some() {
            drop_it(self.0.take());
        }
    }
}

#[cold]
#[inline(never)]
fn drop_it<T>(it: Option<T>) {
    drop(it);
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::Rare;

    #[test]
    fn what_is_there_is_dropped_once_and_can_be_taken() {
        let counted = Rc::new(());
        let mut rare = Rare::from(Some(Rc::clone(&counted)));
        let other = rare.clone();
        assert_eq!(Rc::strong_count(&counted), 3);
        drop(other);
        assert_eq!(Rc::strong_count(&counted), 2);
        let taken = rare.take();
        drop(rare);
        assert!(taken.is_some_and(|it| Rc::ptr_eq(&it, &counted)));
        assert_eq!(Rc::strong_count(&counted), 1);
    }
}
