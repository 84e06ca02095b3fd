//! The sampler for linked traces: what it decides, and that links and parents reach it from
//! handlers in both worlds. (What that is good for, at a ratio: `dead_links.rs`.)

use opentelemetry::trace::{
    Link, SpanContext, SpanId, SpanKind, TraceContextExt, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingDecision, SamplingResult, ShouldSample};
use throughline::sampler::LinkSampler;
use throughline::testing::Capture;
use throughline::{TraceContext, async_consumer, async_producer};
use throughline_tests::{
    Headers, OTHER_SENDER, SENDER, UNSAMPLED_SENDER, from, in_both_worlds, in_span,
    inside_a_poll_loop,
};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Registry, reload};

// The table, asked directly.

fn context(sampled: bool, remote: bool, state: TraceState) -> SpanContext {
    let flags = TraceFlags::NOT_SAMPLED.with_sampled(sampled);
    SpanContext::new(TraceId::from(7), SpanId::from(8), flags, remote, state)
}

fn link(sampled: bool) -> Link {
    Link::with_context(context(sampled, true, TraceState::NONE))
}

fn link_with_role(sampled: bool, role: &'static str) -> Link {
    let role = KeyValue::new("throughline.link.role", role);
    Link::new(context(sampled, true, TraceState::NONE), vec![role], 0)
}

