//! What is compared, for all the programs here: rows, each with the ways to handle the same.

use std::hint::black_box;
use std::time::{Duration, Instant};

use opentelemetry::Context;

use crate::messages::{Message, Messages, Order, Record};
use crate::set_up::SetUp;
use crate::{block_on, body, by_hand, compared, fewest_calls};

/// Ways that do the same. The others are held against the first.
pub struct Row<'a> {
    pub name: String,
    pub ways: Vec<Way<'a>>,
}

/// One way to handle a message or a batch.
pub struct Way<'a> {
    pub name: &'static str,
    /// How many messages are handled by one call.
    pub messages: usize,
    handle: Box<dyn Fn() -> usize + Send + Sync + 'a>,
    leaves: Option<LeftBehind>,
}

/// What a way leaves for another thread to do.
struct LeftBehind {
    /// After how many handlings it has to be done.
    every: u64,
    settle: fn(),
}

pub const BY_HAND: &str = "by hand";
pub const BY_HAND_WITH_A_TRACER: &str = "by hand, tracer kept";
pub const FEWEST_CALLS: &str = "fewest calls";
pub const FEWEST_CALLS_WITH_A_TRACER: &str = "fewest calls, tracer kept";
pub const THROUGHLINE: &str = "throughline";
pub const FASTRACE: &str = "fastrace";
pub const FASTRACE_COLLECTING: &str = "fastrace, collecting";

/// All rows of a set-up, each held against what is written by hand.
pub fn rows<'a>(set_up: &SetUp, messages: &'a Messages) -> Vec<Row<'a>> {
    let awaits = [0, 10, 100];
    let mut rows = Vec::new();
    rows.extend(awaits.map(|awaits| link(set_up, &messages.one, awaits)));
    rows.extend(awaits.map(|awaits| continued(set_up, &messages.one, awaits)));
    rows.push(link_without_context(set_up, &messages.without_context));
    rows.push(link_with_facts(set_up, &messages.record));
    rows.push(send(set_up));
    rows.push(link_in_memory(set_up, messages));
    rows.push(send_in_memory(set_up));
    rows.push(task(set_up, &messages.order.sender));
    rows.extend(messages.batches.iter().map(|batch| batched(set_up, batch)));
    rows
}

/// Longer batches held against shorter ones: whether a message costs the same in each.
pub fn lengths<'a>(set_up: &SetUp, messages: &'a Messages) -> Vec<Row<'a>> {
    let [_, shorter, longer] = &messages.batches;
    let name = |way: &str| format!("a message of a batch, {way}");
    vec![
        Row {
            name: name(BY_HAND),
            ways: vec![
                batch_by_hand("of 128", set_up, shorter),
                batch_by_hand("of 1000", set_up, longer),
            ],
        },
        Row {
            name: name(THROUGHLINE),
            ways: vec![
                batch_of_throughline("of 128", shorter),
                batch_of_throughline("of 1000", longer),
            ],
        },
    ]
}

fn link<'a>(set_up: &SetUp, message: &'a Message, awaits: usize) -> Row<'a> {
    let mut ways = vec![
        link_by_hand(set_up, message, awaits),
        Way::new(THROUGHLINE, move || block_on(compared::link(message, awaits))),
    ];
    ways.extend(without_context(set_up, message, awaits));
    if set_up.hands_over {
        let kept = move || block_on(by_hand::kept_link(message, awaits));
        ways.push(Way::new(BY_HAND_WITH_A_TRACER, kept));
    }
    ways.push(link_by_fewest_calls(set_up, message, awaits));
    if set_up.has_fastrace {
        let link = move || block_on(by_hand::fastrace_link(message, awaits));
        ways.extend(Way::of_fastrace(awaits, link));
    }
    Row { name: awaiting("link", awaits), ways }
}

fn continued<'a>(set_up: &SetUp, message: &'a Message, awaits: usize) -> Row<'a> {
    let mut ways = vec![
        child_by_hand(set_up, message, awaits),
        Way::new(THROUGHLINE, move || block_on(compared::continued(message, awaits))),
    ];
    ways.extend(without_context(set_up, message, awaits));
    if !set_up.through_tracing {
        let pass_through = move || block_on(by_hand::pass_through(message, awaits));
        ways.push(Way::new("pass-through", pass_through));
    }
    if set_up.hands_over {
        let kept = move || block_on(by_hand::kept_continue(message, awaits));
        ways.push(Way::new(BY_HAND_WITH_A_TRACER, kept));
    }
    ways.push(child_by_fewest_calls(set_up, message, awaits));
    if set_up.has_fastrace {
        let child = move || block_on(by_hand::fastrace_continue(message, awaits));
        ways.extend(Way::of_fastrace(awaits, child));
    }
    Row { name: awaiting("continue", awaits), ways }
}

