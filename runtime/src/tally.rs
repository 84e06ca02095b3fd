//! Counters that are added to by many threads and seldom read: each thread adds in a place of its own, as
//! far as there are places, so that no two wait for one another.

use std::sync::atomic::{AtomicUsize, Ordering};

const PLACES: usize = 32;

/// `N` counters.
pub(crate) struct Tally<const N: usize>([Place<N>; PLACES]);

/// Apart from its neighbours by what processors hold of memory at a time.
#[repr(align(128))]
struct Place<const N: usize>([AtomicUsize; N]);

impl<const N: usize> Tally<N> {
    pub(crate) const fn new() -> Self {
        Self([const { Place([const { AtomicUsize::new(0) }; N]) }; PLACES])
    }

    pub(crate) fn add(&self, counter: usize, how_many: usize) {
        self.0[own_place()].0[counter].fetch_add(how_many, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self, counter: usize) -> usize {
        self.0.iter().map(|place| place.0[counter].load(Ordering::Relaxed)).sum()
    }
}

fn own_place() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = THREADS.fetch_add(1, Ordering::Relaxed) % PLACES;
    }
    // Where the thread's storage is gone already, any will do.
    OWN.try_with(|own| *own).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn what_many_threads_add_is_the_sum() {
        static TALLY: Tally<2> = Tally::new();
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    TALLY.add(0, 1);
                    TALLY.add(1, 2);
                });
            }
        });
        assert_eq!([TALLY.sum(0), TALLY.sum(1)], [40, 80]);
    }
}