fn invalid_link() -> Link {
    // The flag says that it is sampled.
    let context = SpanContext::new(
        TraceId::INVALID,
        SpanId::INVALID,
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    Link::with_context(context)
}

fn ask(sampler: &LinkSampler, parent: Option<&Context>, links: &[Link]) -> SamplingResult {
    sampler.should_sample(parent, TraceId::from(9), "handler", &SpanKind::Consumer, &[], links)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decides {
    Sampled,
    Dropped,
    Inner,
    LinksNotSampled,
}
use Decides::{Dropped, Inner, LinksNotSampled, Sampled};

/// Who decides, told by what comes out for every answer that the two samplers inside could give.
fn decided_by(parent: Option<&Context>, links: &[Link]) -> Decides {
    let is_sampled = |inner, links_not_sampled| {
        let sampler = LinkSampler::new(inner).with_links_not_sampled(links_not_sampled);
        ask(&sampler, parent, links).decision == SamplingDecision::RecordAndSample
    };
    let (on, off) = (Sampler::AlwaysOn, Sampler::AlwaysOff);
    let answers = [
        is_sampled(on.clone(), on.clone()),
        is_sampled(on.clone(), off.clone()),
        is_sampled(off.clone(), on),
        is_sampled(off.clone(), off),
    ];
    match answers {
        [true, true, true, true] => Sampled,
        [false, false, false, false] => Dropped,
        [true, true, false, false] => Inner,
        [true, false, true, false] => LinksNotSampled,
        _ => panic!("{answers:?}"),
    }
}

#[test]
fn a_root_is_sampled_if_a_link_that_counts_is() {
    for (case, links, decides) in [
        ("no links", vec![], Inner),
        ("sampled", vec![link(true)], Sampled),
        ("not sampled", vec![link(false)], LinksNotSampled),
        ("the first of several", vec![link(true), link(false)], Sampled),
        ("the last of several", vec![link(false), link(false), link(true)], Sampled),
        ("none of several", vec![link(false), link(false)], LinksNotSampled),
        ("invalid", vec![invalid_link()], Inner),
        ("invalid and not sampled", vec![invalid_link(), link(false)], LinksNotSampled),
        ("ambient", vec![link_with_role(true, "ambient")], Inner),
        ("ambient, not sampled", vec![link_with_role(false, "ambient")], Inner),
        ("and an origin", vec![link(false), link_with_role(true, "ambient")], LinksNotSampled),
        ("and an origin", vec![link(true), link_with_role(false, "ambient")], Sampled),
        ("attempt", vec![link(false), link_with_role(true, "attempt")], Sampled),
        ("attempt", vec![link_with_role(false, "attempt")], LinksNotSampled),
    ] {
        let empty = Context::new();
        // As the SDK has it in a span without a parent, and where somebody attached an invalid one.
        let invalid = Context::new().with_remote_span_context(SpanContext::empty_context());
        for parent in [None, Some(&empty), Some(&invalid)] {
            assert_eq!(decided_by(parent, &links), decides, "{case}");
        }
    }
}

#[test]
fn a_child_is_sampled_as_its_parent_is() {
    for remote in [true, false] {
        for sampled in [true, false] {
            let parent = context(sampled, remote, TraceState::NONE);
            let parent = Context::new().with_remote_span_context(parent);
            let decides = if sampled { Sampled } else { Dropped };
            for links in [vec![], vec![link(true)], vec![link(false)]] {
                assert_eq!(decided_by(Some(&parent), &links), decides, "{remote} {links:?}");
            }
        }
    }
}

#[test]
fn unless_chosen_otherwise_no_link_is_dead() {
    let sampler = LinkSampler::new(Sampler::AlwaysOn);
    assert_eq!(ask(&sampler, None, &[link(false)]).decision, SamplingDecision::Drop);
}

#[test]
fn a_child_has_its_parents_trace_state_and_a_root_has_none() {
    let state = TraceState::from_key_value([("vendor", "1")]).expect("a valid state");
    for sampled in [true, false] {
        let origin = context(sampled, true, state.clone());
        let parent = Context::new().with_remote_span_context(origin.clone());
        let sampler = LinkSampler::new(Sampler::AlwaysOn);
        assert_eq!(ask(&sampler, Some(&parent), &[]).trace_state, state);
        let links = [Link::with_context(origin)];
        assert_eq!(ask(&sampler, Some(&Context::new()), &links).trace_state, TraceState::NONE);
    }
}

/// Samples what is not the poll loop.
#[derive(Debug, Clone)]
struct NotTheLoop;

impl ShouldSample for NotTheLoop {
    fn should_sample(
        &self,
        _parent: Option<&Context>,
        _trace: TraceId,
        name: &str,
        _kind: &SpanKind,
        _attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        SamplingResult {
            decision: if name == "poll loop" {
                SamplingDecision::Drop
            } else {
                SamplingDecision::RecordAndSample
            },
            attributes: vec![KeyValue::new(
                "asked.links",
                i64::try_from(links.len()).unwrap_or(-1),
            )],
            trace_state: TraceState::NONE,
        }
    }
}

#[test]
fn the_inner_sampler_is_asked_with_all_there_is_and_its_answer_stands() {
    let sampler = LinkSampler::new(NotTheLoop).with_links_not_sampled(NotTheLoop);
    for links in [vec![], vec![link(false)]] {
        let attributes = ask(&sampler, None, &links).attributes;
        let asked = i64::try_from(links.len()).expect("few links");
        assert_eq!(attributes, [KeyValue::new("asked.links", asked)]);
    }
}

// From handlers, in both worlds.

#[async_consumer(link)]
fn linked(message: &Headers) {}

#[async_consumer(link, nested)]
fn nested(message: &Headers) {}

#[async_consumer(continue)]
fn continued(message: &Headers) {}

#[async_consumer(ignore)]
fn ignoring(message: &Headers) {}

#[async_consumer(link)]
fn linked_batch(messages: &[Headers]) {}

fn always() -> LinkSampler {
    LinkSampler::new(Sampler::AlwaysOn)
}

fn never() -> LinkSampler {
    LinkSampler::new(Sampler::AlwaysOff)
}

#[test]
fn a_link_handler_follows_its_sender_and_not_the_inner_sampler() {
    in_both_worlds(|capture| {
        let traces = capture.sampler(never()).run_sync(|| {
            linked(&from(SENDER));
            linked(&from(UNSAMPLED_SENDER));
            linked(&Headers::new());
        });
        assert_eq!(traces.len(), 1);
        traces.span("linked").is_root().links_to(SENDER);
    });
    in_both_worlds(|capture| {
        let traces = capture.sampler(always()).run_sync(|| {
            linked(&from(UNSAMPLED_SENDER));
            linked(&Headers::new());
        });
        assert_eq!(traces.len(), 1);
        traces.span("linked").is_root().has_no_links();
    });
}

#[test]
fn a_continue_handler_follows_its_parent() {
    in_both_worlds(|capture| {
        let traces = capture.sampler(never()).run_sync(|| continued(&from(SENDER)));
        traces.span("continued").continues(SENDER);
    });
    in_both_worlds(|capture| {
        let traces = capture.sampler(always()).run_sync(|| continued(&from(UNSAMPLED_SENDER)));
        assert!(traces.is_empty());
    });
}

#[test]
fn one_sampled_sender_is_enough_for_a_batch() {
    let some = [from(UNSAMPLED_SENDER), Headers::new(), from(OTHER_SENDER)];
    let none = [from(UNSAMPLED_SENDER), Headers::new()];
    in_both_worlds(|capture| {
        let traces = capture.sampler(never()).run_sync(|| linked_batch(&some));
        traces.span("linked_batch").has_links(2);
    });
    in_both_worlds(|capture| {
        assert!(capture.sampler(always()).run_sync(|| linked_batch(&none)).is_empty());
    });
}

#[test]
fn a_sampled_poll_loop_does_not_have_its_handlers_sampled() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture.sampler(always()), || {
            linked(&from(UNSAMPLED_SENDER));
        });
        assert_eq!(traces.len(), 1);
        traces.span("poll loop");
    });
}

