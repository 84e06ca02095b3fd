//! A trace under `continue` ends where its budget is spent or its sender asks for a new one: the
//! handler links, and its span says why.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use throughline::testing::Traces;
use throughline::{
    Facts, HeaderReader, Message, MessageMut, Relation, TraceContext, Traced, async_consumer,
    async_producer, async_task,
};
use throughline_tests::{Headers, SENDER, from, headers, in_both_worlds, in_span, work_for};

/// A broker's message, whose protocol tells when it was sent.
struct Record {
    headers: Headers,
    sent: Option<SystemTime>,
}

impl Record {
    fn sent_ago(age: Duration) -> Self {
        Self { headers: from(SENDER), sent: SystemTime::now().checked_sub(age) }
    }
}

impl Message for Record {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        if let Some(sent) = self.sent {
            facts.sent_at(sent);
        }
    }
}

impl MessageMut for Record {
    fn set_header(&mut self, name: &str, value: &str) {
        self.headers.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.headers.remove_header(name);
    }

    fn tells_when_it_was_sent(&self) -> bool {
        true
    }
}

const MINUTE: Duration = Duration::from_secs(60);

#[async_consumer(continue, within = "15m")]
fn soon(message: &Record) {
    let _ = message;
}

#[async_consumer(continue, within = "1h30m")]
fn soon_by_its_header(message: &Headers) {
    let _ = message;
}

#[async_consumer(mode = relation)]
fn chosen(#[message] message: &Record, relation: Relation) {
    let _ = (message, relation);
}

fn age(traces: &Traces, span: &str) -> f64 {
    match traces.span(span).attribute("throughline.message.age") {
        Some(opentelemetry::Value::F64(seconds)) => *seconds,
        other => panic!("no age in seconds: {other:?}"),
    }
}

#[test]
fn a_message_that_is_young_enough_is_continued_and_an_older_one_linked() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| soon(&Record::sent_ago(14 * MINUTE)));
        traces.span("soon").continues(SENDER).has_no_attribute("throughline.relation.reason");
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| soon(&Record::sent_ago(16 * MINUTE)));
        traces
            .span("soon")
            .is_root()
            .links_to(SENDER)
            .has_attribute("throughline.relation.kind", "link")
            .has_attribute("throughline.relation.reason", "age");
        assert!((960.0..990.0).contains(&age(&traces, "soon")));
    });
}

#[test]
fn where_no_time_is_known_the_trace_goes_on_and_says_so() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| soon(&Record { headers: from(SENDER), sent: None }));
        traces
            .span("soon")
            .continues(SENDER)
            .has_attribute("throughline.relation.reason", "age_unknown")
            .has_no_attribute("throughline.message.age");
    });
}

#[test]
fn clocks_differ_and_nothing_breaks_near_the_ends_of_time() {
    let far = [
        SystemTime::now().checked_add(MINUTE),
        SystemTime::now().checked_add(Duration::from_secs(u64::from(u32::MAX) * 1000)),
    ];
    for sent in far {
        in_both_worlds(|capture| {
            let message = Record { headers: from(SENDER), sent };
            let traces = capture.run_sync(|| soon(&message));
            traces.span("soon").continues(SENDER);
            assert!(age(&traces, "soon").abs() < f64::EPSILON, "of age zero");
        });
    }
    in_both_worlds(|capture| {
        let message = Record { headers: from(SENDER), sent: Some(UNIX_EPOCH) };
        let traces = capture.run_sync(|| soon(&message));
        traces.span("soon").is_root().has_attribute("throughline.relation.reason", "age");
    });
    for odd in ["0", "18446744073709551615", "-1", "soon", ""] {
        in_both_worlds(|capture| {
            let message = headers(&[("traceparent", SENDER), ("throughline-sent", odd)]);
            let traces = capture.run_sync(|| soon_by_its_header(&message));
            traces.span("soon_by_its_header").links_to(SENDER);
        });
    }
}

#[test]
fn the_sending_side_tells_the_time_only_where_the_protocol_does_not() {
    #[async_producer(destination = "orders")]
    fn publish(message: &mut Headers) {
        assert!(!message.is_empty());
    }
    #[async_producer(destination = "orders")]
    fn publish_record(message: &mut Record) {
        assert!(!message.headers.is_empty());
    }

    in_both_worlds(|capture| {
        let mut message = Headers::new();
        let mut record = Record { headers: Headers::new(), sent: None };
        let traces = capture.run_sync(|| {
            publish(&mut message);
            publish_record(&mut record);
            soon_by_its_header(&message);
        });
        let sent = |headers: &Headers| headers.iter().any(|(name, _)| name == "throughline-sent");
        assert!(sent(&message) && !sent(&record.headers));
        assert!((0.0..60.0).contains(&age(&traces, "soon_by_its_header")));
        traces.span("soon_by_its_header").has_no_attribute("throughline.relation.reason");
    });
}

