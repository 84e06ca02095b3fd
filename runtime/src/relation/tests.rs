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
    relation.place(Situation { origins: &found, ambient: &span(ambient), is_batch, max_links })
}

const ROOT_WITH_ONE_LINK: Placement = Placement {
    kind: Kind::Link,
    reason: None,
    parent: Parent::None,
    baggage: Baggage::Message,
    origins_linked: 1,
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
    let situation =
        Situation { origins: &origins, ambient: &span(0), is_batch: false, max_links: MAX_LINKS };
    assert_eq!(Relation::CONTINUE.place(situation).reason, Some(Reason::Unreadable));
    assert_eq!(Relation::LINK.place(situation).reason, Some(Reason::Unreadable));
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
fn a_handler_without_links_still_continues() {
    let none = place_within(0, Relation::CONTINUE, &[1], 9, false);
    assert_eq!((none.parent, none.origins_linked, none.ambient_linked), (Parent::Origin, 0, false));
    assert_eq!(none.left_out, 1);
}

// Tasks.

const LINKED_TASK: TaskPlacement =
    TaskPlacement { kind: Kind::Link, reason: None, caller: Caller::Linked, keeps_baggage: true };

#[test]
fn a_task_that_continues_is_a_child_of_its_caller_without_a_link() {
    assert_eq!(
        Relation::CONTINUE.place_task(&span(1)),
        TaskPlacement { kind: Kind::Continue, caller: Caller::Parent, ..LINKED_TASK }
    );
}

#[test]
fn a_task_that_links_is_a_root_linked_to_its_caller() {
    assert_eq!(Relation::LINK.place_task(&span(1)), LINKED_TASK);
    assert_eq!(Relation::LINK.nested().place_task(&span(1)), LINKED_TASK);
}

#[test]
fn a_task_without_a_caller_is_an_unrelated_root_and_says_so() {
    let alone =
        TaskPlacement { reason: Some(Reason::NoContext), caller: Caller::Unrelated, ..LINKED_TASK };
    assert_eq!(Relation::LINK.place_task(&span(0)), alone);
    assert_eq!(
        Relation::CONTINUE.place_task(&span(0)),
        TaskPlacement { kind: Kind::Continue, ..alone }
    );
}

#[test]
fn a_task_that_ignores_its_caller_knows_nothing_of_it() {
    for caller in [0, 1] {
        assert_eq!(
            Relation::IGNORE.place_task(&span(caller)),
            TaskPlacement {
                kind: Kind::Ignore,
                caller: Caller::Unrelated,
                keeps_baggage: false,
                ..LINKED_TASK
            }
        );
    }
}
