//! The example traces of the messaging conventions v1.44.0, of its pages on systems and of OTEP 0220:
//! who is whose parent, what links to what, kinds, names, ids and counts.
//!
//! T1 to T4, T8 and T9 are of the page on spans, T5 of Kafka's, T6 and T7 of Pub/Sub's, T10 of
//! Lambda's, and T11 to T15 of the OTEP. Where T7 has its `modack` and `ack` link to the poll, ours
//! link to the sender, as the conventions' rules have it.

use throughline::testing::{Capture, Span, Traces};
use throughline::{Facts, HeaderReader, Message, MessageMut, TraceContext, async_consumer, field};
use throughline_tests::{Headers, SENDER, headers, in_both_worlds, in_span};

#[derive(Debug, Clone)]
struct Record {
    headers: Headers,
    system: &'static str,
    destination: &'static str,
    id: &'static str,
}

fn new(system: &'static str, destination: &'static str, id: &'static str) -> Record {
    Record { headers: Headers::new(), system, destination, id }
}

/// A message in the queue `Q`.
fn in_queue(id: &'static str) -> Record {
    new("rabbitmq", "Q", id)
}

/// A message on the topic `T`.
fn on_topic(id: &'static str) -> Record {
    new("kafka", "T", id)
}

/// One in the queue `Q`, with this as its context.
fn with_context(traceparent: &str, id: &'static str) -> Record {
    Record { headers: headers(&[("traceparent", traceparent)]), ..in_queue(id) }
}

impl Record {
    fn context(&self) -> String {
        TraceContext::read_from(&self.headers).traceparent().expect("a context")
    }
}

impl Message for Record {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.system(self.system).destination(self.destination).id(self.id);
    }
}

impl MessageMut for Record {
    fn set_header(&mut self, name: &str, value: &str) {
        self.headers.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.headers.remove_header(name);
    }
}

#[async_consumer(link, operation = "consume")]
fn consume_linked(message: &Record) {
    let _ = message;
}

#[async_consumer(continue, operation = "consume")]
fn consume_continued(message: &Record) {
    let _ = message;
}

#[async_consumer(link, nested)]
fn process_nested(message: &Record) {
    let _ = message;
}

#[async_consumer(link, operation = "deliver")]
fn deliver(message: &Record) {
    let _ = message;
}

#[async_consumer(link, operation = "deliver")]
fn deliver_and_settle(message: &Record) {
    throughline::settle("ack").operation("settle").run_sync(message, || ());
}

/// Sends one message in a span of its own: `send Q`.
fn send(message: &mut Record) {
    throughline::produce("send").run_sync(message, |_| ());
}

/// Polls the broker: `poll Q`.
fn poll<K, R: throughline::Polled<K>>(destination: &'static str, poll: impl FnOnce() -> R) -> R {
    throughline::receive("poll").destination(destination).operation("poll").run_sync(poll)
}

/// The only span of this name, whose kind and `messaging.operation.type` are these.
#[track_caller]
fn the<'t>(traces: &'t Traces, name: &str, kind: &str, operation: &str) -> Span<'t> {
    let [span] = all(traces, name, kind, operation)[..] else { panic!("one {name}: {traces}") };
    span
}

#[track_caller]
fn all<'t>(traces: &'t Traces, name: &str, kind: &str, operation: &str) -> Vec<Span<'t>> {
    let spans = traces.spans(name);
    for span in &spans {
        span.is_kind(kind)
            .has_attribute("messaging.operation.type", operation)
            .has_attribute("messaging.operation.name", name.split(' ').next().unwrap_or(name))
            .status_is_unset();
    }
    spans
}

/// The span whose context is in `message`.
#[track_caller]
fn origin<'t>(traces: &'t Traces, message: &Record) -> Span<'t> {
    let context = message.context();
    let is_it = |span: &Span<'_>| context[36..52] == *span.span_id().to_string();
    traces.all().into_iter().find(is_it).unwrap_or_else(|| panic!("{context} is none of {traces}"))
}

/// A span about one of several messages has that one's id and no count.
#[track_caller]
fn is_about_one(span: Span<'_>, message: &Record) {
    span.links_to(&message.context())
        .has_links(1)
        .has_attribute("messaging.message.id", message.id)
        .has_no_attribute("messaging.batch.message_count");
}

