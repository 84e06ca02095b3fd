//! The three requests of a sign-up. Each is soon answered, has a trace of its own, and links to the
//! sign-up as a whole.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{MatchedPath, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;
use tracing::{Instrument, error, field, info_span};

use crate::mail::{Mail, Template};
use crate::store::{Signup, Store};

pub struct Shared {
    pub store: Store,
    pub mails: UnboundedSender<Mail>,
}

impl Shared {
    /// The sign-up that a request is about. What runs here is the request's, so it is the span of
    /// the request that gets the link: a middleware made it when nobody knew which sign-up it is.
    fn find(&self, token: &str) -> Result<Signup, Refusal> {
        let signup = self.store.find(token)?.ok_or(Refusal::Unknown)?;
        signup.origin.link_current_span();
        Ok(signup)
    }

    fn send(&self, template: Template, signup: Signup) {
        // The queue ends after the last request.
        let _ = self.mails.send(Mail { template, signup });
    }
}

pub fn router(shared: Shared) -> Router {
    Router::new()
        .route("/signups", post(sign_up))
        .route("/confirm", get(confirm))
        .route("/profile", post(give_profile))
        .route_layer(middleware::from_fn(server_span))
        .with_state(Arc::new(shared))
}

#[derive(Deserialize)]
struct Visitor {
    email: String,
}

async fn sign_up(
    State(shared): State<Arc<Shared>>,
    visitor: Result<Json<Visitor>, JsonRejection>,
) -> Result<Response, Refusal> {
    let Json(Visitor { email }) = visitor?;
    if !email.contains('@') {
        return Err(Refusal::Bad("`email` must be an address"));
    }
    if let Some(signup) = shared.store.begin(&email)? {
        // The root of the process links to this request; with this the way leads back as well.
        signup.origin.link_current_span();
        shared.send(Template::Confirm, signup);
    }
    // The same answer in any case: who has signed up is nobody else's business.
    Ok((StatusCode::ACCEPTED, Json(json!({ "mail sent to": email }))).into_response())
}

#[derive(Deserialize)]
struct Confirmation {
    token: String,
}

async fn confirm(
    State(shared): State<Arc<Shared>>,
    confirmation: Result<Query<Confirmation>, QueryRejection>,
) -> Result<Json<Value>, Refusal> {
    let Query(Confirmation { token }) = confirmation?;
    let signup = shared.find(&token)?;
    // The button in the mail may be pressed again.
    if shared.store.confirm(&signup)? {
        signup.origin.add_step("confirm e-mail");
    }
    Ok(Json(json!({ "confirmed": signup.email })))
}

#[derive(Deserialize)]
struct Profile {
    token: String,
    name: String,
}

async fn give_profile(
    State(shared): State<Arc<Shared>>,
    profile: Result<Json<Profile>, JsonRejection>,
) -> Result<Json<Value>, Refusal> {
    let Json(Profile { token, name }) = profile?;
    let signup = shared.find(&token)?;
    if !signup.confirmed {
        return Err(Refusal::Conflict("the address is not confirmed yet"));
    }
    if !shared.store.complete(&signup, &name)? {
        return Err(Refusal::Conflict("the profile is complete"));
    }
    signup.origin.add_step("complete profile");
    let welcome = json!({ "welcome": name });
    shared.send(Template::Welcome, signup);
    Ok(Json(welcome))
}

/// Puts each request into a span, as a service does that knows of no processes.
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
    // A refused request is the client's error, not the server's.
    if response.status().is_server_error() {
        span.record("otel.status_code", "ERROR");
        span.record("error.type", response.status().as_str());
    }
    response
}

/// Why a request was not done. The answer's body says it in words.
enum Refusal {
    UnreadableBody(JsonRejection),
    UnreadableQuery(QueryRejection),
    Bad(&'static str),
    Unknown,
    Conflict(&'static str),
    Store(rusqlite::Error),
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Refusal::UnreadableBody(rejection)
    }
}

impl From<QueryRejection> for Refusal {
    fn from(rejection: QueryRejection) -> Self {
        Refusal::UnreadableQuery(rejection)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Refusal::Store(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, why) = match self {
            Refusal::UnreadableBody(rejection) => (rejection.status(), rejection.body_text()),
            Refusal::UnreadableQuery(rejection) => (rejection.status(), rejection.body_text()),
            Refusal::Bad(why) => (StatusCode::UNPROCESSABLE_ENTITY, why.to_owned()),
            Refusal::Unknown => (StatusCode::NOT_FOUND, "nobody has this token".to_owned()),
            Refusal::Conflict(why) => (StatusCode::CONFLICT, why.to_owned()),
            Refusal::Store(error) => {
                // What is wrong with the database is none of the visitor's business.
                error!(%error, "the database failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "try again later".to_owned())
            }
        };
        (status, Json(json!({ "error": why }))).into_response()
    }
}
