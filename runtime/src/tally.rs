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
const COUNTERS: usize = OF_CONTEXTS + 4;

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

    #[test]
    fn what_threads_have_added_is_the_sum_while_they_live_and_after() {
        // Of no use to anybody else.
        let counter = Counter(COUNTERS - 1);
        let (added, looked) = (Barrier::new(9), Barrier::new(9));
        thread::scope(|scope| {
            for how_many in 1..=8 {
                let (added, looked) = (&added, &looked);
                scope.spawn(move || {
                    counter.add(how_many);
                    added.wait();
                    looked.wait();
                });
            }
            added.wait();
            assert_eq!(counter.sum(), 36);
            looked.wait();
        });
        counter.add(4);
        assert_eq!(counter.sum(), 40);
    }

    #[test]
    fn what_is_added_while_a_thread_ends_is_counted_too() {
        struct AddsAtTheEnd(Counter);
        impl Drop for AddsAtTheEnd {
            fn drop(&mut self) {
                self.0.add(1);
            }
        }
        // Of no use to anybody else.
        const COUNTER: Counter = Counter(COUNTERS - 2);
        const { assert!(COUNTERS - 2 > super::OF_CONTEXTS) };
        thread_local! {
            // One of them is dropped after the thread's own counters, in whichever order that is done.
            static EARLY: AddsAtTheEnd = const { AddsAtTheEnd(COUNTER) };
            static LATE: AddsAtTheEnd = const { AddsAtTheEnd(COUNTER) };
        }
        let ended = thread::spawn(|| {
            EARLY.with(|_| COUNTER.add(1));
            LATE.with(|_| ());
        });
        ended.join().expect("it ends");
        assert_eq!(COUNTER.sum(), 3);
    }
}
