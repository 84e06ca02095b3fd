//! What holds for an event on a span.

use opentelemetry_proto::tonic::trace::v1::span::Event;

use super::attributes::has;
use super::{Report, attributes, requirements};

pub(super) fn check(report: &mut Report<'_>, event: &Event) {
    attributes::check(report, &event.attributes);
    let registry = report.registry;
    if let Some(declared) = registry.event(&event.name) {
        requirements::check(report, declared, &event.attributes);
    } else {
        report.information("missing_event", "no event of this name is declared");
    }
    let says_what = ["exception.type", "exception.message"];
    if says_what.iter().any(|key| has(&event.attributes, key)) {
        report.improvement("exception_on_span", "an exception belongs into a log record");
    } else if event.name.ends_with("exception") {
        report.violation("exception", "it says neither `exception.type` nor `exception.message`");
    }
}