fn link_without_context<'a>(set_up: &SetUp, message: &'a Message) -> Row<'a> {
    let mut ways = vec![
        link_by_hand(set_up, message, 0),
        Way::new(THROUGHLINE, move || block_on(compared::link(message, 0))),
    ];
    ways.push(link_by_fewest_calls(set_up, message, 0));
    Row { name: "link, no context".to_owned(), ways }
}

/// A message that tells six things of itself, and its handler one.
fn link_with_facts<'a>(set_up: &SetUp, record: &'a Record) -> Row<'a> {
    let by_hand = by_hand(
        set_up,
        move || block_on(by_hand::api_record(record)),
        move || block_on(by_hand::tracing_record(record)),
    );
    let ours = Way::new(THROUGHLINE, move || block_on(compared::record(record)));
    Row { name: "link, seven facts".to_owned(), ways: vec![by_hand, ours] }
}

/// A message that is sent, with room for its headers and none yet.
fn send(set_up: &SetUp) -> Row<'static> {
    let by_hand = by_hand(
        set_up,
        || block_on(by_hand::api_send(&mut Message::with_capacity(4))),
        || block_on(by_hand::tracing_send(&mut Message::with_capacity(4))),
    );
    let ours = Way::new(THROUGHLINE, || block_on(compared::send(&mut Message::with_capacity(4))));
    Row { name: "send".to_owned(), ways: vec![by_hand, ours] }
}

/// A message that has come by a channel within the process.
fn link_in_memory<'a>(set_up: &SetUp, messages: &'a Messages) -> Row<'a> {
    let Messages { order, traced_order, .. } = messages;
    let by_hand = by_hand(
        set_up,
        move || block_on(by_hand::api_link_in_memory(order)),
        move || block_on(by_hand::tracing_link_in_memory(order)),
    );
    let ours = Way::new(THROUGHLINE, move || block_on(compared::link_in_memory(traced_order)));
    Row { name: "link, in memory".to_owned(), ways: vec![by_hand, ours] }
}

/// A message on its way into such a channel.
fn send_in_memory(set_up: &SetUp) -> Row<'static> {
    let by_hand = by_hand(
        set_up,
        || block_on(by_hand::api_send_in_memory(&mut Order::new())),
        || block_on(by_hand::tracing_send_in_memory(&mut Order::new())),
    );
    let send = || block_on(compared::send_in_memory(&mut Order::traced()));
    let ours = Way::new(THROUGHLINE, send);
    Row { name: "send, in memory".to_owned(), ways: vec![by_hand, ours] }
}

/// A task that somebody calls.
fn task<'a>(set_up: &SetUp, caller: &'a Context) -> Row<'a> {
    let by_hand = by_hand(
        set_up,
        move || within(caller, by_hand::api_task),
        move || within(caller, by_hand::tracing_task),
    );
    let ours = Way::new(THROUGHLINE, move || within(caller, compared::task));
    Row { name: "task".to_owned(), ways: vec![by_hand, ours] }
}

/// Calls a task within `caller`, and runs it when that is left.
pub fn within<F: Future<Output = usize>>(caller: &Context, call: impl Fn(usize) -> F) -> usize {
    let attached = caller.clone().attach();
    let task = call(7);
    drop(attached);
    block_on(task)
}

fn batched<'a>(set_up: &SetUp, batch: &'a [Message]) -> Row<'a> {
    let by_hand = batch_by_hand(BY_HAND, set_up, batch);
    let ours = batch_of_throughline(THROUGHLINE, batch);
    Row { name: format!("batch of {}", batch.len()), ways: vec![by_hand, ours] }
}

fn awaiting(relation: &str, awaits: usize) -> String {
    match awaits {
        0 => relation.to_owned(),
        _ => format!("{relation}, {awaits} awaits"),
    }
}

/// By OpenTelemetry's API or, in a set-up with a layer, through `tracing`.
fn by_hand<'a>(
    set_up: &SetUp,
    by_the_api: impl Fn() -> usize + Send + Sync + 'a,
    through_tracing: impl Fn() -> usize + Send + Sync + 'a,
) -> Way<'a> {
    if set_up.through_tracing {
        Way::new(BY_HAND, through_tracing)
    } else {
        Way::new(BY_HAND, by_the_api)
    }
}

fn link_by_hand<'a>(set_up: &SetUp, message: &'a Message, awaits: usize) -> Way<'a> {
    by_hand(
        set_up,
        move || block_on(by_hand::api_link(message, awaits)),
        move || block_on(by_hand::tracing_link(message, awaits)),
    )
}