/// A span about all of them counts them, and tells on the links which is which.
#[track_caller]
fn is_about_each(span: Span<'_>, messages: &[Record]) {
    span.has_links(messages.len())
        .has_attribute("messaging.batch.message_count", i64::try_from(messages.len()).unwrap_or(-1))
        .has_no_attribute("messaging.message.id");
    for message in messages {
        span.has_link_attribute(&message.context(), "messaging.message.id", message.id);
    }
}

/// T1.
#[test]
fn a_topic_with_two_consumers() {
    let publish_to = |consume: fn(&Record), capture: Capture| {
        let mut message = on_topic("a");
        capture.run_sync(|| {
            throughline::produce("publish").operation("publish").run_sync(&mut message, |_| ());
            consume(&message.clone());
            consume(&message);
        })
    };
    in_both_worlds(|capture| {
        let traces = publish_to(consume_linked, capture);
        let publish = the(&traces, "publish T", "producer", "send").is_root().has_no_links();
        publish.has_attribute("messaging.message.id", "a");
        for consume in all(&traces, "consume T", "consumer", "process") {
            consume.is_root().links_to("publish T").has_links(1);
            consume.has_attribute("messaging.message.id", "a");
        }
        assert_eq!((traces.len(), traces.roots().len()), (3, 3));
    });
    in_both_worlds(|capture| {
        let traces = publish_to(consume_continued, capture);
        the(&traces, "publish T", "producer", "send").is_root().has_no_links();
        for consume in all(&traces, "consume T", "consumer", "process") {
            consume.is_child_of("publish T").links_to("publish T").has_links(1);
            consume.has_attribute("messaging.message.id", "a");
        }
        assert_eq!((traces.len(), traces.roots().len()), (3, 1));
    });
}

/// T2.
#[test]
fn a_batch_that_one_poll_brings() {
    in_both_worlds(|capture| {
        let mut messages = [in_queue("a1"), in_queue("a2")];
        let traces = capture.run_sync(|| {
            messages.iter_mut().for_each(send);
            poll("Q", || messages.to_vec());
        });
        for message in &messages {
            origin(&traces, message).is_root().has_attribute("messaging.message.id", message.id);
        }
        for send in all(&traces, "send Q", "producer", "send") {
            send.has_no_links().has_no_attribute("messaging.batch.message_count");
        }
        is_about_each(the(&traces, "poll Q", "client", "receive").is_root(), &messages);
    });
}

/// T3.
#[test]
fn messages_created_each_and_sent_together() {
    in_both_worlds(|capture| {
        let mut messages = [in_queue("a1"), in_queue("a2")];
        let traces = capture.run_sync(|| {
            for message in &mut messages {
                throughline::create("create").run_sync(message, |_| ());
            }
            throughline::produce("send").run_sync(&mut messages, |_| ());
            for message in &messages {
                poll("Q", || Some(message.clone()));
            }
        });
        for create in all(&traces, "create Q", "producer", "create") {
            create.is_root().has_no_links().has_no_attribute("messaging.batch.message_count");
        }
        is_about_each(the(&traces, "send Q", "client", "send").is_root(), &messages);
        let polls = all(&traces, "poll Q", "client", "receive");
        assert_eq!(polls.len(), 2);
        for message in &messages {
            assert_eq!(origin(&traces, message).name(), "create Q");
            let its_own = |poll: &&Span<'_>| {
                poll.attribute("messaging.message.id").is_some_and(|id| id.as_str() == message.id)
            };
            is_about_one(polls.iter().find(its_own).expect("its poll").is_root(), message);
        }
    });
}

/// T4.
#[test]
fn messages_sent_together_that_nobody_created_before() {
    in_both_worlds(|capture| {
        let mut messages = [in_queue("a1"), in_queue("a2")];
        let traces = capture.run_sync(|| {
            throughline::produce("send").run_sync(&mut messages, |_| ());
            for message in &messages {
                poll("Q", || Some(message.clone()));
            }
        });
        the(&traces, "send Q", "producer", "send")
            .is_root()
            .has_no_links()
            .has_attribute("messaging.batch.message_count", 2)
            .has_no_attribute("messaging.message.id");
        let mut ids = Vec::new();
        for poll in all(&traces, "poll Q", "client", "receive") {
            poll.is_root()
                .links_to("send Q")
                .has_links(1)
                .has_no_attribute("messaging.batch.message_count");
            ids.extend(poll.attribute("messaging.message.id").map(ToString::to_string));
        }
        ids.sort_unstable();
        assert_eq!(ids, ["a1", "a2"]);
    });
}

