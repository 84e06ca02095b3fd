//! The work of two threads beside that of one. Each round has every way work for the same time on one thread
//! and on two at once. The bare handler, which shares nothing, tells what the machine has left for a second.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use throughline_benches::ways::{Row, Way};

use crate::figure::{Figure, Quartiles, Threads};

const ROUNDS: usize = 21;
const ROUND: Duration = Duration::from_millis(20);

pub fn figures(set_up: &str, row: &Row<'_>) -> Vec<Figure> {
    let ways: Vec<_> = row.ways.iter().filter(|way| !way.leaves_work_behind()).collect();
    let mut rates = vec![Vec::with_capacity(ROUNDS); ways.len()];
    for round in 0..ROUNDS {
        for (way, rates) in ways.iter().zip(&mut rates) {
            // One and two take turns at being first.
            let [first, second] = if round % 2 == 0 { [1, 2] } else { [2, 1] };
            let [first, second] = [rate(way, first), rate(way, second)];
            rates.push(if round % 2 == 0 { [first, second] } else { [second, first] });
        }
    }
    let figure = |(way, rates): (&&Way<'_>, &Vec<[f64; 2]>)| Figure {
        threads: Threads::Two,
        set_up: set_up.to_owned(),
        row: row.name.clone(),
        way: way.name.to_owned(),
        nanoseconds: Quartiles::of(rates.iter().map(|[of_one, _]| 1e9 / of_one)).median,
        ratio: Quartiles::of(rates.iter().map(|[of_one, of_two]| of_two / of_one)),
    };
    ways.iter().zip(&rates).map(figure).collect()
}

/// How many messages so many threads handle in a second.
fn rate(way: &Way<'_>, threads: usize) -> f64 {
    let start = Barrier::new(threads);
    let work = || {
        // What a thread sets up for itself.
        way.time(1);
        start.wait();
        rate_of_this_thread(way)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|thread| thread.join().expect("it can be handled")).sum()
    })
}

fn rate_of_this_thread(way: &Way<'_>) -> f64 {
    const BETWEEN_LOOKS_AT_THE_CLOCK: usize = 64;
    let began = Instant::now();
    let mut handled = 0;
    loop {
        for _ in 0..BETWEEN_LOOKS_AT_THE_CLOCK {
            black_box(way.handle());
        }
        handled += BETWEEN_LOOKS_AT_THE_CLOCK * way.messages;
        let taken = began.elapsed();
        if taken >= ROUND {
            return handled as f64 / taken.as_secs_f64();
        }
    }
}
