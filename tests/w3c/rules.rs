//! The rules of the two documents, one by one.

use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::TextMapPropagator;
use throughline::TraceContext;
use throughline::propagation::{W3c, W3cBaggage, W3cTraceContext};

use crate::{PARENT, TRACE, extract, passed_on, span_context};

/// Both ways to read: as a propagator, and from a message.
fn trace_id(headers: &[(&str, &str)]) -> Option<String> {
    let context = span_context(&extract(&W3c::new(), headers));
    let by_propagator = context.is_valid().then(|| context.trace_id().to_string());
    let of_message = TraceContext::read_from(headers).traceparent();
    assert_eq!(of_message.map(|it| it[3..35].to_owned()), by_propagator, "{headers:?}");
    by_propagator
}

fn tracestate(values: &[&str]) -> Option<String> {
    let mut headers = vec![("traceparent", PARENT)];
    headers.extend(values.iter().map(|value| ("tracestate", *value)));
    let by_propagator = passed_on(&W3c::new(), &headers).remove("tracestate");
    let mut sent = Vec::<(String, String)>::new();
    TraceContext::read_from(&headers[..]).write_to(&mut sent);
    let of_message = sent.into_iter().find(|(name, _)| name == "tracestate");
    assert_eq!(of_message.map(|(_, value)| value), by_propagator, "{values:?}");
    by_propagator
}

#[test]
fn a_traceparent_is_read_in_every_casing_of_its_name_and_of_no_other() {
    for name in ["traceparent", "TraceParent", "TRACEPARENT"] {
        assert_eq!(trace_id(&[(name, PARENT)]).as_deref(), Some(TRACE));
    }
    for name in ["trace-parent", "trace.parent", "traceparents"] {
        assert_eq!(trace_id(&[(name, PARENT)]), None);
    }
}

#[test]
fn a_traceparent_that_is_there_twice_is_none_unless_both_say_the_same() {
    let other = PARENT.replace("0af", "1af");
    assert_eq!(trace_id(&[("traceparent", PARENT), ("traceparent", &other)]), None);
    assert_eq!(
        trace_id(&[("traceparent", PARENT), ("traceparent", PARENT)]).as_deref(),
        Some(TRACE)
    );
}

#[test]
fn a_later_version_is_read_as_far_as_it_is_known_and_ff_is_none() {
    let with = |version: &str, end: &str| format!("{version}{}{end}", &PARENT[2..]);
    assert_eq!(trace_id(&[("traceparent", &with("cc", ""))]).as_deref(), Some(TRACE));
    assert_eq!(trace_id(&[("traceparent", &with("cc", "-and-more"))]).as_deref(), Some(TRACE));
    for (version, end) in
        [("cc", ".and-more"), ("ff", ""), ("00", "-"), ("00", "-and-more"), ("000", "")]
    {
        assert_eq!(trace_id(&[("traceparent", &with(version, end))]), None, "{version} {end}");
    }
    // And sent on as the version that we know.
    let sent = passed_on(&W3c::new(), &[("traceparent", &with("cc", "-and-more"))]);
    assert_eq!(sent["traceparent"], PARENT);
}

