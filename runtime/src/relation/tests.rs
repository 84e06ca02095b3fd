//! The table of relations, row by row.

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::*;
use crate::carrier::Facts;

fn span(id: u64) -> SpanContext {
    let flags = TraceFlags::SAMPLED;
    SpanContext::new(TraceId::from(u128::from(id)), SpanId::from(id), flags, true, TraceState::NONE)
}

fn place(relation: Relation, origins: &[u64], ambient: u64, is_batch: bool) -> Placement {
    place_within(MAX_LINKS, relation, origins, ambient, is_batch)
}

fn place_within(
    max_links: usize,
    relation: Relation,
    origins: &[u64],
    ambient: u64,
    is_batch: bool,
) -> Placement {
    let mut found = Origins::to_link(max_links);
    for &origin in origins {
        found.add(&span(origin), &Facts::default());
    }
    relation.place(&Situation {
        distinct_origins: found.distinct(),
        any_unreadable: found.unreadable() > 0,
        ambient_is_origin: found.has(&span(ambient)),
        ambient: &span(ambient),
        attempts: 0,
        sending: Sending::default(),
        is_batch,
        max_links,
    })
}

/// A single message of sender 1, with nothing around the handler.
fn place_sent(relation: Relation, sending: Sending) -> Placement {
    let mut origins = Origins::to_link(MAX_LINKS);
    origins.add(&span(1), &Facts::default());
    relation.place(&Situation {
        distinct_origins: origins.distinct(),
        any_unreadable: origins.unreadable() > 0,
        ambient_is_origin: origins.has(&span(0)),
        ambient: &span(0),
        attempts: 0,
        sending,
        is_batch: false,
        max_links: MAX_LINKS,
    })
}

const ROOT_WITH_ONE_LINK: Placement = Placement {
    kind: Kind::Link,
    reason: None,
    parent: Parent::None,
    baggage: Baggage::Message,
    hops: None,
    origins_linked: 1,
    attempts_linked: 0,
    ambient_linked: false,
    left_out: 0,
};

#[test]
fn link_is_a_root_linked_to_the_origin_and_then_to_the_ambient_span() {
    assert_eq!(place(Relation::LINK, &[1], 0, false), ROOT_WITH_ONE_LINK);
    assert_eq!(
        place(Relation::LINK, &[1], 9, false),
        Placement { ambient_linked: true, ..ROOT_WITH_ONE_LINK }
    );
    assert_eq!(place(Relation::LINK, &[1], 1, false), ROOT_WITH_ONE_LINK);
}

#[test]
fn link_without_a_context_says_so() {
    assert_eq!(
        place(Relation::LINK, &[], 9, false),
        Placement {
            origins_linked: 0,
            ambient_linked: true,
            reason: Some(Reason::NoContext),
            ..ROOT_WITH_ONE_LINK
        }
    );
}

#[test]
fn nested_link_is_a_child_of_the_ambient_span() {
    let nested = Placement { baggage: Baggage::AmbientThenMessage, ..ROOT_WITH_ONE_LINK };
    assert_eq!(
        place(Relation::LINK.nested(), &[1], 9, false),
        Placement { parent: Parent::Ambient, ..nested }
    );
    assert_eq!(place(Relation::LINK.nested(), &[1], 0, false), nested);
}

#[test]
fn continue_is_a_child_of_the_origin_and_links_to_it_and_to_the_ambient_span() {
    let child = Placement { kind: Kind::Continue, parent: Parent::Origin, ..ROOT_WITH_ONE_LINK };
    assert_eq!(place(Relation::CONTINUE, &[1], 0, false), child);
    assert_eq!(place(Relation::CONTINUE, &[1], 1, false), child);
    assert_eq!(
        place(Relation::CONTINUE, &[1], 9, false),
        Placement { ambient_linked: true, ..child }
    );
}

#[test]
fn continue_without_a_context_is_a_root_and_never_takes_the_ambient_span_for_the_sender() {
    assert_eq!(
        place(Relation::CONTINUE, &[], 9, false),
        Placement {
            kind: Kind::Continue,
            reason: Some(Reason::NoContext),
            origins_linked: 0,
            ambient_linked: true,
            ..ROOT_WITH_ONE_LINK
        }
    );
}

#[test]
fn continue_on_a_batch_links_and_says_why() {
    assert_eq!(
        place(Relation::CONTINUE, &[1, 2], 9, true),
        Placement { reason: Some(Reason::Batch), ..place(Relation::LINK, &[1, 2], 9, true) }
    );
}

#[test]
fn ignore_sees_nothing_of_the_message() {
    assert_eq!(
        place(Relation::IGNORE, &[1], 9, false),
        Placement {
            kind: Kind::Ignore,
            baggage: Baggage::None,
            origins_linked: 0,
            ambient_linked: true,
            ..ROOT_WITH_ONE_LINK
        }
    );
}

