//! What holds for every span, and which rules hold for this one.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

use super::attributes::{has, text};
use super::{Report, attributes, events, http, messaging};

pub(super) fn check(report: &mut Report<'_>, span: &Span) {
    attributes::check(report, &span.attributes);
    for link in &span.links {
        attributes::check(&mut report.at_part("link"), &link.attributes);
    }
    for event in &span.events {
        events::check(&mut report.at_part(&format!("event `{}`", event.name)), event);
    }
    if span.attributes.iter().any(|it| it.key.starts_with("messaging.")) {
        messaging::check(report, span);
    } else if span.kind() == SpanKind::Server && has(&span.attributes, "http.request.method") {
        http::check(report, span);
    }
}

/// A failure has a status and a type, and what is no failure has neither.
pub(super) fn check_error(report: &mut Report<'_>, span: &Span) {
    let status = span.status.as_ref();
    let code = status.map_or(StatusCode::Unset, Status::code);
    let error_type = text(&span.attributes, "error.type");
    match (code, error_type) {
        (StatusCode::Error, None) => {
            report.violation("error_type", "it failed, and has no `error.type`");
        }
        (StatusCode::Error, Some(it)) if status.is_some_and(|status| status.message == it) => {
            report.improvement("status_description", "the status says no more than `error.type`");
        }
        (StatusCode::Unset | StatusCode::Ok, Some(it)) => {
            let message = format!("`error.type` is `{it}`, and the status is no error");
            report.violation("error_type", message);
        }
        _ => {}
    }
    if code == StatusCode::Ok {
        report.violation("status", "the status `Ok` is the application's to set");
    }
}

/// What the conventions call a kind.
pub(super) fn kind(span: &Span) -> &'static str {
    match span.kind() {
        SpanKind::Unspecified | SpanKind::Internal => "internal",
        SpanKind::Server => "server",
        SpanKind::Client => "client",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
    }
}
