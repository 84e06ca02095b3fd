//! All that the W3C's own tests ask of a service, over real sockets and in both of its modes.

mod http;
mod service;

use std::collections::BTreeSet;

use crate::http::Head;
use crate::service::Service;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

fn in_both_modes(test: impl Fn(&Service)) {
    for mode in ["propagators", "handlers"] {
        eprintln!("in the mode {mode}");
        test(&Service::start(mode));
    }
}

/// The context that a call carries.
struct Sent {
    trace: String,
    span: String,
    flags: String,
    tracestate: Option<String>,
}

impl Sent {
    /// Each header is there once, by its right name.
    fn of(call: &Head) -> Self {
        for name in call.names().filter(|name| name.to_ascii_lowercase().starts_with("trace")) {
            assert!(["traceparent", "tracestate"].contains(&name), "{call:?}");
            assert_eq!(call.values(name).count(), 1, "{call:?}");
        }
        let traceparent = call.values("traceparent").next().expect("a traceparent");
        let fields: Vec<_> = traceparent.split('-').collect();
        let ["00", trace, span, flags] = fields[..] else { panic!("{traceparent}") };
        for (field, length) in [(trace, 32), (span, 16), (flags, 2)] {
            let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            assert!(field.len() == length && field.bytes().all(is_digit), "{traceparent}");
        }
        assert!([trace, span].iter().all(|id| id.contains(|digit| digit != '0')), "{traceparent}");
        Self {
            trace: trace.to_owned(),
            span: span.to_owned(),
            flags: flags.to_owned(),
            tracestate: call.values("tracestate").next().map(str::to_owned),
        }
    }
}

/// What is sent in one call. In the headers, `{trace}` and `{span}` stand for ids.
fn sent(service: &Service, headers: &str) -> Sent {
    let headers = headers.replace("{trace}", TRACE).replace("{span}", SPAN);
    let sent = Sent::of(&service.calls(&headers, 1)[0]);
    assert_ne!(sent.span, SPAN, "{headers}");
    sent
}

#[test]
fn a_trace_goes_on_where_its_traceparent_can_be_read() {
    in_both_modes(|service| {
        for headers in [
            "traceparent: 00-{trace}-{span}-01",
            "TraceParent: 00-{trace}-{span}-01",
            "TrAcEpArEnT: 00-{trace}-{span}-01",
            "TRACEPARENT: 00-{trace}-{span}-01",
            "traceparent:00-{trace}-{span}-01",
            "traceparent: \t00-{trace}-{span}-01",
            "traceparent: 00-{trace}-{span}-01\t",
            "traceparent:\t 00-{trace}-{span}-01 \t",
            "traceparent: cc-{trace}-{span}-01",
            "traceparent: cc-{trace}-{span}-01-what-is-not-known-yet",
            "traceparent: 00-{trace}-{span}-01\ntraceparent: 00-{trace}-{span}-01",
        ] {
            let sent = sent(service, headers);
            assert_eq!((sent.trace.as_str(), sent.flags.as_str()), (TRACE, "01"), "{headers}");
            assert_eq!(sent.tracestate, None, "{headers}");
        }
    });
}

/// Each field too long, too short, and with what is no digit at either end.
fn broken_traceparents() -> Vec<String> {
    let right = format!("00-{TRACE}-{SPAN}-01");
    let mut broken = Vec::new();
    for (start, end) in [(0, 2), (3, 35), (36, 52), (53, 55)] {
        let with = |range: std::ops::Range<usize>, text: &str| {
            let mut header = right.clone();
            header.replace_range(range, text);
            format!("traceparent: {header}")
        };
        broken.extend([
            with(start..start, "0"),
            with(end..end, "0"),
            with(start..start, "00"),
            with(start..start + 1, ""),
            with(start..start + 1, "."),
            with(end - 1..end, "."),
            with(start..start + 1, "A"),
        ]);
    }
    broken
}

