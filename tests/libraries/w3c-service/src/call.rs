//! A call that the service is to make.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use http::Request;
use http::header::CONTENT_TYPE;
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;

/// The arguments are for whoever is called, and of no matter here.
#[derive(Debug, Deserialize)]
pub(crate) struct Call {
    url: String,
    arguments: Value,
}

/// Why a call was not made.
#[derive(Debug)]
pub(crate) struct CallError(String);

impl Call {
    pub(crate) fn request(&self) -> Result<Request<String>, CallError> {
        let request = Request::post(&self.url).header(CONTENT_TYPE, "application/json");
        request.body(self.arguments.to_string()).map_err(|error| CallError(error.to_string()))
    }
}

pub(crate) async fn send(client: &Client, request: Request<String>) -> Result<(), CallError> {
    let answer = client.execute(request.try_into()?).await?;
    answer.error_for_status()?;
    Ok(())
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        Self(error.to_string())
    }
}

impl IntoResponse for CallError {
    fn into_response(self) -> Response {
        (StatusCode::BAD_GATEWAY, self.0).into_response()
    }
}
