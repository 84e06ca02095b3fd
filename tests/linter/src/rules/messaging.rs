//! What holds for the spans of messaging operations.

use opentelemetry_proto::tonic::trace::v1::Span;

use super::attributes::{has, is_true, number, text};
use super::spans::{check_error, kind};
use super::{Report, requirements};
use crate::registry::{Registry, SpanType};

/// Namespaces of which each span has only what is its own.
const NAMESPACES: [&str; 2] = ["messaging.", "aws."];

pub(super) fn check(report: &mut Report<'_>, span: &Span) {
    check_name(report, span);
    check_count(report, span);
    check_error(report, span);
    let Some(operation) = text(&span.attributes, "messaging.operation.type") else {
        let message = "without `messaging.operation.type` nobody can tell which span it is";
        report.improvement("operation_type", message);
        return;
    };
    let registry = report.registry;
    let system = text(&span.attributes, "messaging.system");
    match declared(registry, operation, system, kind(span)) {
        Some((id, declared)) => {
            requirements::check(report, &declared.attributes, &span.attributes);
            let is_refined = system.is_some_and(|system| is_refined(registry, system));
            check_related(report, span, id, declared, is_refined);
        }
        None => report.violation(
            "span_kind",
            format!("an operation `{operation}` has no span of kind {}", kind(span)),
        ),
    }
}

/// The span of this operation, as the system refines it if it does.
fn declared<'r>(
    registry: &'r Registry,
    operation: &str,
    system: Option<&str>,
    kind: &str,
) -> Option<(&'r str, &'r SpanType)> {
    let end = format!(".{operation}.{kind}");
    let find = |middle: &str| {
        registry.spans().iter().find(|(id, _)| {
            let of_system = id.strip_prefix("messaging").and_then(|it| it.strip_suffix(&end));
            // The system `aws_sqs` has a namespace of two words.
            of_system.is_some_and(|it| it.replace('_', ".") == middle.replace('_', "."))
        })
    };
    let refined = system.and_then(|system| find(&format!(".{system}")));
    let (id, span) = refined.or_else(|| find(""))?;
    Some((id, span))
}

/// Whether the conventions have a page on the system.
fn is_refined(registry: &Registry, system: &str) -> bool {
    let namespace = format!("messaging.{}.", system.replace('_', "."));
    registry.spans().keys().any(|id| id.replace('_', ".").starts_with(&namespace))
}

/// Each system's page says whether it has these; of a system without a page nobody says.
const SAID_BY_PAGES: [&str; 2] =
    ["messaging.consumer.group.name", "messaging.destination.subscription.name"];

/// What another system's spans have, or another operation's, is out of place, on a link as well.
fn check_related(
    report: &mut Report<'_>,
    span: &Span,
    id: &str,
    declared: &SpanType,
    is_refined: bool,
) {
    let on_links = span.links.iter().flat_map(|link| &link.attributes);
    for attribute in span.attributes.iter().chain(on_links) {
        let key = attribute.key.as_str();
        if !is_refined && SAID_BY_PAGES.contains(&key) {
            continue;
        }
        if NAMESPACES.iter().any(|it| key.starts_with(it)) && !declared.attributes.contains_key(key)
        {
            report.violation("unrelated_attribute", format!("`{key}` is not of the span {id}"));
        }
    }
}

/// `{operation} {destination}`, or the operation alone where the destination has many names.
fn check_name(report: &mut Report<'_>, span: &Span) {
    let there = &span.attributes;
    let Some(operation) = text(there, "messaging.operation.name") else { return };
    let has_many_names = ["messaging.destination.temporary", "messaging.destination.anonymous"]
        .iter()
        .any(|key| is_true(there, key));
    let name = text(there, "messaging.destination.name").filter(|_| !has_many_names);
    let server = text(there, "server.address").map(|address| match number(there, "server.port") {
        Some(port) => format!("{address}:{port}"),
        None => address.to_owned(),
    });
    let destination = text(there, "messaging.destination.template").or(name).map(str::to_owned);
    let full = destination.or(server).map(|destination| format!("{operation} {destination}"));
    if span.name != operation && full.as_ref() != Some(&span.name) {
        let expected = full.unwrap_or_else(|| operation.to_owned());
        report.violation("span_name", format!("it should be called `{expected}`"));
    }
}

/// The number of a batch's messages is told, and is no less than that of their senders.
fn check_count(report: &mut Report<'_>, span: &Span) {
    // What a link leads to if not to a sender, it says.
    let is_of_sender = |attributes| !has(attributes, "throughline.link.role");
    let senders = span.links.iter().filter(|link| is_of_sender(&link.attributes)).count();
    let senders = i64::try_from(senders).unwrap_or(i64::MAX);
    match number(&span.attributes, "messaging.batch.message_count") {
        None if senders > 1 => report.violation(
            "message_count",
            "it links to several senders, and does not tell the number of messages",
        ),
        Some(count) if count < senders || count < 0 => {
            report.violation("message_count", format!("{count} messages of {senders} senders"));
        }
        _ => {}
    }
}
