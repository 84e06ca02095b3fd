//! `capture_headers`: headers of the message as attributes.

use opentelemetry::{Array, StringValue, Value};
use throughline::testing::Span;
use throughline::{HeaderReader, Message, TraceContext, async_consumer};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, headers, in_both_worlds};

#[async_consumer(link, capture_headers = ["Tenant", "priority", "absent"])]
fn capturing(message: &Headers) {
    let _ = message;
}

#[async_consumer(link)]
fn not_asked(message: &Headers) {
    let _ = message;
}

#[async_consumer(link, capture_headers = names)]
fn chosen(#[message] message: &Headers, names: &[&str]) {
    let _ = (message, names);
}

#[async_consumer(link, capture_headers = ["tenant", "priority"])]
fn batch(messages: &[Headers]) {
    let _ = messages;
}

#[async_consumer(continue, capture_headers = ["tenant"])]
fn later(message: Headers) -> impl Future<Output = ()> {
    drop(message);
    async {}
}

fn texts(values: &[&str]) -> Value {
    let values = values.iter().map(|value| StringValue::from((*value).to_owned())).collect();
    Value::Array(Array::String(values))
}

fn header<'t>(span: Span<'t>, name: &str) -> Option<&'t Value> {
    span.attribute(&format!("throughline.message.header.{name}"))
}

#[test]
fn the_headers_that_were_asked_for_in_any_casing_with_all_their_values() {
    in_both_worlds(|capture| {
        let message = headers(&[
            ("tenant", "acme"),
            ("traceparent", SENDER),
            ("PRIORITY", "1"),
            ("secret", "42"),
            ("priority", "2"),
        ]);
        let traces = capture.run_sync(|| capturing(&message));
        let span = traces.span("capturing").links_to(SENDER);
        assert_eq!(header(span, "tenant"), Some(&texts(&["acme"])));
        assert_eq!(header(span, "priority"), Some(&texts(&["1", "2"])));
        assert_eq!(header(span, "absent"), None);
        assert_eq!(header(span, "secret"), None);
    });
}

#[test]
fn none_unless_asked_and_the_list_may_be_computed() {
    in_both_worlds(|capture| {
        let message = headers(&[("tenant", "acme")]);
        let traces = capture.run_sync(|| {
            not_asked(&message);
            chosen(&message, &["tenant"]);
        });
        assert_eq!(header(traces.span("not_asked"), "tenant"), None);
        assert_eq!(header(traces.span("chosen"), "tenant"), Some(&texts(&["acme"])));
    });
}

#[test]
fn what_a_batch_agrees_on_stands_on_the_span_and_the_rest_on_the_links() {
    in_both_worlds(|capture| {
        let messages = [
            headers(&[("traceparent", SENDER), ("tenant", "acme"), ("priority", "1")]),
            headers(&[("traceparent", OTHER_SENDER), ("tenant", "acme")]),
        ];
        let traces = capture.run_sync(|| batch(&messages));
        let span = traces.span("batch").has_links(2);
        assert_eq!(header(span, "tenant"), Some(&texts(&["acme"])));
        assert_eq!(header(span, "priority"), None);
        let on_links: Vec<Vec<_>> = span
            .links()
            .iter()
            .map(|link| link.attributes.iter().map(|it| (it.key.as_str(), &it.value)).collect())
            .collect();
        let priority = texts(&["1"]);
        assert_eq!(
            on_links,
            [vec![("throughline.message.header.priority", &priority)], Vec::new()]
        );
    });
}

#[test]
fn they_are_read_before_the_body_has_the_message() {
    in_both_worlds(|capture| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let message = headers(&[("traceparent", SENDER), ("tenant", "acme")]);
        let traces = runtime.block_on(capture.run(async { later(message).await }));
        assert_eq!(header(traces.span("later"), "tenant"), Some(&texts(&["acme"])));
    });
}

#[test]
fn a_header_that_only_a_later_message_has_stands_on_its_link() {
    in_both_worlds(|capture| {
        let messages = [
            headers(&[("traceparent", SENDER), ("tenant", "acme")]),
            headers(&[("traceparent", OTHER_SENDER), ("tenant", "acme"), ("priority", "1")]),
        ];
        let traces = capture.run_sync(|| batch(&messages));
        let span = traces.span("batch").has_links(2);
        assert_eq!(header(span, "priority"), None);
        assert_eq!(span.links()[0].attributes, []);
        let [priority] = &span.links()[1].attributes[..] else { panic!("one attribute: {traces}") };
        assert_eq!(priority.key.as_str(), "throughline.message.header.priority");
        assert_eq!(priority.value, texts(&["1"]));
    });
}

/// Holds its context as it is, and headers whose names it makes.
struct Held {
    context: TraceContext,
    tenant: &'static str,
}

impl Message for Held {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        reader.context(&self.context);
        reader.header_named(["ten", "ant"].concat(), self.tenant);
    }
}

#[test]
fn they_are_read_beside_a_whole_context_and_by_names_that_the_message_makes() {
    #[async_consumer(continue, capture_headers = ["tenant"])]
    fn holding(message: &Held) {
        let _ = message;
    }

    in_both_worlds(|capture| {
        let context = TraceContext::read_from(&headers(&[("traceparent", SENDER)]));
        let traces = capture.run_sync(|| holding(&Held { context, tenant: "acme" }));
        let span = traces.span("holding").continues(SENDER);
        assert_eq!(header(span, "tenant"), Some(&texts(&["acme"])));
    });
}

#[test]
fn a_header_that_is_captured_still_carries_the_context() {
    #[async_consumer(continue, capture_headers = ["traceparent"])]
    fn both(message: &Headers) {
        let _ = message;
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| both(&headers(&[("traceparent", SENDER)])));
        let span = traces.span("both").continues(SENDER);
        assert_eq!(header(span, "traceparent"), Some(&texts(&[SENDER])));
    });
}

#[test]
fn the_list_may_be_given_before_the_relation() {
    in_both_worlds(|capture| {
        let message = headers(&[("tenant", "acme")]);
        let traces = capture.run_sync(|| {
            let consume = throughline::consume("built").capture_headers(&["tenant"]).link();
            consume.run_sync(&message, || ());
        });
        assert_eq!(header(traces.span("built"), "tenant"), Some(&texts(&["acme"])));
    });
}
