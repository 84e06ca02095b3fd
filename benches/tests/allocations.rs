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

/// What is handled, the allocations under throughline, and by hand.
type Counts = [(&'static str, u64, u64); 7];

const LINK: &str = "link";
const LINK_AWAITING: &str = "link, 100 awaits";
const CONTINUE: &str = "continue";
const NO_CONTEXT: &str = "link, no context";
const FACTS: &str = "link, seven facts";
const SEND: &str = "send";
const BATCH: &str = "batch of 128";

const ALONE: Counts = [
    (LINK, 7, 11),
    (LINK_AWAITING, 7, 11),
    (CONTINUE, 8, 11),
    (NO_CONTEXT, 6, 7),
    (FACTS, 14, 15),
    (SEND, 12, 12),
    (BATCH, 12, 520),
];

const HANDED_OVER: Counts = [
    (LINK, 4, 11),
    (LINK_AWAITING, 4, 11),
    (CONTINUE, 5, 11),
    (NO_CONTEXT, 3, 7),
    (FACTS, 11, 15),
    (SEND, 9, 12),
    (BATCH, 9, 520),
];

const WRITTEN_DOWN: [(&str, Counts); 10] = [
    (
        "nothing",
        [
            (LINK, 1, 9),
            (LINK_AWAITING, 1, 9),
            (CONTINUE, 2, 9),
            (NO_CONTEXT, 1, 5),
            (FACTS, 3, 13),
            (SEND, 3, 5),
            (BATCH, 7, 518),
        ],
    ),
    ("alone", ALONE),
    ("alone-unsampled", ALONE),
    ("handed-over", HANDED_OVER),
    ("handed-over-unsampled", HANDED_OVER),
    ("w3c", ALONE),
    (
        "stock",
        [
            (LINK, 9, 12),
            (LINK_AWAITING, 9, 12),
            (CONTINUE, 9, 12),
            (NO_CONTEXT, 6, 8),
            (FACTS, 16, 16),
            (SEND, 15, 12),
            (BATCH, 268, 648),
        ],
    ),
    (
        "layer",
        [
            (LINK, 11, 19),
            (LINK_AWAITING, 11, 19),
            (CONTINUE, 12, 19),
            (NO_CONTEXT, 10, 15),
            (FACTS, 20, 31),
            (SEND, 16, 22),
            (BATCH, 23, 536),
        ],
    ),
    (
        "layer-unsampled",
        [
            (LINK, 11, 18),
            (LINK_AWAITING, 11, 18),
            (CONTINUE, 12, 18),
            (NO_CONTEXT, 9, 14),
            (FACTS, 20, 31),
            (SEND, 15, 21),
            (BATCH, 22, 535),
        ],
    ),
    (
        "layer-plain",
        [
            (LINK, 8, 15),
            (LINK_AWAITING, 8, 15),
            (CONTINUE, 9, 15),
            (NO_CONTEXT, 6, 11),
            (FACTS, 17, 28),
            (SEND, 12, 18),
            (BATCH, 19, 532),
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
        for (counted, (way, ours, by_hand)) in counted.into_iter().zip(expected) {
            let written_down = line(way, ours, by_hand);
            // By hand nobody looks at what is sent, and then the SDK's propagators are asked but once.
            let is_looked_at = way == SEND && how == "stock";
            assert!(ours <= by_hand || is_looked_at, "{how}, {written_down}: more than by hand");
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
    for what in [LINK, LINK_AWAITING, CONTINUE, NO_CONTEXT, FACTS, SEND, BATCH] {
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
