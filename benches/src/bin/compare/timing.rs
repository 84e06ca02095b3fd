//! The ways of a row beside each other. Each round times all of them one after another, and a ratio is taken
//! within a round: what else the machine does meets all of them.

use std::time::Duration;

use throughline_benches::ways::{Row, Way};

use crate::figure::{Figure, Quartiles, Threads};

const ROUNDS: usize = 41;

pub fn figures(set_up: &str, row: &Row<'_>) -> Vec<Figure> {
    let handlings: Vec<u64> = row.ways.iter().map(handlings_of_a_round).collect();
    let mut nanoseconds = vec![Vec::with_capacity(ROUNDS); row.ways.len()];
    for round in 0..ROUNDS {
        for step in 0..row.ways.len() {
            // No way is always the first.
            let at = (round + step) % row.ways.len();
            nanoseconds[at].push(of_a_message(&row.ways[at], handlings[at]));
        }
    }
    let figure = |(way, own): (&Way<'_>, &Vec<f64>)| Figure {
        threads: Threads::One,
        set_up: set_up.to_owned(),
        row: row.name.clone(),
        way: way.name.to_owned(),
        nanoseconds: Quartiles::of(own.iter().copied()).median,
        ratio: Quartiles::of(own.iter().zip(&nanoseconds[0]).map(|(own, first)| own / first)),
    };
    row.ways.iter().zip(&nanoseconds).map(figure).collect()
}

/// Enough of them to take about two milliseconds.
fn handlings_of_a_round(way: &Way<'_>) -> u64 {
    let mut handlings = 1;
    while way.time(handlings) < Duration::from_millis(2) {
        handlings *= 2;
    }
    handlings
}

fn of_a_message(way: &Way<'_>, handlings: u64) -> f64 {
    way.time(handlings).as_secs_f64() * 1e9 / handlings as f64 / way.messages as f64
}