/// T5. The consumer's group and the clients' ids are fields of the user's.
#[test]
fn a_poll_then_the_handling_and_in_it_the_commit() {
    const GROUP: &str = "messaging.consumer.group.name";
    const CLIENT: &str = "messaging.client.id";

    #[async_consumer(
        continue,
        fields(messaging.consumer.group.name = "my-group", messaging.client.id = "8")
    )]
    fn process(message: &Record) {
        throughline::settle("commit")
            .fields(&[(GROUP, field::value("my-group")), (CLIENT, field::value("8"))])
            .run_sync(message, || ());
    }

    in_both_worlds(|capture| {
        let mut message = on_topic("a");
        let traces = capture.run_sync(|| {
            throughline::produce("send")
                .fields(&[(CLIENT, field::value("5"))])
                .run_sync(&mut message, |_| ());
            let polled = throughline::receive("poll")
                .destination("T")
                .operation("poll")
                .fields(&[(GROUP, field::value("my-group")), (CLIENT, field::value("8"))])
                .run_sync(|| Some(message));
            process(&polled.expect("a message"));
        });
        the(&traces, "send T", "producer", "send")
            .is_root()
            .has_no_links()
            .has_attribute(CLIENT, "5")
            .has_no_attribute(GROUP);
        let poll = the(&traces, "poll T", "client", "receive").is_root();
        let process = the(&traces, "process T", "consumer", "process").is_child_of("send T");
        // Links to a sender are allowed here, and the example has none.
        let commit = the(&traces, "commit T", "client", "settle").is_child_of("process T");
        for span in [poll, process, commit] {
            span.links_to("send T")
                .has_links(1)
                .has_attribute(GROUP, "my-group")
                .has_attribute(CLIENT, "8");
        }
    });
}

/// T6.
#[test]
fn messages_created_each_and_sent_by_a_client_later() {
    in_both_worlds(|capture| {
        let mut messages = [new("gcp_pubsub", "T", "a1"), new("gcp_pubsub", "T", "a2")];
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let traces = runtime.block_on(capture.run(async {
            for message in &mut messages {
                throughline::create("create").run(message, |_| async {}).await;
            }
            throughline::produce("send").run(&mut messages, |_| async {}).await;
        }));
        let creations = all(&traces, "create T", "producer", "create");
        assert_eq!(creations.len(), 2);
        for create in creations {
            create.is_root().has_attribute("messaging.system", "gcp_pubsub");
        }
        is_about_each(the(&traces, "send T", "client", "send"), &messages);
    });
}

/// T7: on the consumer's side the subscription is the destination.
#[test]
fn a_subscription_that_is_pulled_given_more_time_and_acknowledged() {
    in_both_worlds(|capture| {
        let mut message = new("gcp_pubsub", "T", "a1");
        let traces = capture.run_sync(|| {
            throughline::create("create").run_sync(&mut message, |_| ());
            throughline::produce("send").run_sync(&mut message, |_| ());
            let pull = throughline::receive("pull").destination("S");
            let pulled = pull.run_sync(|| Some(message.clone())).expect("a message");
            let more_time = throughline::settle("modack").unsettled().destination("S");
            more_time.run_sync(&pulled, || ());
            throughline::settle("ack").destination("S").run_sync(&pulled, || ());
        });
        let more_time = traces.span("modack S").is_kind("client").is_root();
        more_time
            .has_attribute("messaging.operation.name", "modack")
            .has_no_attribute("messaging.operation.type");
        is_about_one(more_time, &message);
        the(&traces, "create T", "producer", "create").is_root().has_no_links();
        is_about_one(the(&traces, "send T", "client", "send").is_root(), &message);
        for (name, operation) in [("receive S", "receive"), ("ack S", "settle")] {
            let span = the(&traces, name, "client", operation).is_root();
            is_about_one(span.has_attribute("messaging.destination.name", "S"), &message);
        }
        assert_eq!(origin(&traces, &message).name(), "create T");
    });
}

/// T8.
#[test]
fn a_message_pushed_in_a_request_stays_under_the_request() {
    in_both_worlds(|capture| {
        let mut message = on_topic("a");
        let traces = capture.run_sync(|| {
            send(&mut message);
            in_span("POST /push", || process_nested(&message));
        });
        let process = the(&traces, "process T", "consumer", "process");
        is_about_one(process.is_child_of("POST /push"), &message);
    });
}

