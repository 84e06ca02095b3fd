//! Who sent it: the resource and the instrumentation scope.

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::{Report, attributes, requirements};

pub(super) fn check_resource(report: &mut Report<'_>, resource: Option<&Resource>) {
    let there = resource.map(|it| it.attributes.as_slice()).unwrap_or_default();
    attributes::check(report, there);
    let registry = report.registry;
    for entity in registry.entities() {
        requirements::check(report, entity, there);
    }
}

pub(super) fn check(
    report: &mut Report<'_>,
    scope: Option<&InstrumentationScope>,
    schema_url: &str,
) {
    let name = scope.map(|it| it.name.as_str()).unwrap_or_default();
    let report = &mut report.at(format!("scope `{name}`"));
    attributes::check(report, scope.map(|it| it.attributes.as_slice()).unwrap_or_default());
    if name.is_empty() {
        report.violation("scope_name", "it has no name");
    }
    let expected = report.registry.schema_url();
    if schema_url.is_empty() {
        report.improvement("schema_url", format!("it does not say that it follows {expected}"));
    } else if schema_url != expected {
        report.violation("schema_url", format!("it follows {schema_url}, and not {expected}"));
    }
}
