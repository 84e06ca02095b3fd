//! Whatever bytes come in, nothing panics, and what is accepted comes out as it went in.

use std::collections::BTreeMap;

use opentelemetry::baggage::BaggageExt;
use proptest::prelude::*;
use throughline::TraceContext;
use throughline::propagation::W3c;

use crate::{extract, inject, span_context};

/// What looks like a header, and anything else.
fn header() -> impl Strategy<Value = String> {
    let near =
        "[ \t]?[0-9a-fA-F]{1,3}-[0-9a-f]{31,33}-[0-9a-f]{15,17}-[0-9a-f.]{1,3}[-.a-z]{0,3}[ \t]?";
    prop_oneof![near, ".{0,80}", "\\PC{0,80}"]
}

fn list() -> impl Strategy<Value = String> {
    let member = "[ \t]?[a-z0-9@*/_.A-Z-]{0,6}=?[ -~\u{e9}]{0,6}[ \t]?";
    let members = prop::collection::vec(member, 0..36).prop_map(|members| members.join(","));
    prop_oneof![members, ".{0,80}"]
}

fn valid_header() -> impl Strategy<Value = String> {
    (1..=u128::MAX, 1..=u64::MAX, 0..=3_u8)
        .prop_map(|(trace, span, flags)| format!("00-{trace:032x}-{span:016x}-{flags:02x}"))
}

fn valid_tracestate() -> impl Strategy<Value = String> {
    let value = "[!-+\\--<>-~ ]{0,8}[!-+\\--<>-~]";
    prop::collection::btree_map("[a-z0-9][a-z0-9@*/_-]{0,20}", value, 1..=32).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(key, value)| format!("{key}={value}")).collect();
        members.join(",")
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_headers_are_read_without_a_panic_and_alike_by_both_ways(
        traceparent in header(), tracestate in list(), baggage in list(),
    ) {
        let headers =
            [("traceparent", &*traceparent), ("tracestate", &*tracestate), ("baggage", &*baggage)];
        let by_propagator = extract(&W3c::new(), &headers);
        let mut of_message = Vec::<(String, String)>::new();
        TraceContext::read_from(&headers[..]).write_to(&mut of_message);
        let of_message: BTreeMap<_, _> = of_message.into_iter().collect();
        let by_propagator: BTreeMap<_, _> = inject(&W3c::new(), &by_propagator).into_iter().collect();
        prop_assert_eq!(of_message.get("traceparent"), by_propagator.get("traceparent"));
        prop_assert_eq!(of_message.get("tracestate"), by_propagator.get("tracestate"));
        prop_assert!(by_propagator.values().all(|value| !value.is_empty()));
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(value in prop::collection::vec(any::<u8>(), 0..120)) {
        for name in ["traceparent", "tracestate", "baggage", "throughline-sent", "throughline-attempt"] {
            let headers = [("traceparent", crate::PARENT.as_bytes()), (name, value.as_slice())];
            let mut sent = Vec::<(String, String)>::new();
            TraceContext::read_from(&headers[..]).write_to(&mut sent);
        }
    }

    #[test]
    fn what_is_valid_comes_out_as_it_went_in(
        traceparent in valid_header(), tracestate in valid_tracestate(),
    ) {
        let headers = [("traceparent", &*traceparent), ("tracestate", &*tracestate)];
        let sent = inject(&W3c::new(), &extract(&W3c::new(), &headers));
        prop_assert_eq!(&sent["traceparent"], &traceparent);
        prop_assert_eq!(&sent["tracestate"], &tracestate);
    }

    #[test]
    fn what_was_read_once_is_read_the_same_again(
        traceparent in header(), tracestate in list(), baggage in list(),
    ) {
        let headers =
            [("traceparent", &*traceparent), ("tracestate", &*tracestate), ("baggage", &*baggage)];
        let once = extract(&W3c::new(), &headers);
        let sent = inject(&W3c::new(), &once);
        let sent: Vec<_> = sent.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let again = extract(&W3c::new(), &sent);
        prop_assert_eq!(span_context(&again), span_context(&once));
        let entries = |context: &opentelemetry::Context| -> BTreeMap<String, String> {
            let baggage = context.baggage();
            baggage.iter().map(|(key, value)| (key.to_string(), format!("{value:?}"))).collect()
        };
        prop_assert_eq!(entries(&again), entries(&once));
    }

    #[test]
    fn any_baggage_can_be_sent_and_read_again(
        entries in prop::collection::btree_map("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,8}", "\\PC{0,20}", 0..20),
    ) {
        let baggage = entries.iter().map(|(key, value)| opentelemetry::KeyValue::new(key.clone(), value.clone()));
        let context = opentelemetry::Context::new().with_baggage(baggage);
        let sent = inject(&W3c::new(), &context);
        let header = sent.get("baggage").map_or("", String::as_str);
        let read = extract(&W3c::new(), &[("baggage", header)]);
        let read: BTreeMap<_, _> = read
            .baggage()
            .iter()
            .map(|(key, (value, _))| (key.to_string(), value.to_string()))
            .collect();
        prop_assert_eq!(read, entries);
    }
}
