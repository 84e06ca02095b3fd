//! What throughline calls by names of its own is declared in a registry.

use std::collections::{BTreeMap, BTreeSet};

use crate::events::EVENTS;
use crate::making::all_traces;
use crate::{SEMCONV, attributes, type_of};

const REGISTRY: &str = include_str!("../../docs/registry/throughline.yaml");

/// What the registry declares: each attribute with its type, or with its values.
pub(crate) fn declared() -> BTreeMap<&'static str, (Option<&'static str>, BTreeSet<&'static str>)> {
    let mut declared = BTreeMap::<_, (Option<_>, BTreeSet<_>)>::new();
    let mut current = None;
    for line in REGISTRY.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if let (6, Some(id)) = (indent, text.strip_prefix("- id: ")) {
            declared.entry(id).or_default();
            current = Some(id);
        }
        let Some(attribute) = current.and_then(|id| declared.get_mut(id)) else { continue };
        if let (8, Some(of_type)) = (indent, text.strip_prefix("type: ")) {
            attribute.0 = Some(of_type);
        } else if let Some(value) = text.strip_prefix("value: ") {
            attribute.1.insert(value);
        }
    }
    declared
}

/// The events that the registry declares, each with its fields.
fn declared_events() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let events = REGISTRY.split("\n  - id: ").filter(|group| group.starts_with("event."));
    let value = |line: &'static str, of: &str| line.trim_start().strip_prefix(of);
    let event = |group: &'static str| {
        let name = group.lines().find_map(|line| value(line, "name: ")).expect("a name");
        (name, group.lines().filter_map(|line| value(line, "- ref: ")).collect())
    };
    events.map(event).collect()
}

#[test]
fn what_is_ours_is_declared_with_its_type_and_its_values() {
    let declared = declared();
    let mut seen = BTreeSet::new();
    for (_, traces) in all_traces() {
        for attribute in traces.all().into_iter().flat_map(attributes) {
            let key = attribute.key.as_str();
            if !key.starts_with("throughline.") {
                continue;
            }
            let is_template = |id: &str| {
                key.strip_prefix(id).is_some_and(|rest| rest.starts_with('.'))
                    && declared[id].0.is_some_and(|it| it.starts_with("template"))
            };
            let id = declared.keys().find(|id| **id == key || is_template(id));
            let (id, (of_type, values)) = id
                .and_then(|id| declared.get_key_value(id))
                .unwrap_or_else(|| panic!("{key} is not declared"));
            if let Some(of_type) = of_type {
                let of_each = of_type.strip_prefix("template[");
                let of_each = of_each.and_then(|it| it.strip_suffix(']'));
                assert_eq!(type_of(&attribute.value), of_each.unwrap_or(of_type), "{key}");
            } else {
                let value = attribute.value.as_str().into_owned();
                assert!(values.contains(value.as_str()), "{key} = {value}");
                seen.insert(format!("{id} = {value}"));
            }
            seen.insert((*id).to_owned());
        }
    }
    for (field, of_type) in EVENTS.values().flat_map(|told| &told.fields) {
        let Some((of_declared, _)) = declared.get(field) else {
            assert!(!field.starts_with("throughline."), "{field} is not declared");
            continue;
        };
        let of_declared = of_declared.unwrap_or("string");
        assert!(of_type.is_none_or(|of_type| of_type == of_declared), "{field}");
        seen.insert((*field).to_owned());
    }
    let all = declared.iter().flat_map(|(id, (_, values))| {
        let values = values.iter().map(move |value| format!("{id} = {value}"));
        std::iter::once((*id).to_owned()).chain(values)
    });
    let never: Vec<_> = all.filter(|declared| !seen.contains(declared)).collect();
    assert!(never.is_empty(), "declared, and never seen: {never:?}");
}

#[test]
fn the_registry_declares_what_the_code_knows() {
    let in_code: BTreeSet<_> = SEMCONV
        .split('"')
        .skip(1)
        .step_by(2)
        .filter_map(|text| text.strip_prefix("throughline."))
        .map(|key| key.trim_end_matches(".{}"))
        .collect();
    let (attributes, events) = (declared(), declared_events());
    let declared: BTreeSet<_> = attributes
        .keys()
        .chain(events.keys())
        .filter_map(|key| key.strip_prefix("throughline."))
        .collect();
    assert_eq!(in_code, declared);
}

#[test]
fn an_event_of_ours_is_declared_with_its_fields() {
    let told = EVENTS.iter().filter(|(name, _)| name.starts_with("throughline."));
    let told = told.map(|(name, told)| (*name, told.fields.keys().copied().collect()));
    assert_eq!(declared_events(), told.collect());
}