#[test]
fn a_payload_in_a_channel_tells_how_long_it_waited() {
    #[async_consumer(continue, within = "1s")]
    fn from_a_channel(message: &Traced<u8>) {
        let _ = message;
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| in_span("sender", || from_a_channel(&Traced::new(7))));
        traces.span("from_a_channel").continues("sender");
        assert!((0.0..1.0).contains(&age(&traces, "from_a_channel")));
    });
}

#[test]
fn the_same_limits_hold_for_a_relation_made_at_run_time() {
    in_both_worlds(|capture| {
        let old = Record::sent_ago(2 * MINUTE);
        let traces = capture.run_sync(|| chosen(&old, Relation::CONTINUE.within(MINUTE)));
        traces.span("chosen").is_root().has_attribute("throughline.relation.reason", "age");
    });
    in_both_worlds(|capture| {
        let old = Record::sent_ago(2 * MINUTE);
        let traces = capture.run_sync(|| chosen(&old, Relation::CONTINUE.within(3 * MINUTE)));
        traces.span("chosen").continues(SENDER);
    });
}

fn carrying_state(state: &str) -> Headers {
    headers(&[("traceparent", SENDER), ("tracestate", state)])
}

/// What a handler's own producer sends on, by the name of the header.
fn state_sent_on(headers: &Headers) -> Option<String> {
    headers.iter().find(|(name, _)| name == "tracestate").map(|(_, value)| value.clone())
}

#[async_producer(destination = "orders")]
fn send_on(message: &mut Headers) {
    assert!(!message.is_empty());
}

#[test]
fn a_limit_of_hops_starts_the_count_and_every_continue_adds_to_it() {
    #[async_consumer(continue, max_hops = 3)]
    fn limited(message: &Headers) -> Headers {
        let mut next = Headers::new();
        send_on(&mut next);
        assert_ne!(&next, message);
        next
    }
    #[async_consumer(continue)]
    fn unlimited(message: &Headers) -> Headers {
        let mut next = Headers::new();
        send_on(&mut next);
        assert_ne!(&next, message);
        next
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let first = limited(&carrying_state("vendor=x"));
            assert_eq!(state_sent_on(&first).as_deref(), Some("throughline=hops:1,vendor=x"));
            let second = unlimited(&first);
            assert_eq!(state_sent_on(&second).as_deref(), Some("throughline=hops:2,vendor=x"));
            let third = limited(&second);
            assert_eq!(state_sent_on(&third).as_deref(), Some("throughline=hops:3,vendor=x"));
            let fourth = limited(&third);
            assert_eq!(state_sent_on(&fourth), None, "a new trace counts anew");
        });
        let [first, .., fourth] = traces.spans("limited")[..] else { panic!("three are limited") };
        first.continues(SENDER);
        fourth
            .is_root()
            .has_links(1)
            .has_attribute("throughline.relation.kind", "link")
            .has_attribute("throughline.relation.reason", "hops");
    });
    in_both_worlds(|capture| {
        capture.run_sync(|| {
            let sent_on = unlimited(&carrying_state("vendor=x"));
            assert_eq!(state_sent_on(&sent_on).as_deref(), Some("vendor=x"), "nobody counts");
        });
    });
}

#[test]
fn a_job_that_sends_itself_again_makes_traces_of_the_length_that_was_asked_for() {
    const RUNS: usize = 10_000;

    #[async_consumer(continue, max_hops = 100)]
    fn again(message: &Headers) -> Headers {
        let mut next = Headers::new();
        send_on(&mut next);
        assert_ne!(&next, message);
        next
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let mut message = Headers::new();
            for _ in 0..RUNS {
                message = again(&message);
            }
            assert!(message.len() <= 3, "nothing grows in the message: {message:?}");
        });
        let roots = traces.roots();
        assert_eq!(roots.len(), RUNS.div_ceil(101));
        let linked_to_the_one_before =
            roots.iter().filter(|root| root.linked().iter().any(Option::is_some)).count();
        assert_eq!(linked_to_the_one_before, roots.len() - 1, "but for the first");
    });
}