#[test]
fn a_context_that_cannot_be_read_is_told_apart_from_none() {
    let mut origins = Origins::to_link(MAX_LINKS);
    origins.add_unreadable();
    let situation = Situation {
        distinct_origins: origins.distinct(),
        any_unreadable: origins.unreadable() > 0,
        ambient_is_origin: origins.has(&span(0)),
        ambient: &span(0),
        attempts: 0,
        sending: Sending::default(),
        is_batch: false,
        max_links: MAX_LINKS,
    };
    assert_eq!(Relation::CONTINUE.place(&situation).reason, Some(Reason::Unreadable));
    assert_eq!(Relation::LINK.place(&situation).reason, Some(Reason::Unreadable));
}

#[test]
fn a_batch_gets_one_link_per_distinct_origin() {
    assert_eq!(place(Relation::LINK, &[1, 2, 1, 1], 0, true).origins_linked, 2);
}

#[test]
fn at_most_128_links_with_room_for_the_ambient_span() {
    let many: Vec<u64> = (1..=300).chain(200..=300).collect();
    let alone = place(Relation::LINK, &many, 0, true);
    assert_eq!((alone.origins_linked, alone.left_out), (128, 172));
    let with_ambient = place(Relation::LINK, &many, 999, true);
    assert_eq!((with_ambient.origins_linked, with_ambient.left_out), (127, 173));
}

#[test]
fn as_many_links_as_the_handler_says() {
    let some: Vec<u64> = (1..=5).collect();
    let few = place_within(3, Relation::LINK, &some, 9, true);
    assert_eq!((few.origins_linked, few.ambient_linked, few.left_out), (2, true, 3));
    let more_than_there_are = place_within(500, Relation::LINK, &some, 9, true);
    assert_eq!((more_than_there_are.origins_linked, more_than_there_are.left_out), (5, 0));
    let many: Vec<u64> = (1..=300).collect();
    assert_eq!(place_within(200, Relation::LINK, &many, 0, true).origins_linked, 200);
}

#[test]
fn what_is_left_out_is_told_apart_by_span_and_trace() {
    let mut origins = Origins::to_link(1);
    let of_trace = |trace: u128| {
        let (span, flags) = (SpanId::from(7), TraceFlags::SAMPLED);
        SpanContext::new(TraceId::from(trace), span, flags, true, TraceState::NONE)
    };
    for origin in [span(1), of_trace(1), of_trace(2), of_trace(1), span(8), span(1), span(8)] {
        origins.add(&origin, &Facts::default());
    }
    assert_eq!(origins.distinct(), 4);
    // Also when the links are the span's already.
    assert_eq!(origins.take_links(128).0.len(), 1);
    assert_eq!(origins.distinct(), 4);
}

#[test]
fn a_handler_without_links_still_continues() {
    let none = place_within(0, Relation::CONTINUE, &[1], 9, false);
    assert_eq!((none.parent, none.origins_linked, none.ambient_linked), (Parent::Origin, 0, false));
    assert_eq!(none.left_out, 1);
}

const CONTINUED: Placement =
    Placement { kind: Kind::Continue, parent: Parent::Origin, ..ROOT_WITH_ONE_LINK };
const MINUTE: Duration = Duration::from_secs(60);

fn aged(age: Option<Duration>) -> Sending {
    Sending { age, ..Sending::default() }
}

fn hopped(hops: Option<u32>) -> Sending {
    Sending { hops, ..Sending::default() }
}

#[test]
fn within_an_age_the_trace_is_continued_and_past_it_linked() {
    let soon = Relation::CONTINUE.within(MINUTE);
    assert_eq!(place_sent(soon, aged(Some(Duration::ZERO))), CONTINUED);
    assert_eq!(place_sent(soon, aged(Some(MINUTE))), CONTINUED);
    let late = MINUTE + Duration::from_nanos(1);
    assert_eq!(
        place_sent(soon, aged(Some(late))),
        Placement { reason: Some(Reason::Age), ..ROOT_WITH_ONE_LINK }
    );
    assert_eq!(
        place_sent(soon, aged(None)),
        Placement { reason: Some(Reason::AgeUnknown), ..CONTINUED }
    );
    assert_eq!(place_sent(Relation::CONTINUE, aged(Some(late))), CONTINUED);
}

#[test]
fn a_limit_of_hops_starts_the_count_and_ends_the_trace() {
    let few = Relation::CONTINUE.max_hops(2);
    let counting = |hops| Placement { hops: Some(hops), ..CONTINUED };
    assert_eq!(place_sent(few, hopped(None)), counting(1));
    assert_eq!(place_sent(few, hopped(Some(1))), counting(2));
    assert_eq!(
        place_sent(few, hopped(Some(2))),
        Placement { reason: Some(Reason::Hops), ..ROOT_WITH_ONE_LINK }
    );
}