#[test]
fn a_trace_begins_where_there_is_none_that_can_be_read() {
    let listed = [
        "",
        "trace-parent: 00-{trace}-{span}-01",
        "trace.parent: 00-{trace}-{span}-01",
        "traceparent:",
        "traceparent: 00-{trace}-{span}-01.",
        "traceparent: 00-{trace}-{span}-01-",
        "traceparent: 00-{trace}-{span}-01-what-is-not-known-yet",
        "traceparent: cc-{trace}-{span}-01.what-is-not-known-yet",
        "traceparent: ff-{trace}-{span}-01",
        "traceparent: 00-00000000000000000000000000000000-{span}-01",
        "traceparent: 00-{trace}-0000000000000000-01",
        "traceparent: 00-{trace}-{span}-01\ntraceparent: 00-0bf7651916cd43dd8448eb211c80319c-{span}-01",
        "traceparent: 00-{trace}-{span}-01\ntraceparent: 00-{trace}-{span}-00",
    ];
    let headers: Vec<_> =
        listed.map(str::to_owned).into_iter().chain(broken_traceparents()).collect();
    in_both_modes(|service| {
        for headers in &headers {
            // And then it is not asked what the other header says.
            for tracestate in ["tracestate: foo=1", "tracestate: foo=1,bar=2"] {
                let headers = format!("{headers}\n{tracestate}");
                let sent = sent(service, &headers);
                // Nor is an id made of a part of a broken one, or of one of two.
                assert!(!sent.trace.contains(&TRACE[2..31]), "{headers}");
                assert_eq!(sent.tracestate, None, "{headers}");
            }
        }
    });
}

#[test]
fn the_flags_that_are_known_are_sent_and_no_others() {
    in_both_modes(|service| {
        for (flags, expected) in
            [("00", "00"), ("01", "01"), ("02", "02"), ("03", "03"), ("ff", "03")]
        {
            let sent = sent(service, &format!("traceparent: 00-{{trace}}-{{span}}-{flags}"));
            assert_eq!((sent.trace.as_str(), sent.flags.as_str()), (TRACE, expected));
        }
    });
}

/// What is sent of a list: its lines as headers of their own, after a traceparent.
fn assert_tracestate(service: &Service, lines: &str, expected: Option<&str>) {
    for flags in ["00", "01"] {
        let headers = format!("traceparent: 00-{{trace}}-{{span}}-{flags}\n{lines}");
        let sent = sent(service, &headers);
        // Whatever became of the list.
        assert_eq!((sent.trace.as_str(), sent.flags.as_str()), (TRACE, flags), "{headers}");
        assert_eq!(sent.tracestate.as_deref(), expected, "{headers}");
    }
}

#[test]
fn a_tracestate_is_sent_on_or_discarded_as_a_whole() {
    in_both_modes(|service| {
        for (lines, expected) in [
            ("tracestate: foo=1,bar=2", Some("foo=1,bar=2")),
            ("TraceState: foo=1", Some("foo=1")),
            ("TrAcEsTaTe: foo=1", Some("foo=1")),
            ("TRACESTATE: foo=1", Some("foo=1")),
            ("trace-state: foo=1", None),
            ("trace.state: foo=1", None),
            // Empty ones.
            ("tracestate:", None),
            ("tracestate: , \t,", None),
            ("tracestate: foo=1\ntracestate:", Some("foo=1")),
            ("tracestate:\ntracestate: foo=1", Some("foo=1")),
            // In several headers.
            (
                "tracestate: foo=1,bar=2\ntracestate: rojo=1,congo=2\ntracestate: baz=3",
                Some("foo=1,bar=2,rojo=1,congo=2,baz=3"),
            ),
            // White space around members.
            ("tracestate: foo=1 \t , \t bar=2, \t baz=3", Some("foo=1,bar=2,baz=3")),
            ("tracestate: foo=1\t \t,\t \tbar=2", Some("foo=1,bar=2")),
            ("tracestate:\t foo=1 \t", Some("foo=1")),
            // A key that is there twice: not the receiver's affair.
            ("tracestate: foo=1,bar=2,foo=1", Some("foo=1,bar=2")),
            ("tracestate: foo=1,foo=2", Some("foo=1")),
            ("tracestate: foo=1\ntracestate: foo=1", Some("foo=1")),
            ("tracestate: foo=1\ntracestate: foo=2", Some("foo=1")),
            // Keys.
            ("tracestate: 0foo=1", Some("0foo=1")),
            ("tracestate: foo@=1,bar=2", Some("foo@=1,bar=2")),
            ("tracestate: foo@@bar=1,bar=2", Some("foo@@bar=1,bar=2")),
            ("tracestate: foo@bar@baz=1,bar=2", Some("foo@bar@baz=1,bar=2")),
            ("tracestate: @foo=1,bar=2", None),
            ("tracestate: foo =1", None),
            ("tracestate: FOO=1", None),
            ("tracestate: foo.bar=1", None),
            // Values.
            ("tracestate: foo=bar=baz", None),
            ("tracestate: foo=,bar=3", None),
            ("tracestate: bar=3,foo", None),
        ] {
            assert_tracestate(service, lines, expected);
        }
    });
}

