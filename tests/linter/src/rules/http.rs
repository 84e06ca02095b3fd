//! What holds for the spans of HTTP servers, below which messages are often sent.

use opentelemetry_proto::tonic::trace::v1::Span;

use super::attributes::text;
use super::spans::check_error;
use super::{Report, requirements};

pub(super) fn check(report: &mut Report<'_>, span: &Span) {
    check_error(report, span);
    let registry = report.registry;
    if let Some(declared) = registry.spans().get("http.server") {
        requirements::check(report, &declared.attributes, &span.attributes);
    }
    let method = text(&span.attributes, "http.request.method").unwrap_or_default();
    // A method that nobody knows is called so in a name.
    let method = if method == "_OTHER" { "HTTP" } else { method };
    let expected = match text(&span.attributes, "http.route") {
        Some(route) => format!("{method} {route}"),
        None => method.to_owned(),
    };
    if span.name != expected {
        report.violation("span_name", format!("it should be called `{expected}`"));
    }
}
