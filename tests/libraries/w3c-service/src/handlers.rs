//! Handlers and producers of throughline, no propagator set, and a layer for `tracing`: the usual set-up.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use http::{HeaderMap, Request};
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use reqwest::Client;
use throughline::{async_consumer, async_producer};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::call::{Call, CallError, send};

pub(crate) fn router() -> Router {
    let provider = SdkTracerProvider::builder().build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("w3c-service"));
    tracing_subscriber::registry().with(layer).init();
    opentelemetry::global::set_tracer_provider(provider);
    Router::new().route("/test", post(test)).with_state(Client::new())
}

#[async_consumer(continue, from = headers)]
async fn test(
    State(client): State<Client>,
    headers: HeaderMap,
    Json(calls): Json<Vec<Call>>,
) -> Result<(), CallError> {
    for call in &calls {
        make(&client, call.request()?).await?;
    }
    Ok(())
}

#[async_producer]
async fn make(client: &Client, #[message] request: Request<String>) -> Result<(), CallError> {
    send(client, request).await
}
