//! How often one handling allocates, counted exactly, beside the same by hand. A change that allocates more
//! fails here, and so does one that allocates less without writing it down.
//!
//! Each set-up has a process of its own, since a subscriber or a provider is the process's: this program
//! runs itself once for each of them.

use std::process::ExitCode;

use throughline_benches::messages::{Messages, batch};
use throughline_benches::set_up::SetUp;
use throughline_benches::ways::{BY_HAND, THROUGHLINE, Way, rows};
use throughline_benches::{block_on, compared};

const SEND: &str = "send";
const SEND_IN_MEMORY: &str = "send, in memory";
const TASK: &str = "task";

const HANDLED: [&str; 10] = [
    "link",
    "link, 100 awaits",
    "continue",
    "link, no context",
    "link, seven facts",
    SEND,
    "link, in memory",
    SEND_IN_MEMORY,
    TASK,
    "batch of 128",
];

/// The allocations of each under throughline, and by hand.
type Counts = [(u64, u64); HANDLED.len()];

const WRITTEN_DOWN: [(&str, Counts); 10] = [
    (
        "nothing",
        [(1, 9), (1, 9), (2, 9), (1, 5), (2, 13), (3, 5), (2, 6), (2, 4), (2, 4), (7, 518)],
    ),
    (
        "alone",
        [(7, 11), (7, 11), (8, 11), (6, 7), (13, 15), (12, 12), (8, 8), (8, 6), (7, 6), (12, 520)],
    ),
    (
        "alone-unsampled",
        [(7, 11), (7, 11), (8, 11), (6, 7), (13, 15), (12, 12), (8, 8), (8, 6), (7, 6), (12, 520)],
    ),
    (
        "handed-over",
        [(4, 11), (4, 11), (5, 11), (3, 7), (10, 15), (9, 12), (5, 8), (5, 6), (4, 6), (9, 520)],
    ),
    (
        "handed-over-unsampled",
        [(4, 11), (4, 11), (5, 11), (3, 7), (10, 15), (9, 12), (5, 8), (5, 6), (4, 6), (9, 520)],
    ),
    (
        "w3c",
        [(7, 11), (7, 11), (8, 11), (6, 7), (13, 15), (12, 12), (8, 8), (8, 6), (7, 6), (12, 520)],
    ),
    (
        "stock",
        [(9, 12), (9, 12), (9, 12), (6, 8), (15, 16), (15, 12), (8, 8), (8, 6), (7, 6), (268, 648)],
    ),
    (
        "layer",
        [
            (11, 19),
            (11, 19),
            (12, 19),
            (10, 15),
            (19, 31),
            (16, 22),
            (13, 17),
            (12, 16),
            (10, 12),
            (23, 536),
        ],
    ),
    (
        "layer-unsampled",
        [
            (11, 18),
            (11, 18),
            (12, 18),
            (9, 14),
            (19, 31),
            (15, 21),
            (12, 16),
            (11, 15),
            (10, 11),
            (22, 535),
        ],
    ),
    (
        "layer-plain",
        [
            (8, 15),
            (8, 15),
            (9, 15),
            (6, 11),
            (16, 28),
            (12, 18),
            (9, 13),
            (8, 12),
            (7, 8),
            (19, 532),
        ],
    ),
];

fn main() -> ExitCode {
    if let Some(set_up) = SetUp::of_this_process() {
        count_all(set_up);
        return ExitCode::SUCCESS;
    }
    let mut all_right = true;
    println!("set-up, way: throughline, by hand");
    for (how, expected) in WRITTEN_DOWN {
        let set_up = SetUp::named(how).expect("a set-up");
        let output = set_up.process().output().expect("it can be run");
        assert!(output.status.success(), "{how}: {}", String::from_utf8_lossy(&output.stderr));
        let counted = String::from_utf8(output.stdout).expect("text");
        let counted: Vec<&str> = counted.lines().collect();
        assert_eq!(counted.len(), expected.len(), "{how}: {counted:?}");
        for (counted, (way, (ours, by_hand))) in
            counted.into_iter().zip(HANDLED.into_iter().zip(expected))
        {
            let written_down = line(way, ours, by_hand);
            // By hand nobody looks at what is sent, and the SDK's propagators are asked but once.
            let is_looked_at = way == SEND && how == "stock";
            // Of a sender and a caller by hand their very spans are kept, which may hold these open.
            let is_kept = way == SEND_IN_MEMORY || way == TASK;
            let may_be_more = is_looked_at || is_kept;
            assert!(ours <= by_hand || may_be_more, "{how}, {written_down}: more than by hand");
            if counted == written_down {
                println!("{how}, {counted}");
            } else {
                println!("{how}, {counted}, but written down is {written_down}");
                all_right = false;
            }
        }
    }
    if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn line(way: &str, ours: u64, by_hand: u64) -> String {
    format!("{way}: {ours}, {by_hand}")
}

fn count_all(set_up: &SetUp) {
    set_up.install();
    let messages = Messages::new(set_up.sampled);
    let rows = rows(set_up, &messages);
    for what in HANDLED {
        let row = rows.iter().find(|row| row.name == what).expect("a row");
        let [ours, by_hand] = [THROUGHLINE, BY_HAND].map(|way| count(row.way(way).expect("a way")));
        println!("{}", line(what, ours, by_hand));
    }

    let of_as_many_traces = batch(0..10_000);
    let handle_all = || {
        for message in &of_as_many_traces {
            block_on(compared::continued(message, 0));
        }
    };
    let kept = allocation_counter::measure(handle_all).bytes_current;
    assert_eq!(kept, 0, "nothing is kept for each trace");
}

/// The first handlings set up what stays: a thread's stacks, a callsite, an extension's map.
fn count(way: &Way<'_>) -> u64 {
    const TIMES: u64 = 64;
    let many = || {
        for _ in 0..TIMES {
            std::hint::black_box(way.handle());
        }
    };
    many();
    let counted = allocation_counter::measure(many);
    assert_eq!(counted.bytes_current, 0, "nothing stays of a message that was handled");
    assert_eq!(counted.count_total % TIMES, 0, "each handling allocates as often as the next");
    counted.count_total / TIMES
}
