//! Attributes that are asked for and are not there.

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::Report;
use super::attributes::has;
use crate::registry::{Attributes, RequirementLevel};

/// One finding for each level, so that what is there stays in sight.
pub(super) fn check(report: &mut Report<'_>, declared: &Attributes, there: &[KeyValue]) {
    let missing = |level: RequirementLevel| {
        let missing = declared.iter().filter(|(key, it)| it.level == level && !has(there, key));
        let keys: Vec<_> = missing.map(|(key, _)| format!("`{key}`")).collect();
        Some(format!("{level}, and not there: {}", keys.join(", "))).filter(|_| !keys.is_empty())
    };
    if let Some(keys) = missing(RequirementLevel::Required) {
        report.violation("required_attribute_not_present", keys);
    }
    if let Some(keys) = missing(RequirementLevel::Recommended) {
        report.improvement("recommended_attribute_not_present", keys);
    }
    // Whether the condition holds is decided by rules of their own, where it can be.
    if let Some(keys) = missing(RequirementLevel::ConditionallyRequired) {
        report.information("conditionally_required_attribute_not_present", keys);
    }
    if let Some(keys) = missing(RequirementLevel::OptIn) {
        report.information("opt_in_attribute_not_present", keys);
    }
}