#[test]
fn a_poll_loop_that_is_not_sampled_does_not_silence_its_handlers() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture.sampler(LinkSampler::new(NotTheLoop)), || {
            linked(&Headers::new());
            ignoring(&from(UNSAMPLED_SENDER));
        });
        assert_eq!(traces.len(), 2);
        traces.span("linked").has_links(1);
        traces.span("ignoring").has_links(1);
    });
}

#[test]
fn an_origin_that_is_the_ambient_span_as_well_counts() {
    for (sampler, spans) in [(always(), 2), (LinkSampler::new(NotTheLoop), 0)] {
        in_both_worlds(|capture| {
            let traces = inside_a_poll_loop(capture.sampler(sampler.clone()), || {
                let mut message = Headers::new();
                TraceContext::current().write_to(&mut message);
                linked(&message);
            });
            assert_eq!(traces.len(), spans);
        });
    }
}

#[test]
fn a_story_over_linked_traces_is_kept_or_dropped_as_a_whole() {
    #[async_producer]
    fn pass_on(message: Headers) -> Headers {
        message
    }
    #[async_consumer(link)]
    fn forwarding(message: &Headers) -> Headers {
        pass_on(Headers::new())
    }

    for (sender, sampler, spans) in [(SENDER, never(), 5), (UNSAMPLED_SENDER, always(), 0)] {
        in_both_worlds(|capture| {
            let traces = capture.sampler(sampler.clone()).run_sync(|| {
                linked(&forwarding(&forwarding(&from(sender))));
            });
            assert_eq!(traces.len(), spans, "{traces}");
        });
    }
}

#[test]
fn where_telemetry_is_suppressed_a_sampled_sender_changes_nothing() {
    in_both_worlds(|capture| {
        let traces = capture.sampler(always()).run_sync(|| {
            let _suppressed = Context::enter_telemetry_suppressed_scope();
            linked(&from(SENDER));
        });
        assert!(traces.is_empty());
    });
}

// What the docs say that it can't do.

#[test]
fn a_nested_handler_follows_the_span_around_it() {
    in_both_worlds(|capture| {
        let traces = capture.sampler(never()).run_sync(|| {
            in_span("poll loop", || nested(&from(SENDER)));
        });
        assert!(traces.is_empty());
    });
}

#[test]
fn links_that_are_left_out_are_not_seen() {
    #[async_consumer(link, max_links = 1)]
    fn linking_one(messages: &[Headers]) {}

    let batch = [from(UNSAMPLED_SENDER), from(SENDER)];
    in_both_worlds(|capture| {
        assert!(capture.sampler(always()).run_sync(|| linking_one(&batch)).is_empty());
    });
}

#[test]
fn behind_reload_links_come_too_late() {
    let behind_reload = |sampler| {
        Capture::new().sampler(sampler).with_subscriber(|tracer| {
            let bridge = tracing_opentelemetry::layer().with_tracer(tracer);
            let (layer, _handle) = reload::Layer::new(bridge);
            Registry::default().with(layer)
        })
    };
    assert!(behind_reload(never()).run_sync(|| linked(&from(SENDER))).is_empty());
    let traces = behind_reload(always()).run_sync(|| linked(&from(UNSAMPLED_SENDER)));
    traces.span("linked").links_to(UNSAMPLED_SENDER);
}
