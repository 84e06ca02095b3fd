//! Counters that many threads add to for every message, and few read.
//!
//! Each thread adds to its own, which nobody else writes to: so it waits for no other, and needs no locked
//! instruction. When a thread ends, what it has counted is kept.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter(pub(crate) usize);

/// Where those of the ways of spans begin, two for each way.
pub(crate) const OF_WAYS: usize = 0;
/// And those of the contexts of messages.
pub(crate) const OF_CONTEXTS: usize = OF_WAYS + 16;
const COUNTERS: usize = OF_CONTEXTS + 3 + cfg!(test) as usize;

type Counters = [AtomicUsize; COUNTERS];

#[derive(Debug)]
struct All {
    of_living_threads: Vec<Arc<Counters>>,
    of_others: [usize; COUNTERS],
}

static ALL: Mutex<All> =
    Mutex::new(All { of_living_threads: Vec::new(), of_others: [0; COUNTERS] });

fn all() -> MutexGuard<'static, All> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Those of one thread, for as long as it lives.
struct Own(Arc<Counters>);

thread_local! {
    static OWN: Own = Own::new();
}

impl Own {
    fn new() -> Self {
        let counters = Arc::new([const { AtomicUsize::new(0) }; COUNTERS]);
        all().of_living_threads.push(Arc::clone(&counters));
        Self(counters)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let mut all = all();
        all.of_living_threads.retain(|counters| !Arc::ptr_eq(counters, &self.0));
        for (sum, own) in all.of_others.iter_mut().zip(&*self.0) {
            *sum += own.load(Ordering::Relaxed);
        }
    }
}

impl Counter {
    #[inline]
    pub(crate) fn add(self, how_many: usize) {
        let added = OWN.try_with(|Own(counters)| {
            let own = &counters[self.0];
            own.store(own.load(Ordering::Relaxed) + how_many, Ordering::Relaxed);
        });
        if added.is_err() {
            // The thread is about to end, and what it had counted is with the others already.
            all().of_others[self.0] += how_many;
        }
    }

    pub(crate) fn sum(self) -> usize {
        let all = all();
        let living = all.of_living_threads.iter().map(|it| it[self.0].load(Ordering::Relaxed));
        all.of_others[self.0] + living.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::{COUNTERS, Counter};

    /// The one that is there for these tests.
    const COUNTER: Counter = Counter(COUNTERS - 1);

    struct AddsAtTheEnd;

    impl Drop for AddsAtTheEnd {
        fn drop(&mut self) {
            COUNTER.add(1);
        }
    }

    thread_local! {
        static EARLY: AddsAtTheEnd = const { AddsAtTheEnd };
        static LATE: AddsAtTheEnd = const { AddsAtTheEnd };
    }

    #[test]
    fn what_threads_have_added_is_the_sum_while_they_live_and_after() {
        let (added, looked) = (Barrier::new(9), Barrier::new(9));
        thread::scope(|scope| {
            for how_many in 1..=8 {
                let (added, looked) = (&added, &looked);
                scope.spawn(move || {
                    COUNTER.add(how_many);
                    added.wait();
                    looked.wait();
                });
            }
            added.wait();
            assert_eq!(COUNTER.sum(), 36);
            looked.wait();
        });
        COUNTER.add(4);
        assert_eq!(COUNTER.sum(), 40);

        // One of them is dropped after the thread's own counters, in whichever order that is done.
        let ended = thread::spawn(|| {
            EARLY.with(|_| COUNTER.add(1));
            LATE.with(|_| ());
        });
        ended.join().expect("it ends");
        assert_eq!(COUNTER.sum(), 43);
    }
}
