//! What holds for an attribute wherever it stands.

use std::collections::BTreeSet;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};

use super::Report;
use crate::registry::{Attribute, Type};

pub(super) fn check(report: &mut Report<'_>, attributes: &[KeyValue]) {
    let mut seen = BTreeSet::new();
    for attribute in attributes {
        let key = attribute.key.as_str();
        if !seen.insert(key) {
            report.violation("repeated_attribute", format!("`{key}` stands there twice"));
        }
        check_name(report, key);
        let registry = report.registry;
        match registry.attribute(key) {
            None => report.violation("missing_attribute", format!("`{key}` is not declared")),
            Some((_, declared)) => check_value(report, key, declared, attribute.value.as_ref()),
        }
    }
}

/// Lower-case words, with dots between those of a namespace and underscores between those of one name. A template's key
/// ends in what is somebody else's to name, as in that of a header.
fn check_name(report: &mut Report<'_>, key: &str) {
    let registry = report.registry;
    let declared = registry.attribute(key).map(|(id, _)| id);
    let name = declared.unwrap_or(key);
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && word.chars().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit())
    };
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !starts_well || !name.split(['.', '_']).all(is_word) {
        report
            .violation("invalid_format", format!("`{key}` is not a name like `order.item_count`"));
    } else if !name.contains('.') {
        report.improvement("missing_namespace", format!("`{key}` has no namespace"));
    }
    if declared.is_none() && name.starts_with("otel.") {
        report.violation("reserved_namespace", format!("`{key}`: `otel.` is OpenTelemetry's own"));
    }
}

fn check_value(report: &mut Report<'_>, key: &str, declared: &Attribute, value: Option<&AnyValue>) {
    if let Some(instead) = &declared.deprecated {
        report.violation("deprecated", format!("`{key}` {instead}"));
    }
    let value = value.and_then(|it| it.value.as_ref());
    match &declared.of_type {
        Type::Plain(expected) => check_type(report, key, expected, value),
        Type::Enum { values, is_closed } => {
            check_type(report, key, "string", value);
            let Some(Value::StringValue(value)) = value else { return };
            match values.get(value) {
                Some(None) => {}
                Some(Some(instead)) => {
                    report.violation("deprecated", format!("`{key}`: `{value}` {instead}"));
                }
                None if *is_closed => report.violation(
                    "undefined_enum_variant",
                    format!("`{key}` can't be `{value}`: the list of its values is closed"),
                ),
                None => report.information(
                    "undefined_enum_variant",
                    format!("`{key}` is `{value}`, which is not among the values listed"),
                ),
            }
        }
    }
}

fn check_type(report: &mut Report<'_>, key: &str, expected: &str, value: Option<&Value>) {
    let is = type_of(value);
    let is_empty_list = is == "[]" && expected.ends_with("[]");
    if is != expected && !is_empty_list {
        report.violation(
            "type_mismatch",
            format!("`{key}` is of type {is}, and should be {expected}"),
        );
    }
}

/// What the conventions call the type of a value.
fn type_of(value: Option<&Value>) -> String {
    let name = match value {
        Some(Value::StringValue(_)) => "string",
        Some(Value::BoolValue(_)) => "boolean",
        Some(Value::IntValue(_)) => "int",
        Some(Value::DoubleValue(_)) => "double",
        Some(Value::ArrayValue(list)) => {
            let of_each: BTreeSet<_> =
                list.values.iter().map(|it| type_of(it.value.as_ref())).collect();
            return match of_each.len() {
                0 | 1 => format!("{}[]", of_each.into_iter().next().unwrap_or_default()),
                _ => "any[]".to_owned(),
            };
        }
        Some(Value::KvlistValue(_)) => "map",
        Some(Value::BytesValue(_)) => "bytes",
        Some(Value::StringValueStrindex(_)) | None => "none",
    };
    name.to_owned()
}

/// The text under a key.
pub(super) fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    match value(attributes, key)? {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// The number under a key.
pub(super) fn number(attributes: &[KeyValue], key: &str) -> Option<i64> {
    match value(attributes, key)? {
        Value::IntValue(number) => Some(*number),
        _ => None,
    }
}

/// Whether it is true.
pub(super) fn is_true(attributes: &[KeyValue], key: &str) -> bool {
    matches!(value(attributes, key), Some(Value::BoolValue(true)))
}

/// Whether there is one of this key.
pub(super) fn has(attributes: &[KeyValue], key: &str) -> bool {
    attributes.iter().any(|it| it.key == key)
}

fn value<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    attributes.iter().find(|it| it.key == key)?.value.as_ref()?.value.as_ref()
}