#[test]
fn a_list_is_as_long_as_it_may_be() {
    let member = |n: usize| format!("bar{n:02}={n:02}");
    let members = |count: usize| (1..=count).map(member).collect::<Vec<_>>();
    let in_headers = |members: &[String]| {
        let lines: Vec<_> =
            members.chunks(10).map(|some| format!("tracestate: {}", some.join(","))).collect();
        lines.join("\n")
    };
    let every_value: String = (' '..='~').filter(|letter| !",=".contains(*letter)).collect();
    let every_key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let (long, too_long) = ("z".repeat(256), "z".repeat(257));
    in_both_modes(|service| {
        assert_tracestate(service, &in_headers(&members(32)), Some(&members(32).join(",")));
        assert_tracestate(service, &in_headers(&members(33)), None);
        for key in [
            every_key,
            &format!("{every_key}@a-z0-9_-*/"),
            &long,
            &format!("{}@v", &long[..242]),
            &format!("{}@{}", &long[..241], &long[..14]),
            &format!("t@{}", &long[..15]),
        ] {
            let member = format!("{key}={every_value}");
            let lines = format!("tracestate: foo=1\ntracestate: {member}");
            assert_tracestate(service, &lines, Some(&format!("foo=1,{member}")));
        }
        for key in [&too_long, &format!("t@{}", &long[..255])] {
            assert_tracestate(service, &format!("tracestate: foo=1\ntracestate: {key}=1"), None);
        }
    });
}

#[test]
fn every_call_has_a_span_of_its_own_in_one_trace() {
    in_both_modes(|service| {
        for (headers, continued) in [
            (format!("traceparent: 00-{TRACE}-{SPAN}-01"), Some(TRACE)),
            (String::new(), None),
            (format!("traceparent: 00-{}-{SPAN}-01", "0".repeat(32)), None),
        ] {
            let calls: Vec<_> = service.calls(&headers, 3).iter().map(Sent::of).collect();
            let spans: BTreeSet<_> = calls.iter().map(|sent| sent.span.as_str()).collect();
            assert_eq!(spans.len(), 3);
            assert!(!spans.contains(SPAN));
            let traces: BTreeSet<_> = calls.iter().map(|sent| sent.trace.as_str()).collect();
            assert_eq!(traces.len(), 1);
            assert_eq!(traces.contains(TRACE), continued.is_some());
        }
    });
}

#[test]
fn baggage_in_several_headers_goes_along() {
    in_both_modes(|service| {
        let calls = service.calls("Baggage: a=1;p=x, b=2\nbaggage: c=%C3%A9", 1);
        let lists: Vec<_> = calls[0].values("baggage").collect();
        let [list] = lists[..] else { panic!("{lists:?}") };
        assert_eq!(
            list.split(',').collect::<BTreeSet<_>>(),
            BTreeSet::from(["a=1;p=x", "b=2", "c=%C3%A9"])
        );
    });
}
