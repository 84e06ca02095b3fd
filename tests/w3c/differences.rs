//! In what our propagators differ from the SDK's 0.33: in these ways, and in no other.

use std::collections::BTreeSet;

use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use throughline::propagation::W3cTraceContext;

use crate::{PARENT, extract, inject, span_context};

/// In what a header makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Because {
    // Of traceparent.
    RandomFlag,
    FieldOfAnotherLength,
    VersionInUpperCase,
    DashAtTheEnd,
    /// The SDK takes away whatever Unicode calls white; the document, spaces and tabs.
    OtherWhitespace,
    // Of tracestate.
    MoreThan32Members,
    KeyTwice,
    KeyThatTheSdkRefuses,
    EmptyKey,
    EmptyValue,
    EqualsSignsBeforeTheValue,
    LetterThatMayNotBe,
}
use Because::*;

/// One header of each kind.
fn examples() -> Vec<(Because, String, &'static str)> {
    let parent = |flags: &str| format!("{}{flags}", &PARENT[..53]);
    let with = |header: String| (header, "a=1");
    let list = |list: &'static str| (PARENT.to_owned(), list);
    let many: Vec<_> = (0..33).map(|n| format!("k{n}={n}")).collect();
    let many: &'static str = many.join(",").leak();
    [
        (RandomFlag, with(parent("03"))),
        (FieldOfAnotherLength, with(PARENT.replace("0af", "af"))),
        (FieldOfAnotherLength, with(PARENT.replace("-01", "-1"))),
        (FieldOfAnotherLength, with(format!("0{PARENT}"))),
        (VersionInUpperCase, with(format!("CC{}", &PARENT[2..]))),
        (DashAtTheEnd, with(format!("{PARENT}-"))),
        (OtherWhitespace, with(format!("{PARENT}\n"))),
        (MoreThan32Members, list(many)),
        (KeyTwice, list("a=1,a=2")),
        (KeyThatTheSdkRefuses, list("a@b@c=1")),
        (KeyThatTheSdkRefuses, list("a@=1,b@a-vendor-of-many-letters=1")),
        (EmptyKey, list("=1")),
        (EmptyValue, list("a=")),
        (EqualsSignsBeforeTheValue, list("a==1")),
        (LetterThatMayNotBe, list("a=\u{e9}")),
    ]
    .into_iter()
    .map(|(because, (header, list))| (because, header, list))
    .collect()
}

/// Whether a propagator reads it, and what that sends on; but for an empty header, which has a test of
/// its own.
fn outcome(propagator: &dyn TextMapPropagator, headers: &[(&str, &str)]) -> String {
    let context = extract(propagator, headers);
    let sent = inject(propagator, &context).into_iter();
    let mut sent: Vec<_> = sent.filter(|(_, value)| !value.is_empty()).collect();
    sent.sort_unstable();
    format!("{:?} {sent:?}", span_context(&context).is_valid())
}

fn differ(traceparent: &str, tracestate: &str) -> bool {
    let headers = [("traceparent", traceparent), ("tracestate", tracestate)];
    let ours = outcome(&W3cTraceContext::new(), &headers);
    ours != outcome(&TraceContextPropagator::new(), &headers)
}

