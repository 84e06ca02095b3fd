//! OpenTelemetry alone, with `W3c` as the propagator: all else by hand, as any service may do it.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::HeaderMap;
use opentelemetry::trace::{FutureExt, SpanKind, TraceContextExt, Tracer};
use opentelemetry::{Context, global};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::Client;
use throughline::propagation::W3c;

use crate::call::{Call, CallError, send};

pub(crate) fn router() -> Router {
    global::set_tracer_provider(SdkTracerProvider::builder().build());
    global::set_text_map_propagator(W3c::new());
    Router::new().route("/test", post(test)).with_state(Client::new())
}

async fn test(
    State(client): State<Client>,
    headers: HeaderMap,
    Json(calls): Json<Vec<Call>>,
) -> Result<(), CallError> {
    let sender = global::get_text_map_propagator(|propagator| {
        propagator.extract_with_context(&Context::new(), &HeaderExtractor(&headers))
    });
    let here = with_span("POST /test", SpanKind::Server, &sender);
    async {
        for call in &calls {
            make(&client, call).await?;
        }
        Ok(())
    }
    .with_context(here)
    .await
}

async fn make(client: &Client, call: &Call) -> Result<(), CallError> {
    let here = with_span("POST", SpanKind::Client, &Context::current());
    let mut request = call.request()?;
    global::get_text_map_propagator(|propagator| {
        propagator.inject_context(&here, &mut HeaderInjector(request.headers_mut()));
    });
    send(client, request).with_context(here).await
}

/// `parent`, and in it a new span below its own.
fn with_span(name: &'static str, kind: SpanKind, parent: &Context) -> Context {
    let tracer = global::tracer("w3c-service");
    let span = tracer.span_builder(name).with_kind(kind).start_with_context(&tracer, parent);
    parent.with_span(span)
}