fn child_by_hand<'a>(set_up: &SetUp, message: &'a Message, awaits: usize) -> Way<'a> {
    by_hand(
        set_up,
        move || block_on(by_hand::api_continue(message, awaits)),
        move || block_on(by_hand::tracing_continue(message, awaits)),
    )
}

fn link_by_fewest_calls<'a>(set_up: &SetUp, message: &'a Message, awaits: usize) -> Way<'a> {
    if set_up.through_tracing {
        Way::new(FEWEST_CALLS, move || block_on(fewest_calls::tracing_link(message, awaits)))
    } else if set_up.hands_over {
        let fewest = move || block_on(fewest_calls::kept_link(message, awaits));
        Way::new(FEWEST_CALLS_WITH_A_TRACER, fewest)
    } else {
        Way::new(FEWEST_CALLS, move || block_on(fewest_calls::link(message, awaits)))
    }
}

fn child_by_fewest_calls<'a>(set_up: &SetUp, message: &'a Message, awaits: usize) -> Way<'a> {
    if set_up.through_tracing {
        Way::new(FEWEST_CALLS, move || block_on(fewest_calls::tracing_continue(message, awaits)))
    } else if set_up.hands_over {
        let fewest = move || block_on(fewest_calls::kept_continue(message, awaits));
        Way::new(FEWEST_CALLS_WITH_A_TRACER, fewest)
    } else {
        Way::new(FEWEST_CALLS, move || block_on(fewest_calls::continued(message, awaits)))
    }
}

/// What does less: a span that knows of no sender, and none at all.
fn without_context<'a>(set_up: &SetUp, message: &'a Message, awaits: usize) -> [Way<'a>; 2] {
    let span = if set_up.through_tracing {
        Way::new("instrument", move || block_on(by_hand::instrument(message, awaits)))
    } else {
        Way::new("floor", move || block_on(by_hand::floor(message, awaits)))
    };
    [span, Way::new("bare", move || block_on(body(message, awaits)))]
}

fn batch_by_hand<'a>(name: &'static str, set_up: &SetUp, batch: &'a [Message]) -> Way<'a> {
    if set_up.through_tracing {
        Way::new(name, move || block_on(by_hand::tracing_batch(batch))).of(batch.len())
    } else {
        Way::new(name, move || block_on(by_hand::api_batch(batch))).of(batch.len())
    }
}

fn batch_of_throughline<'a>(name: &'static str, batch: &'a [Message]) -> Way<'a> {
    Way::new(name, move || block_on(compared::batch(batch))).of(batch.len())
}

impl Row<'_> {
    pub fn way(&self, name: &str) -> Option<&Way<'_>> {
        self.ways.iter().find(|way| way.name == name)
    }
}

impl<'a> Way<'a> {
    fn new(name: &'static str, handle: impl Fn() -> usize + Send + Sync + 'a) -> Self {
        Self { name, messages: 1, handle: Box::new(handle), leaves: None }
    }

    fn of(self, messages: usize) -> Self {
        Self { messages, ..self }
    }

    /// fastrace leaves what it notes in a ring, a place for each poll of a message and four more at the most,
    /// and wakes its collector's thread when half of the 10,240 places are taken.
    ///
    /// Once with the collector asleep until it is flushed, while nothing is timed: as cheap as it can be. So
    /// few at once that the allocator does not give back to the system what the collector frees. And once
    /// with the collector at work on another core whenever it is woken.
    fn of_fastrace(
        awaits: usize,
        handle: impl Fn() -> usize + Send + Sync + Copy + 'a,
    ) -> [Self; 2] {
        let places = awaits as u64 + 5;
        let way = |name, every| {
            let leaves = Some(LeftBehind { every, settle: fastrace::flush });
            Self { leaves, ..Self::new(name, handle) }
        };
        [way(FASTRACE, 1000 / places), way(FASTRACE_COLLECTING, u64::MAX)]
    }

    pub fn leaves_work_behind(&self) -> bool {
        self.leaves.is_some()
    }

    /// How many handlings there may be one after another, with nothing left for another thread to do.
    pub fn at_once(&self) -> u64 {
        self.leaves.as_ref().map_or(u64::MAX, |leaves| leaves.every)
    }

    pub fn handle(&self) -> usize {
        (self.handle)()
    }

    /// How long so many handlings take, without what is done between them of what they leave behind.
    pub fn time(&self, handlings: u64) -> Duration {
        let mut taken = Duration::ZERO;
        let mut left = handlings;
        while left > 0 {
            let now = left.min(self.at_once());
            let began = Instant::now();
            for _ in 0..now {
                black_box(self.handle());
            }
            taken += began.elapsed();
            left -= now;
            if let Some(leaves) = &self.leaves {
                (leaves.settle)();
            }
        }
        taken
    }
}
