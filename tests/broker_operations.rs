//! Creating, receiving and settling: the operations beside sending and handling, as the conventions
//! have them.

use throughline::testing::Span;
use throughline::{Facts, HeaderReader, Message, MessageMut, TraceContext, Traced};
use throughline_tests::{
    Headers, OTHER_SENDER, SENDER, from, in_both_worlds, in_span, inside_a_poll_loop,
};

#[derive(Debug)]
struct Record {
    headers: Headers,
    id: &'static str,
}

impl Record {
    fn from(sender: &str, id: &'static str) -> Self {
        Self { headers: from(sender), id }
    }
}

impl Message for Record {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.system("kafka").destination("orders").id(self.id);
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

fn has_each_key_once(span: Span<'_>) {
    let mut keys: Vec<_> = span.data().attributes.iter().map(|it| it.key.as_str()).collect();
    let all = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), all, "each key once: {:?}", span.data().attributes);
}

#[test]
fn a_poll_links_to_the_senders_of_what_it_brought() {
    in_both_worlds(|capture| {
        let traces = inside_a_poll_loop(capture, || {
            let batch = throughline::receive("poll_orders")
                .system("kafka")
                .destination("orders")
                .operation("poll")
                .run_sync(|| vec![Record::from(SENDER, "a1"), Record::from(OTHER_SENDER, "a2")]);
            assert_eq!(batch.len(), 2);
        });
        let span = traces
            .span("poll orders")
            .is_kind("client")
            .is_child_of("poll loop")
            .has_links(2)
            .has_link_attribute(SENDER, "messaging.message.id", "a1")
            .has_link_attribute(OTHER_SENDER, "messaging.message.id", "a2")
            .has_attribute("messaging.operation.name", "poll")
            .has_attribute("messaging.operation.type", "receive")
            .has_attribute("messaging.system", "kafka")
            .has_attribute("messaging.destination.name", "orders")
            .has_attribute("messaging.batch.message_count", 2)
            .has_no_attribute("messaging.message.id")
            .has_no_attribute("code.function.name")
            .status_is_unset();
        has_each_key_once(span);
    });
}

#[test]
fn a_poll_for_one_message_tells_of_it_and_counts_nothing() {
    in_both_worlds(|capture| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let traces = runtime.block_on(capture.run(async {
            let poll = async { Ok::<_, String>(Some(Record::from(SENDER, "a1"))) };
            let record = throughline::receive("poll").destination("orders").run(poll).await;
            assert!(record.is_ok());
        }));
        let span = traces
            .span("receive orders")
            .links_to(SENDER)
            .has_links(1)
            .has_attribute("messaging.message.id", "a1")
            .has_attribute("messaging.system", "kafka")
            .has_no_attribute("messaging.batch.message_count");
        has_each_key_once(span);
    });
}

#[test]
fn an_empty_poll_has_no_link_and_the_count_zero() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let none =
                throughline::receive("poll").destination("orders").run_sync(|| None::<Record>);
            assert!(none.is_none());
        });
        traces
            .span("receive orders")
            .has_no_links()
            .has_attribute("messaging.batch.message_count", 0);
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            throughline::receive("poll").destination("orders").run_sync(Vec::<Record>::new);
        });
        traces
            .span("receive orders")
            .has_no_links()
            .has_attribute("messaging.batch.message_count", 0);
    });
}

#[test]
fn a_poll_that_fails_is_an_error_and_counts_nothing() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let failed: Result<Vec<Record>, std::fmt::Error> = throughline::receive("poll")
                .destination("orders")
                .run_sync(|| Err(std::fmt::Error));
            assert!(failed.is_err());
        });
        traces
            .span("receive orders")
            .is_error()
            .has_attribute("error.type", "Error")
            .has_no_links()
            .has_no_attribute("messaging.batch.message_count");
    });
}

#[test]
fn a_settlement_is_named_by_what_is_done_and_links_to_the_sender() {
    in_both_worlds(|capture| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let traces = runtime.block_on(capture.run(async {
            let record = Record::from(SENDER, "a1");
            let mut handler = throughline::consume("handle").link().start(&record);
            let told = handler
                .run(throughline::settle("ack").run(&record, async { Err::<(), _>("no broker") }))
                .await;
            assert!(told.is_err());
            handler.finish(throughline::Outcome::ok());
        }));
        let span = traces
            .span("ack orders")
            .is_kind("client")
            .is_child_of("process orders")
            .links_to(SENDER)
            .has_links(1)
            .has_attribute("messaging.operation.name", "ack")
            .has_attribute("messaging.operation.type", "settle")
            .has_attribute("messaging.message.id", "a1")
            .is_error();
        has_each_key_once(span);
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let batch = [Record::from(SENDER, "a1"), Record::from(OTHER_SENDER, "a2")];
            throughline::settle("commit").run_sync(&batch[..], || ());
        });
        traces
            .span("commit orders")
            .has_links(2)
            .has_attribute("messaging.batch.message_count", 2)
            .status_is_unset();
    });
}

#[test]
fn messages_are_created_one_by_one_and_sent_together() {
    in_both_worlds(|capture| {
        let mut records = vec![
            Record { headers: Headers::new(), id: "a1" },
            Record { headers: Headers::new(), id: "a2" },
        ];
        let traces = capture.run_sync(|| {
            in_span("request", || {
                for record in &mut records {
                    throughline::create("new_order").run_sync(record, |_| ());
                }
                throughline::produce("publish").run_sync(&mut records, |_| ());
            });
        });
        let creations = traces.spans("create orders");
        assert_eq!(creations.len(), 2);
        for (creation, record) in creations.iter().zip(["a1", "a2"]) {
            creation
                .is_kind("producer")
                .is_child_of("request")
                .has_attribute("messaging.operation.type", "create")
                .has_no_attribute("messaging.batch.message_count");
            assert!(creation.attribute("messaging.message.id").is_some(), "{record}");
        }
        let send = traces
            .span("send orders")
            .is_kind("client")
            .has_links(2)
            .has_attribute("messaging.batch.message_count", 2);
        let linked: Vec<_> = send.linked().into_iter().flatten().map(Span::name).collect();
        assert_eq!(linked, ["create orders", "create orders"]);
        for record in &records {
            let context = TraceContext::read_from(record).traceparent().expect("it was created");
            let of_its_own =
                creations.iter().any(|creation| context.contains(&creation.span_id().to_string()));
            assert!(of_its_own, "{context}");
        }
    });
}

#[test]
fn a_message_with_a_context_needs_no_creation() {
    in_both_worlds(|capture| {
        let mut record = Record::from(SENDER, "a1");
        let traces = capture.run_sync(|| {
            throughline::create("new_order").run_sync(&mut record, |_| ());
        });
        assert!(traces.is_empty());
        assert_eq!(record.headers, from(SENDER));
    });
}

#[test]
fn what_only_was_captured_is_created_anew() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            in_span("request", || {
                let mut order = Traced::new(7);
                throughline::create("new_order").run_sync(&mut order, |_| ());
                let own = order.context().traceparent();
                assert_ne!(own, TraceContext::current().traceparent());
            });
        });
        traces.span("new_order").is_kind("producer").is_child_of("request").has_no_links();
    });
}
