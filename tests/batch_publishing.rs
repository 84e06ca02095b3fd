//! Several messages sent by one call: one span, whose context goes into every message that has none of
//! its own.

use throughline::{
    BatchMut, Existing, Facts, HeaderReader, Message, MessageMut, Outcome, TraceContext, Traced,
    async_producer,
};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, from, in_both_worlds, in_span};

struct Record {
    headers: Headers,
    id: &'static str,
}

impl Record {
    fn new(id: &'static str) -> Self {
        Self { headers: Headers::new(), id }
    }

    fn context(&self) -> Option<String> {
        TraceContext::read_from(&self.headers).traceparent()
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

#[async_producer]
async fn publish_all(mut records: Vec<Record>) -> Vec<Record> {
    records.reverse();
    records
}

#[async_producer(destination = "orders")]
fn publish_slice(records: &mut [Headers]) -> Result<usize, String> {
    Ok(records.len())
}

#[async_producer(destination = "orders", existing = replace)]
fn replace_all(records: &mut [Headers]) {
    assert!(!records.is_empty());
}

#[test]
fn the_context_of_one_span_is_in_every_message() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    in_both_worlds(|capture| {
        let mut sent = Vec::new();
        let traces = runtime.block_on(capture.run(async {
            sent = publish_all(vec![Record::new("a"), Record::new("b")]).await;
        }));
        let span = traces
            .span("send orders")
            .is_kind("producer")
            .has_no_links()
            .has_attribute("messaging.batch.message_count", 2)
            .has_attribute("messaging.system", "kafka")
            .has_attribute("messaging.destination.name", "orders")
            .has_no_attribute("messaging.message.id");
        for record in &sent {
            let context = record.context().expect("it was written");
            assert!(context.contains(&span.span_id().to_string()));
        }
        assert_eq!(sent[0].id, "b");
    });
}

#[test]
fn what_somebody_chose_stays_and_is_linked_with_what_its_message_tells() {
    in_both_worlds(|capture| {
        let mut records = [Record::new("a"), Record::new("b"), Record::new("c")];
        records[0].headers = from(SENDER);
        records[2].headers = from(SENDER);
        let traces = capture.run_sync(|| {
            throughline::produce("publish").run_sync(&mut records, |_| ());
        });
        let span = traces.span("send orders").is_kind("producer").has_links(1).links_to(SENDER);
        assert_eq!(records[0].headers, from(SENDER), "nothing was added");
        assert_eq!(records[0].context().as_deref(), Some(SENDER));
        assert!(records[1].context().is_some_and(|own| own.contains(&span.span_id().to_string())));
        span.has_link_attribute(SENDER, "throughline.link.message_count", 2);
    });
    in_both_worlds(|capture| {
        let mut batch = [from(SENDER), from(OTHER_SENDER)];
        let traces = capture.run_sync(|| publish_slice(&mut batch));
        // None of the messages is its own: it is a client's span.
        traces
            .span("send orders")
            .is_kind("client")
            .links_to(SENDER)
            .links_to(OTHER_SENDER)
            .has_links(2);
    });
}

#[test]
fn ids_that_differ_stand_on_the_links_of_their_messages() {
    in_both_worlds(|capture| {
        let mut records = vec![Record::new("a1"), Record::new("a2")];
        records[0].headers = from(SENDER);
        records[1].headers = from(OTHER_SENDER);
        let traces = capture.run_sync(|| {
            throughline::produce("publish").run_sync(&mut records, |_| ());
        });
        traces
            .span("send orders")
            .has_link_attribute(SENDER, "messaging.message.id", "a1")
            .has_link_attribute(OTHER_SENDER, "messaging.message.id", "a2");
    });
}

#[test]
fn what_was_captured_and_not_chosen_is_replaced_in_each() {
    in_both_worlds(|capture| {
        let mut batch = Vec::new();
        let traces = capture.run_sync(|| {
            in_span("request", || {
                batch = vec![Traced::new(1), Traced::new(2)];
                throughline::produce("publish").run_sync(&mut batch, |_| ());
            });
        });
        let span = traces.span("publish").is_kind("producer").has_no_links().span_id().to_string();
        for order in &batch {
            assert!(order.context().traceparent().is_some_and(|own| own.contains(&span)));
        }
    });
    in_both_worlds(|capture| {
        let mut batch = [from(SENDER), Headers::new()];
        let traces = capture.run_sync(|| replace_all(&mut batch));
        let span = traces.span("send orders").is_kind("producer").span_id().to_string();
        for message in &batch {
            let own = TraceContext::read_from(message).traceparent();
            assert!(own.is_some_and(|own| own.contains(&span)));
        }
    });
}

#[test]
fn a_batch_without_messages_is_sent_as_well() {
    in_both_worlds(|capture| {
        let mut none: Vec<Headers> = Vec::new();
        let traces = capture.run_sync(|| publish_slice(&mut none));
        traces
            .span("send orders")
            .is_kind("producer")
            .has_no_links()
            .has_attribute("messaging.batch.message_count", 0);
    });
}

#[test]
fn a_batch_of_ones_own_says_so_itself() {
    struct Envelope(Vec<Headers>);
    impl throughline::Batch for Envelope {
        fn each<'m>(&'m self, visit: &mut dyn FnMut(&'m dyn Message)) {
            self.0.each(visit);
        }
    }
    impl BatchMut for Envelope {
        fn each_mut(&mut self, visit: &mut dyn FnMut(&mut dyn MessageMut)) {
            self.0.each_mut(visit);
        }
    }

    in_both_worlds(|capture| {
        let mut envelope = Envelope(vec![Headers::new(), Headers::new()]);
        let traces = capture.run_sync(|| {
            let span =
                throughline::produce("publish").existing(Existing::Keep).start(&mut envelope);
            span.finish(Outcome::ok());
        });
        traces.span("publish").has_attribute("messaging.batch.message_count", 2);
        assert!(envelope.0.iter().all(|message| !TraceContext::read_from(message).is_empty()));
    });
}
