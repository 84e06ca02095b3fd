//! Messages by HTTP: a webhook is sent in one request and handled in another, inside the span that a web
//! framework makes for it.

use http::{Request, Response, StatusCode};
use throughline::testing::{Capture, Traces};
use throughline::{TraceContext, async_consumer, async_producer};
use throughline_tests::{SENDER, in_both_worlds, in_span};

type Post = Request<&'static str>;

/// A web framework, as small as it can be: a span for the request, and the handler called inside it.
fn receive(request: &Post, handler: fn(&Post) -> StatusCode) -> Response<()> {
    let status = in_span("POST /hooks", || handler(request));
    let mut response = Response::new(());
    *response.status_mut() = status;
    response
}

#[async_producer(system = "webhook", destination = "orders")]
fn notify(#[message] request: Post, handler: fn(&Post) -> StatusCode) -> Response<()> {
    assert_eq!(request.headers()["content-type"], "text/plain");
    receive(&request, handler)
}

fn post() -> Post {
    Request::post("http://shop.example/hooks")
        .header("content-type", "text/plain")
        .body("two lemons")
        .expect("a request")
}

#[async_consumer(link, nested, system = "webhook", destination = "orders")]
fn nested(_request: &Post) -> StatusCode {
    StatusCode::NO_CONTENT
}

#[async_consumer(link, system = "webhook", destination = "orders")]
fn linked(_request: &Post) -> StatusCode {
    StatusCode::NO_CONTENT
}

#[async_consumer(continue, system = "webhook", destination = "orders")]
fn continued(_request: &Post) -> StatusCode {
    StatusCode::NO_CONTENT
}

#[async_consumer(ignore, system = "webhook", destination = "orders")]
fn ignored(_request: &Post) -> StatusCode {
    assert_eq!(throughline_tests::baggage("tenant"), None);
    StatusCode::NO_CONTENT
}

/// The webhook is sent from one service and handled in another.
fn hooked(capture: Capture, handler: fn(&Post) -> StatusCode) -> Traces {
    capture.run_sync(|| {
        let mut arrived = None;
        send(post(), |request| arrived = Some(request));
        let response = receive(&arrived.expect("it was sent"), handler);
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    })
}

#[async_producer(system = "webhook", destination = "orders")]
fn send(#[message] request: Post, through: impl FnOnce(Post)) {
    through(request);
}

#[test]
fn a_handler_under_the_servers_span_links_to_the_sender() {
    in_both_worlds(|capture| {
        let traces = hooked(capture, nested);
        let process = traces.span("process orders").is_kind("consumer");
        process.is_child_of("POST /hooks").links_to("send orders").has_links(1);
        process.has_attribute("messaging.system", "webhook");
    });
}

#[test]
fn a_handler_that_continues_is_the_senders_child_and_links_to_the_servers_span() {
    in_both_worlds(|capture| {
        let traces = hooked(capture, continued);
        let process = traces.span("process orders").continues("send orders");
        process.has_link_attribute("POST /hooks", "throughline.link.role", "ambient").has_links(2);
    });
}

#[test]
fn a_handler_that_links_is_a_root_with_links_to_both() {
    in_both_worlds(|capture| {
        let process = hooked(capture, linked);
        let process = process.span("process orders").is_root().links_to("send orders");
        process.has_link_attribute("POST /hooks", "throughline.link.role", "ambient").has_links(2);
    });
}

#[test]
fn a_sender_that_is_not_trusted_leaves_nothing_in_the_trace() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let mut request = post();
            let headers = [("traceparent", SENDER), ("baggage", "tenant=mallory")];
            TraceContext::read_from(&headers).write_to(&mut request);
            receive(&request, ignored);
        });
        let process = traces.span("process orders").is_root();
        process.links_to("POST /hooks").has_links(1);
    });
}

#[test]
fn a_webhook_handled_while_it_is_sent_has_the_sender_above_the_server() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| notify(post(), nested));
        traces.span("POST /hooks").is_child_of("send orders");
        traces.span("process orders").is_child_of("POST /hooks").links_to("send orders");
    });
}

#[test]
fn how_old_a_webhook_is_stands_in_throughlines_own_header() {
    let traces = hooked(Capture::new(), nested);
    assert!(traces.span("process orders").attribute("throughline.message.age").is_some());
}

#[test]
fn a_poll_by_http_links_to_the_sender_of_the_response() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let mut answer = Response::new("two lemons");
            send_answer(&mut answer);
            assert!(answer.headers().contains_key("traceparent"));
            let polled = throughline::receive("poll").destination("orders").run_sync(|| answer);
            assert_eq!(*polled.body(), "two lemons");
        });
        traces.span("receive orders").is_kind("client").links_to("send orders").has_links(1);
    });
}

#[async_producer(destination = "orders")]
fn send_answer(_answer: &mut Response<&'static str>) {}