#[test]
fn the_sender_may_ask_for_a_new_trace() {
    #[async_producer(destination = "reminders", new_trace)]
    fn schedule(message: &mut Headers) {
        assert!(!message.is_empty());
    }
    #[async_consumer(continue)]
    fn heeding(message: &Headers) -> Headers {
        // What is sent on of it does not ask again.
        let mut forwarded = message.clone();
        send_on(&mut forwarded);
        forwarded
    }
    #[async_consumer(continue, heed_break = false)]
    fn not_heeding(message: &Headers) {
        let _ = message;
    }

    in_both_worlds(|capture| {
        let mut message = Headers::new();
        let traces = capture.run_sync(|| {
            schedule(&mut message);
            let forwarded = heeding(&message);
            assert!(!forwarded.iter().any(|(name, _)| name == "throughline-break"));
            not_heeding(&message);
        });
        traces
            .span("heeding")
            .is_root()
            .links_to("send reminders")
            .has_attribute("throughline.relation.reason", "sender");
        traces
            .span("not_heeding")
            .continues("send reminders")
            .has_no_attribute("throughline.relation.reason");
    });
}

#[test]
fn a_payload_in_a_channel_can_ask_for_a_new_trace_as_well() {
    #[async_producer(new_trace)]
    fn schedule(message: &mut Traced<u8>) {
        **message += 1;
    }
    #[async_consumer(continue)]
    fn remind(message: &Traced<u8>) {
        assert_eq!(**message, 8);
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let mut message = Traced::with_context(7, TraceContext::default());
            schedule(&mut message);
            remind(&message);
        });
        traces.span("remind").is_root().links_to("schedule");
    });
}

#[test]
fn a_task_that_waited_too_long_or_too_often_is_linked_as_well() {
    #[async_task(continue, within = "1h", max_hops = 1)]
    async fn once() -> Option<String> {
        let mut sent_on = Headers::new();
        send_on(&mut sent_on);
        state_sent_on(&sent_on)
    }

    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    in_both_worlds(|capture| {
        let traces = runtime.block_on(capture.run(async {
            let first = in_span("request", once);
            assert_eq!(first.await.as_deref(), Some("throughline=hops:1"));
            let mut message = carrying_state("throughline=hops:1");
            message.set_header("traceparent", SENDER);
            let mut handler = throughline::consume("handler").continue_().start(&message);
            let second = handler.run_sync(|| in_span("inner", once));
            handler.finish(throughline::Outcome::ok());
            assert_eq!(second.await, None);
        }));
        let (roots, children): (Vec<_>, Vec<_>) =
            traces.spans("once").into_iter().partition(|span| span.parent().is_none());
        let ([second], [first]) = (&roots[..], &children[..]) else { panic!("one of each") };
        first.is_child_of("request");
        second.is_root().links_to("inner").has_attribute("throughline.relation.reason", "hops");
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let task = in_span("request", || {
                throughline::task("late").continue_().within(Duration::from_nanos(1))
            });
            work_for(Duration::from_micros(50));
            task.run_sync(|| ());
        });
        traces
            .span("late")
            .is_root()
            .links_to("request")
            .has_attribute("throughline.relation.reason", "age");
    });
}

#[test]
fn whitespace_around_what_the_sender_notes_is_none_of_it() {
    #[async_consumer(continue)]
    fn noted(message: &Headers) {
        let _ = message;
    }
    let noted_with = |name, value| noted(&headers(&[("traceparent", SENDER), (name, value)]));

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| noted_with("throughline-break", " 1 "));
        traces.span("noted").is_root().has_attribute("throughline.relation.reason", "sender");
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| noted_with("throughline-break", "0"));
        traces.span("noted").continues(SENDER);
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| noted_with("throughline-sent", " 1700000000000 "));
        assert!(age(&traces, "noted") > 0.0);
    });
}

#[test]
fn what_the_protocol_tells_of_the_time_goes_before_what_the_sender_notes() {
    in_both_worlds(|capture| {
        let mut message = Record::sent_ago(MINUTE);
        message.headers.push(("throughline-sent".to_owned(), "1700000000000".to_owned()));
        let traces = capture.run_sync(|| soon(&message));
        traces.span("soon").continues(SENDER);
        assert!((60.0..90.0).contains(&age(&traces, "soon")), "{traces}");
    });
}
