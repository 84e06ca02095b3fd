//! The rules. Each has a name, under which its findings stand.

mod attributes;
mod events;
mod http;
mod messaging;
mod metrics;
mod requirements;
mod scopes;
mod spans;
#[cfg(test)]
mod tests;

use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;

use crate::finding::{Finding, Findings, Level};
use crate::registry::Registry;

/// Holds spans against what is declared.
pub fn lint_spans(registry: &Registry, sent: &[ResourceSpans]) -> Findings {
    let mut findings = Findings::default();
    for resource in sent {
        let mut report = Report { registry, findings: &mut findings, place: String::new() };
        scopes::check_resource(&mut report.at("resource"), resource.resource.as_ref());
        for scope in &resource.scope_spans {
            scopes::check(&mut report, scope.scope.as_ref(), &scope.schema_url);
            for span in &scope.spans {
                spans::check(&mut report.at(format!("span `{}`", span.name)), span);
            }
        }
    }
    findings
}

/// Holds metrics against what is declared.
pub fn lint_metrics(registry: &Registry, sent: &[ResourceMetrics]) -> Findings {
    let mut findings = Findings::default();
    for resource in sent {
        let mut report = Report { registry, findings: &mut findings, place: String::new() };
        scopes::check_resource(&mut report.at("resource"), resource.resource.as_ref());
        for scope in &resource.scope_metrics {
            scopes::check(&mut report, scope.scope.as_ref(), &scope.schema_url);
            for metric in &scope.metrics {
                metrics::check(&mut report.at(format!("metric `{}`", metric.name)), metric);
            }
        }
    }
    findings
}

/// Where the rules say what they find in one place.
struct Report<'r> {
    registry: &'r Registry,
    findings: &'r mut Findings,
    place: String,
}

impl Report<'_> {
    /// The same for another place.
    fn at(&mut self, place: impl Into<String>) -> Report<'_> {
        Report { registry: self.registry, findings: self.findings, place: place.into() }
    }

    /// The same for a part of this place.
    fn at_part(&mut self, part: &str) -> Report<'_> {
        let place = format!("{part} of {}", self.place);
        self.at(place)
    }

    fn violation(&mut self, rule: &'static str, message: impl Into<String>) {
        self.add(Level::Violation, rule, message.into());
    }

    fn improvement(&mut self, rule: &'static str, message: impl Into<String>) {
        self.add(Level::Improvement, rule, message.into());
    }

    fn information(&mut self, rule: &'static str, message: impl Into<String>) {
        self.add(Level::Information, rule, message.into());
    }

    fn add(&mut self, level: Level, rule: &'static str, message: String) {
        self.findings.add(Finding { level, place: self.place.clone(), rule, message });
    }
}
