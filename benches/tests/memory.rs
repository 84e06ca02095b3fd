//! Nothing is kept of what was handled, be it for each message id, each destination or each trace: what is
//! allocated and what is resident, after a tenth of the messages and after all of them.
//!
//! `cargo test --release --test memory -- 10000000` handles so many in each set-up.

use std::collections::HashMap;
use std::ops::Range;
use std::process::ExitCode;

use throughline::{Message, MessageMut, async_consumer, async_producer};
use throughline_benches::messages::{Messages, batch, traceparent};
use throughline_benches::set_up::SetUp;
use throughline_benches::ways::{BY_HAND, THROUGHLINE, rows};
use throughline_benches::{block_on, compared};

const IN_A_TEST: u64 = 50_000;

/// What the process may take more, since an allocator need not give back what is free.
const SPARE_KIB: u64 = 1024;

/// How many bytes may be held while a batch is handled: of the span and its links, and of each message.
const OF_A_SPAN: u64 = 24 * 1024;
const OF_A_MESSAGE: u64 = 128;

fn main() -> ExitCode {
    let given = std::env::args().nth(1).and_then(|argument| argument.parse().ok());
    let messages = given.unwrap_or(IN_A_TEST);
    if let Some(set_up) = SetUp::of_this_process() {
        handle_all(set_up, messages);
        return ExitCode::SUCCESS;
    }
    println!("set-up, what: bytes allocated after a tenth and after all, KiB resident then");
    let in_its_own_process = |set_up: &SetUp| set_up.process().status().expect("it can be run");
    // All of them, though one may fail.
    let failed =
        SetUp::COMPARED.iter().filter(|set_up| !in_its_own_process(set_up).success()).count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn handle_all(set_up: &SetUp, messages: u64) {
    set_up.install();
    let name = set_up.name;
    stays_flat(&format!("{name}, {messages} messages"), messages, handle_one);
    let batches = messages / 1000;
    stays_flat(&format!("{name}, {batches} batches of 1000"), batches, handle_a_batch);
    holds_little_of_a_batch(set_up);
}

/// A message, a destination and a trace that there were not before, both linked and continued, and what the
/// handler sends.
fn handle_one(nth: u64) {
    let delivery = Delivery::new(nth);
    block_on(link(&delivery));
    block_on(continued(&delivery));
}

#[derive(Message, MessageMut)]
struct Delivery {
    #[message(id)]
    id: String,
    #[message(destination)]
    destination: String,
    #[message(headers)]
    headers: HashMap<String, String>,
}

impl Delivery {
    fn new(nth: u64) -> Self {
        Self {
            id: format!("message-{nth}"),
            destination: format!("destination-{nth}"),
            headers: HashMap::from([("traceparent".to_owned(), traceparent(nth))]),
        }
    }
}

#[async_consumer(link)]
async fn link(delivery: &Delivery) -> usize {
    delivery.id.len()
}

#[async_consumer(continue)]
async fn continued(delivery: &Delivery) -> usize {
    let mut answer = Delivery {
        id: format!("answer to {}", delivery.id),
        destination: format!("answers of {}", delivery.destination),
        headers: HashMap::new(),
    };
    send(&mut answer).await
}

#[async_producer]
async fn send(message: &mut Delivery) -> usize {
    message.headers.len()
}

fn handle_a_batch(nth: u64) {
    block_on(compared::batch(&batch(nth * 1000..(nth + 1) * 1000)));
}

/// Holds what a tenth of the handlings leaves, where all is set up that stays, against what all leave.
fn stays_flat(what: &str, handlings: u64, handle: impl Fn(u64)) {
    let handle_all =
        |range: Range<u64>| allocation_counter::measure(|| range.for_each(&handle)).bytes_current;
    let allocated = handle_all(0..handlings / 10);
    let resident = resident_kib();
    let allocated_since = handle_all(handlings / 10..handlings);
    let resident_since = resident_kib();

    let after_all = allocated + allocated_since;
    println!("{what}: {allocated} and {after_all} bytes, {resident} and {resident_since} KiB");
    assert_eq!(allocated_since, 0, "{what}: something of each stays allocated");
    assert!(resident_since <= resident + SPARE_KIB, "{what}: what is resident grows");
}

/// Nought where the system does not say.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    resident.trim_matches(|it: char| !it.is_ascii_digit()).parse().unwrap_or(0)
}

/// What a batch takes while it is handled, though the SDK keeps 128 links at the most.
fn holds_little_of_a_batch(set_up: &SetUp) {
    let messages = Messages::new(set_up.sampled);
    for row in rows(set_up, &messages).iter().filter(|row| row.name.starts_with("batch")) {
        let peak = |way| {
            let way = row.way(way).expect("a way");
            (way.messages as u64, allocation_counter::measure(|| _ = way.handle()).bytes_max)
        };
        let [(messages, ours), (_, by_hand)] = [THROUGHLINE, BY_HAND].map(peak);
        let what = format!("{}, {}", set_up.name, row.name);
        println!("{what}: {ours} bytes at most, by hand {by_hand}");
        assert!(ours <= OF_A_SPAN + messages * OF_A_MESSAGE, "{what}: it holds {ours} bytes");
    }
}
