//! What a handler finds in a delivery is what was put into the record.

use throughline::{testing, TraceContext};

use super::{Broker, Delivery, Record};

const SENDER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER_SENDER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";

fn record(headers: &[(&str, &[u8])]) -> Record {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec()));
    Record { topic: "orders".to_owned(), headers: headers.collect(), body: b"tea".to_vec() }
}

fn delivered(broker: &Broker) -> Delivery {
    broker.receive().expect("a delivery")
}

fn sender_of(record: Record) -> Option<String> {
    let broker = Broker::default();
    broker.send(record);
    TraceContext::read_from(&delivered(&broker)).traceparent()
}

#[test]
fn a_context_arrives_as_it_was_sent() {
    let headers = [("traceparent", SENDER), ("tracestate", "shop=1"), ("baggage", "tenant=acme")];
    let sent = TraceContext::read_from(&headers);
    let mut record = record(&[]);
    sent.write_to(&mut record);

    let broker = Broker::default();
    broker.send(record);
    assert_eq!(TraceContext::read_from(&delivered(&broker)), sent);
}

#[test]
fn a_context_takes_the_place_of_another_and_of_nothing_else() {
    let mut record = record(&[
        ("Traceparent", OTHER_SENDER.as_bytes()),
        ("tracestate", b"shop=1"),
        ("content-type", b"text/plain"),
    ]);
    TraceContext::read_from(&[("traceparent", SENDER)]).write_to(&mut record);
    let traceparent = ("traceparent".to_owned(), SENDER.as_bytes().to_vec());
    let content_type = ("content-type".to_owned(), b"text/plain".to_vec());
    assert_eq!(record.headers, [content_type, traceparent]);
}

#[test]
fn of_a_repeated_header_the_last_counts() {
    let twice = [("traceparent", OTHER_SENDER.as_bytes()), ("traceparent", SENDER.as_bytes())];
    assert_eq!(sender_of(record(&twice)).as_deref(), Some(SENDER));
}

#[test]
fn bytes_that_are_no_text_are_no_context() {
    assert_eq!(sender_of(record(&[("traceparent", b"\xff\xfe")])), None);
    let beside = [("signature", &b"\xff\xfe"[..]), ("traceparent", SENDER.as_bytes())];
    assert_eq!(sender_of(record(&beside)).as_deref(), Some(SENDER));
}

#[test]
fn a_handlers_span_tells_what_the_broker_knows() {
    let broker = Broker::default();
    broker.send(record(&[("traceparent", SENDER.as_bytes())]));
    broker.give_back(delivered(&broker));
    let traces = testing::capture_sync(|| {
        throughline::consume("handle").link().run_sync(&delivered(&broker), || ());
    });

    let span = traces
        .span("process orders")
        .is_root()
        .links_to(SENDER)
        .has_attribute("messaging.system", "memory_broker")
        .has_attribute("messaging.destination.name", "orders")
        .has_attribute("messaging.message.id", "1")
        .has_attribute("messaging.message.body.size", 3)
        .has_attribute("throughline.message.attempt", 2);
    assert!(span.attribute("throughline.message.age").is_some(), "{traces}");
}
