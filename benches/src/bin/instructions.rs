//! Handles messages in one of the ways, for callgrind to count what that takes: `instructions SET-UP ROW WAY`
//! prints how many messages were handled in [`counted`]. Without arguments it lists what may be written.

use std::hint::black_box;

use throughline_benches::messages::Messages;
use throughline_benches::set_up::SetUp;
use throughline_benches::ways::{FASTRACE_COLLECTING, Way, rows};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => list(),
        [set_up, row, way] => {
            if let Some(handled) = run(set_up, row, way) {
                println!("{handled}");
            } else {
                eprintln!("no {way} in {row} in {set_up}");
                std::process::exit(2);
            }
        }
        _ => {
            eprintln!("usage: instructions [SET-UP ROW WAY]");
            std::process::exit(2);
        }
    }
}

/// Set-up, row and way, with tabs between.
fn list() {
    for set_up in SetUp::COMPARED {
        for row in rows(set_up, &Messages::new(set_up.sampled)) {
            // What depends on when another thread runs is another number in every run.
            for way in row.ways.iter().filter(|way| way.name != FASTRACE_COLLECTING) {
                println!("{}\t{}\t{}", set_up.name, row.name, way.name);
            }
        }
    }
}

fn run(set_up: &str, row: &str, way: &str) -> Option<usize> {
    let set_up = SetUp::named(set_up)?;
    let messages = Messages::new(set_up.sampled);
    let rows = rows(set_up, &messages);
    let way = rows.iter().find(|it| it.name == row)?.way(way)?;
    set_up.install();

    // The first handlings set up what stays: a thread's stacks, a callsite, an extension's map.
    way.time(50);
    let handlings = way.at_once().min(1000 / way.messages as u64);
    counted(way, handlings);
    Some(handlings as usize * way.messages)
}

/// A symbol that callgrind can find.
#[inline(never)]
fn counted(way: &Way<'_>, handlings: u64) {
    for _ in 0..handlings {
        black_box(way.handle());
    }
}
