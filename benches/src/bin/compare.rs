//! Times throughline beside what a user would write by hand, in one run: `cargo run --release --bin compare`.
//!
//! Each round times all ways of a row one after another, and a ratio is taken within a round: what else
//! the machine does meets all of them. The table has the median of the rounds and their quartiles. Each
//! set-up has a process of its own, since a subscriber or a provider is the process's.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use throughline_benches::{
    Message, batch, block_on, body, by_hand, compared, message, set_up::set_up,
};

const ROUNDS: usize = 41;

type Way<'a> = (&'static str, Box<dyn Fn() -> usize + 'a>);

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(how) = arguments.next() else {
        println!("| set-up | row | way | ns | ratio to the first | quartiles |");
        println!("|---|---|---|---|---|---|");
        let itself = std::env::current_exe().expect("a path");
        // Without a subscriber first: once one was set, `tracing` asks more.
        for how in ["nothing", "alone", "alone-unsampled", "stock", "layer", "layer-unsampled"] {
            let status = Command::new(&itself).arg(how).status().expect("it can be run");
            assert!(status.success(), "{how}");
        }
        return;
    };
    let sampled = !how.ends_with("unsampled");
    set_up(&how);
    let message = message(sampled);
    let without = Message::from([("tenant".to_owned(), "acme".to_owned())]);
    let batches = [10, 128, 1000].map(batch);
    let through_tracing = how.starts_with("layer");

    fn way<'a>(name: &'static str, run: impl Fn() -> usize + 'a) -> Way<'a> {
        (name, Box::new(run))
    }
    for awaits in [0, 100] {
        let link = || block_on(compared::link(&message, awaits));
        let continued = || block_on(compared::continued(&message, awaits));
        let row = |relation: &str| format!("{relation}, {awaits} awaits");
        if through_tracing {
            let by_hand = || block_on(by_hand::tracing_link(&message, awaits));
            let instrument = || block_on(by_hand::instrument(&message, awaits));
            time(
                &how,
                &row("link"),
                &[
                    way("`tracing` by hand", by_hand),
                    way("throughline", link),
                    way("`#[instrument]`, no context", instrument),
                ],
            );
            let by_hand = || block_on(by_hand::tracing_continue(&message, awaits));
            time(
                &how,
                &row("continue"),
                &[way("`tracing` by hand", by_hand), way("throughline", continued)],
            );
            continue;
        }
        let by_hand = || block_on(by_hand::api_link(&message, awaits));
        time(
            &how,
            &row("link"),
            &[
                way("the API by hand", by_hand),
                way("throughline", link),
                way("the SDK's floor", || block_on(by_hand::floor(&message, awaits))),
                way("the bare handler", || block_on(body(&message, awaits))),
            ],
        );
        let by_hand = || block_on(by_hand::api_continue(&message, awaits));
        time(
            &how,
            &row("continue"),
            &[
                way("the API by hand", by_hand),
                way("throughline", continued),
                way("extract and attach alone", || {
                    block_on(by_hand::pass_through(&message, awaits))
                }),
            ],
        );
    }
    if through_tracing {
        return;
    }
    time(
        &how,
        "no context",
        &[
            way("the API by hand", || block_on(by_hand::api_link(&without, 0))),
            way("throughline", || block_on(compared::link(&without, 0))),
        ],
    );
    for batch in &batches {
        time(
            &how,
            &format!("batch of {}", batch.len()),
            &[
                way("the API by hand", || block_on(by_hand::api_batch(batch))),
                way("throughline", || block_on(compared::batch(batch))),
            ],
        );
    }
}

fn time(how: &str, row: &str, ways: &[Way<'_>]) {
    let repeats = repeats_for(&ways[0].1);
    let mut nanoseconds = vec![Vec::with_capacity(ROUNDS); ways.len()];
    for round in 0..ROUNDS {
        for step in 0..ways.len() {
            // No way is always the first.
            let at = (round + step) % ways.len();
            nanoseconds[at].push(once(&ways[at].1, repeats));
        }
    }
    for (at, (name, _)) in ways.iter().enumerate() {
        let ratios = nanoseconds[at].iter().zip(&nanoseconds[0]).map(|(own, first)| own / first);
        let [low, middle, high] = quartiles(ratios.collect());
        let [_, typical, _] = quartiles(nanoseconds[at].clone());
        println!("| {how} | {row} | {name} | {typical:.0} | {middle:.2} | {low:.2} to {high:.2} |");
    }
}

/// Enough of them to take about two milliseconds.
fn repeats_for(run: &dyn Fn() -> usize) -> u32 {
    let mut repeats = 8;
    while once(run, repeats) * f64::from(repeats) < 2e6 {
        repeats *= 2;
    }
    repeats
}

/// How many nanoseconds one of them takes.
fn once(run: &dyn Fn() -> usize, repeats: u32) -> f64 {
    let began = Instant::now();
    for _ in 0..repeats {
        black_box(run());
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(repeats)
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| values[values.len() * quarter / 4])
}