/// T9.
#[test]
fn a_message_pushed_in_a_request_and_continued_links_to_the_request() {
    in_both_worlds(|capture| {
        let mut message = on_topic("a");
        let traces = capture.run_sync(|| {
            send(&mut message);
            in_span("POST /push", || consume_continued(&message));
        });
        let process = the(&traces, "consume T", "consumer", "process").continues("send T");
        process.has_link_attribute("POST /push", "throughline.link.role", "ambient").has_links(2);
        assert_eq!(process.linked()[0].map(Span::name), Some("send T"), "the sender first");
    });
}

/// T10, both where the function's own span is there and where it is not.
#[test]
fn a_function_called_with_a_batch_and_each_message_handled_in_it() {
    #[async_consumer(link)]
    fn all_passive(messages: &[Record]) {
        messages.iter().for_each(process_nested);
    }
    #[async_consumer(link, nested)]
    fn all_active(messages: &[Record]) {
        messages.iter().for_each(process_nested);
    }

    let handled_by = |handler: fn(&[Record]), function: bool, capture: Capture| {
        let mut messages = [new("aws_sqs", "Q", "a1"), new("aws_sqs", "Q", "a2")];
        let traces = capture.run_sync(|| {
            messages.iter_mut().for_each(send);
            if function {
                in_span("my-function", || handler(&messages));
            } else {
                handler(&messages);
            }
        });
        (traces, messages)
    };
    let check = |traces: &Traces, messages: &[Record], is_batch_under: Option<&str>| {
        let spans = all(traces, "process Q", "consumer", "process");
        let is_batch = |span: &&Span<'_>| span.attribute("messaging.batch.message_count").is_some();
        let [batch] = spans.iter().filter(is_batch).collect::<Vec<_>>()[..] else {
            panic!("one batch: {traces}")
        };
        is_about_each(*batch, messages);
        match is_batch_under {
            Some(parent) => batch.is_child_of(parent),
            None => batch.is_root(),
        };
        let children = batch.children();
        assert_eq!(children.len(), messages.len());
        for message in messages {
            let context = message.context();
            let links_to_it = |span: &&Span<'_>| {
                span.links()[0].span_context.span_id().to_string() == context[36..52]
            };
            is_about_one(*children.iter().find(links_to_it).expect("its handling"), message);
        }
    };
    in_both_worlds(|capture| {
        let (traces, messages) = handled_by(all_passive, false, capture);
        check(&traces, &messages, None);
    });
    in_both_worlds(|capture| {
        let (traces, messages) = handled_by(all_active, true, capture);
        check(&traces, &messages, Some("my-function"));
    });
}

/// Publishes a message and has `deliver` handle it.
fn published_to(deliver: fn(&Record), capture: Capture) -> (Traces, Record) {
    let mut message = in_queue("a1");
    let traces = capture.run_sync(|| {
        throughline::produce("publish").operation("publish").run_sync(&mut message, |_| ());
        deliver(&message);
    });
    the(&traces, "publish Q", "producer", "send").is_root().has_no_links();
    is_about_one(the(&traces, "deliver Q", "consumer", "process").is_root(), &message);
    (traces, message)
}

/// T11.
#[test]
fn a_message_pushed_and_linked_to_its_sender() {
    in_both_worlds(|capture| {
        let (traces, _) = published_to(deliver, capture);
        assert_eq!(traces.len(), 2);
    });
}

/// T12.
#[test]
fn a_message_pushed_and_settled_where_it_is_handled() {
    in_both_worlds(|capture| {
        let (traces, message) = published_to(deliver_and_settle, capture);
        let settle = the(&traces, "settle Q", "client", "settle").is_child_of("deliver Q");
        is_about_one(settle, &message);
    });
}

/// T13: OTEP 0220 has creations below the sending; its span is the producer's then.
#[test]
fn messages_created_while_they_are_sent() {
    in_both_worlds(|capture| {
        let mut messages = [in_queue("m1"), in_queue("m2")];
        let traces = capture.run_sync(|| {
            let publish = throughline::produce("publish").operation("publish");
            publish.run_sync(&mut messages, |messages| {
                for message in messages {
                    throughline::create("create").run_sync(message, |_| ());
                }
            });
            messages.iter().for_each(deliver);
        });
        the(&traces, "publish Q", "producer", "send")
            .is_root()
            .has_attribute("messaging.batch.message_count", 2);
        assert_eq!(all(&traces, "create Q", "producer", "create").len(), 2);
        let handled = all(&traces, "deliver Q", "consumer", "process");
        assert_eq!(handled.len(), 2);
        for message in &messages {
            let create = origin(&traces, message).is_child_of("publish Q").has_no_links();
            assert_eq!(create.name(), "create Q");
            let of_this =
                |span: &&Span<'_>| span.linked()[0].map(Span::span_id) == Some(create.span_id());
            is_about_one(handled.iter().find(of_this).expect("its handling").is_root(), message);
        }
    });
}