#[test]
fn every_continue_adds_to_a_count_that_is_there() {
    assert_eq!(place_sent(Relation::CONTINUE, hopped(None)), CONTINUED);
    let counting = |hops| Placement { hops: Some(hops), ..CONTINUED };
    assert_eq!(place_sent(Relation::CONTINUE, hopped(Some(7))), counting(8));
    assert_eq!(place_sent(Relation::CONTINUE, hopped(Some(u32::MAX))), counting(u32::MAX));
    assert_eq!(place_sent(Relation::LINK, hopped(Some(7))), ROOT_WITH_ONE_LINK);
}

#[test]
fn the_sender_may_ask_for_a_new_trace_and_need_not_be_heeded() {
    let asking = Sending { asks_for_new_trace: true, ..Sending::default() };
    assert_eq!(
        place_sent(Relation::CONTINUE, asking),
        Placement { reason: Some(Reason::Sender), ..ROOT_WITH_ONE_LINK }
    );
    assert_eq!(place_sent(Relation::CONTINUE.heed_break(false), asking), CONTINUED);
    assert_eq!(place_sent(Relation::LINK, asking), ROOT_WITH_ONE_LINK);
}

#[test]
fn limits_are_for_continue_alone() {
    for other in [Relation::LINK, Relation::IGNORE] {
        assert_eq!(other.within(MINUTE).max_hops(1).heed_break(false), other);
    }
}

#[test]
fn failed_attempts_are_linked_after_the_origins_where_there_is_room() {
    let place = |relation: Relation, max_links| {
        let mut origins = Origins::to_link(max_links);
        origins.add(&span(1), &Facts::default());
        let placement = relation.place(&Situation {
            distinct_origins: origins.distinct(),
            any_unreadable: origins.unreadable() > 0,
            ambient_is_origin: origins.has(&span(9)),
            ambient: &span(9),
            attempts: 2,
            sending: Sending::default(),
            is_batch: false,
            max_links,
        });
        (placement.origins_linked, placement.attempts_linked, placement.ambient_linked)
    };
    assert_eq!(place(Relation::LINK, 8), (1, 2, true));
    assert_eq!(place(Relation::CONTINUE, 3), (1, 1, true));
    assert_eq!(place(Relation::LINK, 2), (1, 0, true));
    assert_eq!(place(Relation::IGNORE, 8), (0, 0, true));
}

// Tasks.

const LINKED_TASK: TaskPlacement = TaskPlacement {
    kind: Kind::Link,
    reason: None,
    caller: Caller::Linked,
    keeps_baggage: true,
    hops: None,
};

#[test]
fn a_task_that_continues_is_a_child_of_its_caller_without_a_link() {
    assert_eq!(
        Relation::CONTINUE.place_task(&span(1), Sending::default()),
        TaskPlacement { kind: Kind::Continue, caller: Caller::Parent, ..LINKED_TASK }
    );
}

#[test]
fn a_task_that_links_is_a_root_linked_to_its_caller() {
    assert_eq!(Relation::LINK.place_task(&span(1), Sending::default()), LINKED_TASK);
    assert_eq!(Relation::LINK.nested().place_task(&span(1), Sending::default()), LINKED_TASK);
}

#[test]
fn a_task_without_a_caller_is_an_unrelated_root_and_says_so() {
    let alone =
        TaskPlacement { reason: Some(Reason::NoContext), caller: Caller::Unrelated, ..LINKED_TASK };
    assert_eq!(Relation::LINK.place_task(&span(0), Sending::default()), alone);
    assert_eq!(
        Relation::CONTINUE.place_task(&span(0), Sending::default()),
        TaskPlacement { kind: Kind::Continue, ..alone }
    );
}

#[test]
fn a_task_that_ignores_its_caller_knows_nothing_of_it() {
    for caller in [0, 1] {
        assert_eq!(
            Relation::IGNORE.place_task(&span(caller), Sending::default()),
            TaskPlacement {
                kind: Kind::Ignore,
                caller: Caller::Unrelated,
                keeps_baggage: false,
                ..LINKED_TASK
            }
        );
    }
}

#[test]
fn a_task_has_the_same_budget_as_a_handler() {
    let limited = Relation::CONTINUE.within(MINUTE).max_hops(3);
    let sent = |age, hops| Sending { age: Some(age), hops, asks_for_new_trace: false };
    let place = |sending| limited.place_task(&span(1), sending);
    let continued = TaskPlacement {
        kind: Kind::Continue,
        caller: Caller::Parent,
        hops: Some(3),
        ..LINKED_TASK
    };
    assert_eq!(place(sent(MINUTE, Some(2))), continued);
    assert_eq!(
        place(sent(2 * MINUTE, Some(2))),
        TaskPlacement { reason: Some(Reason::Age), ..LINKED_TASK }
    );
    assert_eq!(
        place(sent(MINUTE, Some(3))),
        TaskPlacement { reason: Some(Reason::Hops), ..LINKED_TASK }
    );
}