#[test]
fn the_flags_that_are_known_are_carried_and_others_sent_as_zero() {
    for (received, sent) in
        [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03"), ("fc", "00")]
    {
        let header = format!("{}{received}", &PARENT[..53]);
        let sent_on = passed_on(&W3c::new(), &[("traceparent", &header)]);
        assert_eq!(sent_on["traceparent"], format!("{}{sent}", &PARENT[..53]));
    }
}

#[test]
fn a_tracestate_needs_a_traceparent_and_costs_it_nothing() {
    assert!(passed_on(&W3c::new(), &[("tracestate", "foo=1")]).is_empty());
    let sent = passed_on(&W3c::new(), &[("traceparent", PARENT), ("tracestate", "FOO=1")]);
    assert_eq!(sent.get("traceparent").map(String::as_str), Some(PARENT));
    assert!(!sent.contains_key("tracestate"), "{sent:?}");
}

#[test]
fn tracestates_that_are_there_several_times_are_one_list() {
    assert_eq!(
        tracestate(&["foo=1,bar=2", "rojo=1", "", "baz=3"]).as_deref(),
        Some("foo=1,bar=2,rojo=1,baz=3")
    );
}

#[test]
fn a_key_that_is_there_twice_costs_the_others_nothing() {
    for twice in [&["foo=1,bar=2,foo=3"][..], &["foo=1,bar=2", "foo=1"], &["foo=1", "bar=2,foo=3"]]
    {
        assert_eq!(tracestate(twice).as_deref(), Some("foo=1,bar=2"));
    }
}

#[test]
fn an_empty_tracestate_is_accepted_and_not_sent() {
    for empty in ["", " ", ",", " , \t"] {
        assert_eq!(tracestate(&[empty]), None);
        assert_eq!(
            trace_id(&[("traceparent", PARENT), ("tracestate", empty)]).as_deref(),
            Some(TRACE)
        );
    }
}

#[test]
fn thirty_two_members_are_carried_and_one_more_is_too_many() {
    let members =
        |count: usize| (0..count).map(|n| format!("k{n}={n}")).collect::<Vec<_>>().join(",");
    assert_eq!(tracestate(&[&members(32)]), Some(members(32)));
    assert_eq!(tracestate(&[&members(33)]), None);
    assert_eq!(tracestate(&[&members(32), "more=1"]), None);
}

#[test]
fn every_key_and_every_value_that_may_be_is_carried() {
    let key = "0abcdefghijklmnopqrstuvwxyz123456789_-*/@@of@any@vendor@";
    let value: String = (' '..='~').filter(|letter| !",=".contains(*letter)).collect();
    let member = format!("{key}={value}");
    assert_eq!(tracestate(&[&member]).as_deref(), Some(member.as_str()));
    let long = format!("{}={}", "k".repeat(256), "v".repeat(256));
    assert_eq!(tracestate(&[&long]).as_deref(), Some(long.as_str()));
}

#[test]
fn baggage_that_is_there_several_times_is_one_list() {
    let headers = [("baggage", "a=1"), ("Baggage", "b=2, c = 3 ;p=1"), ("baggage", "")];
    let context = extract(&W3cBaggage::new(), &headers);
    let mut found: Vec<_> = context
        .baggage()
        .iter()
        .map(|(key, (value, properties))| format!("{key}={value};{properties}"))
        .collect();
    found.sort_unstable();
    assert_eq!(found, ["a=1;", "b=2;", "c=3;p=1"]);
}

#[test]
fn each_propagator_has_its_own_headers_alone() {
    let headers = [("traceparent", PARENT), ("tracestate", "foo=1"), ("baggage", "a=1")];
    for (propagator, fields) in [
        (&W3c::new() as &dyn TextMapPropagator, vec!["traceparent", "tracestate", "baggage"]),
        (&W3cTraceContext::new(), vec!["traceparent", "tracestate"]),
        (&W3cBaggage::new(), vec!["baggage"]),
    ] {
        assert!(propagator.fields().eq(fields.iter().copied()));
        let mut sent: Vec<_> = passed_on(propagator, &headers).into_keys().collect();
        sent.sort_unstable_by_key(|name| fields.iter().position(|field| field == name));
        assert_eq!(sent, fields);
    }
}

#[test]
fn what_was_there_stays_where_nothing_is_read() {
    let before = extract(&W3c::new(), &[("traceparent", PARENT), ("baggage", "a=1")]);
    let after = W3c::new().extract_with_context(&before, &crate::Headers(Vec::new()));
    assert_eq!(span_context(&after), span_context(&before));
    assert_eq!(after.baggage().len(), 1);
    let broken = crate::Headers(vec![("traceparent", "00-no"), ("baggage", "no")]);
    let after = W3c::new().extract_with_context(&before, &broken);
    assert_eq!(span_context(&after), span_context(&before));
}
