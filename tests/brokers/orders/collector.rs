//! Spans that go through a real collector come out as they were made.

use std::collections::BTreeMap;
use std::net::TcpListener as PortFinder;
use std::process::Command;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use libtest_mimic::Trial;
use opentelemetry_proto::tonic::trace::v1::Span;
use reqwest::Client;
use throughline_test_linter::{Received, Receiver};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::process::Process;
use super::shop::{Web, example};
use super::{PATIENCE, run};
use crate::python::{self, Python};

pub(crate) fn trials() -> Vec<Trial> {
    let test: fn(&Python) = |python| run(what_a_collector_passes_on_is_what_was_made(python));
    python::trials("rotel", None, &[("what_it_passes_on_is_what_was_made", test)])
}

async fn what_a_collector_passes_on_is_what_was_made(python: &Python) {
    let (made, passed_on) = (receiver().await, receiver().await);
    let [http, grpc] = [free_address(), free_address()];
    let mut collector = Command::new(python.folder_of("rotel").join("rotel-agent"));
    collector.args(["start", "--otlp-http-endpoint", &http, "--otlp-grpc-endpoint", &grpc]);
    collector.args(["--exporter", "otlp", "--otlp-exporter-protocol", "http"]);
    collector.args(["--otlp-exporter-endpoint", &passed_on.endpoint()]);
    let mut collector = Process::start(collector);
    collector.until_said("Rotel", 1).await;
    let junction = Junction::between(made.endpoint(), format!("http://{http}")).await;

    let mut orders = Command::new(example());
    orders.args(["--listen", "127.0.0.1:0"]);
    orders.env("OTEL_EXPORTER_OTLP_ENDPOINT", &junction.endpoint);
    let web = Web::of(Process::start(orders)).await;
    for order in ["A-1", "A-2", "A-3"] {
        web.place(order).await;
    }
    web.stop().await;

    let made = by_id(&made.stop().await.expect("it received"));
    let all = timeout(PATIENCE, passed_on.until(|it| it.spans_in_all() >= made.len()));
    let passed_on = by_id(&all.await.expect("the collector passes on all that it gets"));
    collector.stop().await;
    let links = || made.values().flat_map(|span| &span.links);
    assert!(links().count() >= 5 * 3, "every handler has links");
    assert!(links().any(|link| !link.attributes.is_empty()), "some tell of their messages");
    assert_eq!(made, passed_on);
}

async fn receiver() -> Receiver {
    Receiver::start().await.expect("a port")
}

fn by_id(received: &Received) -> BTreeMap<Vec<u8>, Span> {
    let scopes = received.spans.iter().flat_map(|resource| &resource.scope_spans);
    let spans = scopes.flat_map(|scope| &scope.spans);
    spans.map(|span| (span.span_id.clone(), span.clone())).collect()
}

fn free_address() -> String {
    let listener = PortFinder::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it has one").to_string()
}

/// Where all that comes is sent on to two others.
struct Junction {
    endpoint: String,
    _server: JoinSet<()>,
}

impl Junction {
    async fn between(one: String, other: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it has one");
        let client = Client::builder().no_proxy().build().expect("a client");
        let router = Router::new().fallback(pass_on).with_state(Arc::new((client, [one, other])));
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { endpoint: format!("http://{address}"), _server: server }
    }
}

async fn pass_on(
    State(to): State<Arc<(Client, [String; 2])>>,
    uri: Uri,
    body: Bytes,
) -> StatusCode {
    let (client, endpoints) = &*to;
    for endpoint in endpoints {
        let request = client.post(format!("{endpoint}{}", uri.path())).body(body.clone());
        let sent = request.header("content-type", "application/x-protobuf").send().await;
        if !sent.is_ok_and(|answer| answer.status().is_success()) {
            return StatusCode::BAD_GATEWAY;
        }
    }
    StatusCode::OK
}