/// T14.
#[test]
fn a_poll_and_settlements_under_the_span_around_them() {
    in_both_worlds(|capture| {
        let mut messages = [in_queue("m1"), in_queue("m2")];
        let traces = capture.run_sync(|| {
            messages.iter_mut().for_each(send);
            in_span("ambient", || {
                for message in poll("Q", || messages.to_vec()) {
                    throughline::settle("settle").run_sync(&message, || ());
                }
            });
        });
        let poll = the(&traces, "poll Q", "client", "receive").is_child_of("ambient");
        is_about_each(poll, &messages);
        let settlements = all(&traces, "settle Q", "client", "settle");
        for (settle, message) in settlements.iter().zip(&messages) {
            is_about_one(settle.is_child_of("ambient"), message);
        }
        assert_eq!(settlements.len(), 2);
    });
}

/// T15.
#[test]
fn a_batch_pushed_to_one_handler() {
    #[async_consumer(link, operation = "deliver")]
    fn deliver_all(messages: &[Record]) {
        let _ = messages;
    }

    in_both_worlds(|capture| {
        let mut messages = [in_queue("m1"), in_queue("m2")];
        let traces = capture.run_sync(|| {
            messages.iter_mut().for_each(send);
            deliver_all(&messages);
        });
        is_about_each(the(&traces, "deliver Q", "consumer", "process").is_root(), &messages);
    });
}

/// Runs `check` on a poll that brings `messages`, and on their settlement.
fn polled_and_settled(messages: &[Record], check: impl Fn(Span<'_>)) {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| poll("Q", || messages.to_vec()));
        check(the(&traces, "poll Q", "client", "receive"));
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            throughline::settle("commit").run_sync(messages, || ());
        });
        check(the(&traces, "commit Q", "client", "settle"));
    });
}

#[test]
fn a_message_without_a_readable_context_is_counted_and_not_linked() {
    let messages = [in_queue("a1"), with_context("00-nonsense", "a2"), with_context(SENDER, "a3")];
    polled_and_settled(&messages, |span| {
        span.links_to(SENDER)
            .has_links(1)
            .has_link_attribute(SENDER, "messaging.message.id", "a3")
            .has_attribute("messaging.batch.message_count", 3);
    });
    polled_and_settled(&messages[..2], |span| {
        span.is_root().has_no_links().has_attribute("messaging.batch.message_count", 2);
    });
}

#[test]
fn of_many_senders_128_are_linked_and_every_message_counted() {
    let sender = |number: u64| format!("00-0af7651916cd43dd8448eb211c80319c-{number:016x}-01");
    let messages: Vec<_> = (1..=300).map(|it| with_context(&sender(it), "a")).collect();
    polled_and_settled(&messages, |span| {
        span.has_links(128)
            .links_to(&sender(1))
            .links_to(&sender(128))
            .has_attribute("messaging.batch.message_count", 300);
        assert_eq!(span.data().links.dropped_count, 0);
    });
}

#[test]
fn two_senders_of_one_trace_have_a_link_each_and_one_sender_has_one() {
    let other = SENDER.replace("b7ad6b7169203331", "c7ad6b7169203331");
    let messages =
        [with_context(SENDER, "a1"), with_context(&other, "a2"), with_context(&other, "a3")];
    polled_and_settled(&messages, |span| {
        span.has_links(2)
            .has_link_attribute(SENDER, "messaging.message.id", "a1")
            .has_link_attribute(&other, "throughline.link.message_count", 2)
            .has_attribute("messaging.batch.message_count", 3);
    });
}

#[test]
fn a_context_that_the_user_chose_is_sent_as_it_is() {
    in_both_worlds(|capture| {
        let mut messages = [with_context(SENDER, "a1"), in_queue("a2")];
        let traces = capture.run_sync(|| {
            for message in &mut messages {
                throughline::create("create").run_sync(message, |_| ());
            }
            throughline::produce("send").run_sync(&mut messages, |_| ());
        });
        assert_eq!(messages[0].headers, headers(&[("traceparent", SENDER)]));
        let create = the(&traces, "create Q", "producer", "create");
        create.has_attribute("messaging.message.id", "a2");
        is_about_each(the(&traces, "send Q", "client", "send"), &messages);
    });
}
