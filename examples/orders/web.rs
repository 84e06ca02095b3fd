//! `POST /orders`: an order comes in, is published, and is answered before anybody handles it.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use throughline::Traced;
use tracing::{Instrument, field, info_span};

use crate::order::{BadOrder, Order};
use crate::topic::{self, Topic, Unavailable};

pub fn router<T: Topic>(topic: Arc<T>) -> Router {
    Router::new()
        .route("/orders", post(place_order::<T>))
        .route_layer(middleware::from_fn(server_span))
        .with_state(topic)
}

async fn place_order<T: Topic>(
    State(topic): State<Arc<T>>,
    order: Result<Json<Order>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(order) = order?;
    order.check()?;
    let accepted = json!({ "accepted": order.id });
    topic::publish(&*topic, Traced::new(order)).await?;
    Ok((StatusCode::ACCEPTED, Json(accepted)).into_response())
}

/// Puts each request into a span, as a service does that has no messages either.
async fn server_span(path: MatchedPath, request: Request, next: Next) -> Response {
    let span = info_span!(
        "request",
        otel.name = format!("{} {}", request.method(), path.as_str()),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = %request.method(),
        http.route = path.as_str(),
        http.response.status_code = field::Empty,
        url.path = request.uri().path(),
        url.scheme = "http",
        error.type = field::Empty,
    );
    let response = next.run(request).instrument(span.clone()).await;
    // The OpenTelemetry layer keeps signed numbers as numbers, and unsigned ones as text.
    let status = i64::from(response.status().as_u16());
    span.record("http.response.status_code", status);
    // A refused order is the client's error, not the server's.
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", response.status().as_str());
    }
    response
}

/// Why an order was not accepted. The answer's body says it in words.
enum Refusal {
    Unreadable(JsonRejection),
    Bad(BadOrder),
    Unavailable(Unavailable),
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Refusal::Unreadable(rejection)
    }
}

impl From<BadOrder> for Refusal {
    fn from(bad: BadOrder) -> Self {
        Refusal::Bad(bad)
    }
}

impl From<Unavailable> for Refusal {
    fn from(unavailable: Unavailable) -> Self {
        Refusal::Unavailable(unavailable)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, why) = match self {
            Refusal::Unreadable(rejection) => (rejection.status(), rejection.body_text()),
            Refusal::Bad(bad) => (StatusCode::UNPROCESSABLE_ENTITY, bad.to_string()),
            Refusal::Unavailable(unavailable) => {
                (StatusCode::SERVICE_UNAVAILABLE, unavailable.to_string())
            }
        };
        (status, Json(json!({ "error": why }))).into_response()
    }
}