/// All that there is in these headers to differ about, by the documents.
fn reasons(traceparent: &str, tracestate: &str) -> BTreeSet<Because> {
    let mut all = BTreeSet::new();
    let trimmed = traceparent.trim();
    let fields: Vec<_> = trimmed.split('-').collect();
    let lengths: Vec<_> = fields.iter().map(|field| field.len()).collect();
    let [version, _, _, flags, ..] = fields[..] else { return all };
    let number = u8::from_str_radix(flags, 16).unwrap_or_default();
    if number & 2 != 0 {
        all.insert(RandomFlag);
    }
    if lengths[..4] != [2, 32, 16, 2] {
        all.insert(FieldOfAnotherLength);
    }
    if version.bytes().any(|byte| byte.is_ascii_uppercase()) {
        all.insert(VersionInUpperCase);
    }
    if trimmed.ends_with('-') && version == "00" {
        all.insert(DashAtTheEnd);
    }
    if traceparent.trim_matches([' ', '\t']) != trimmed {
        all.insert(OtherWhitespace);
    }
    let members: Vec<_> = tracestate.split(',').map(|it| it.trim_matches([' ', '\t'])).collect();
    let members: Vec<_> = members.into_iter().filter(|member| !member.is_empty()).collect();
    let pairs: Vec<_> = members.iter().filter_map(|member| member.split_once('=')).collect();
    let keys: BTreeSet<_> = pairs.iter().map(|(key, _)| key).collect();
    if members.len() > 32 {
        all.insert(MoreThan32Members);
    }
    if keys.len() < pairs.len() {
        all.insert(KeyTwice);
    }
    for (key, value) in &pairs {
        let vendor = key.split_once('@').map(|(_, vendor)| vendor);
        if vendor.is_some_and(|it| {
            it.contains('@')
                || it.len() > 13
                || !it.starts_with(|c: char| c.is_ascii_alphanumeric())
        }) {
            all.insert(KeyThatTheSdkRefuses);
        }
        if key.is_empty() {
            all.insert(EmptyKey);
        }
        if value.is_empty() {
            all.insert(EmptyValue);
        }
        if value.starts_with('=') {
            all.insert(EqualsSignsBeforeTheValue);
        }
        if !value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
            all.insert(LetterThatMayNotBe);
        }
    }
    all
}

#[test]
fn each_of_them_makes_a_difference_alone() {
    for (because, traceparent, tracestate) in examples() {
        assert!(differ(&traceparent, tracestate), "{because:?}: {traceparent} {tracestate}");
        let reasons = reasons(&traceparent, tracestate);
        assert_eq!(reasons, BTreeSet::from([because]), "{traceparent} {tracestate}");
    }
}

#[test]
fn the_sdk_sends_a_list_that_is_empty() {
    let headers = [("traceparent", PARENT)];
    let context = extract(&TraceContextPropagator::new(), &headers);
    let of_the_sdk = inject(&TraceContextPropagator::new(), &context);
    assert_eq!(of_the_sdk.get("tracestate").map(String::as_str), Some(""));
    assert!(!inject(&W3cTraceContext::new(), &context).contains_key("tracestate"));
}

#[test]
fn there_is_no_other() {
    let near = "[ \t\n]?([0-9a-f]{2}|[0-9A-F]{1,3})-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f]{1,3}(-[a-z]{0,3})?[ \t]?";
    let right = "00-[1-9a-f]{32}-[1-9a-f]{16}-0[0-3]";
    let member = "[ \t]?[a-z0-9@*_-]{0,16}={1,2}[ -~\u{e9}]{0,4}[ \t]?";
    let traceparents = proptest::prop_oneof![near, right];
    let lists = proptest::collection::vec(member, 0..4).prop_map(|members| members.join(","));
    let headers = (traceparents, lists);
    let mut runner = TestRunner::deterministic();
    let mut same = 0;
    for _ in 0..20_000 {
        let tree = headers.new_tree(&mut runner).expect("headers");
        let (traceparent, tracestate) = tree.current();
        if differ(&traceparent, &tracestate) {
            let reasons = reasons(&traceparent, &tracestate);
            assert!(!reasons.is_empty(), "{traceparent:?} {tracestate:?}");
        } else {
            same += 1;
        }
    }
    assert!(same > 2_000, "most of it is the same: {same}");
}

#[test]
fn headers_that_give_no_reason_are_read_the_same() {
    let right = "([0-9a-e][0-9a-f])-[1-9a-f]{32}-[1-9a-f]{16}-0[01]";
    let member = "[a-z0-9][a-z0-9*_/-]{0,16}=[!-+\\--<>-~]{1,9}";
    let lists = proptest::collection::btree_set(member, 1..4)
        .prop_map(|members| members.into_iter().collect::<Vec<_>>().join(" ,\t"));
    let mut runner = TestRunner::deterministic();
    for _ in 0..5_000 {
        let tree = (right, &lists).new_tree(&mut runner).expect("headers");
        let (traceparent, tracestate) = tree.current();
        if reasons(&traceparent, &tracestate).is_empty() {
            assert!(!differ(&traceparent, &tracestate), "{traceparent:?} {tracestate:?}");
        }
    }
}
