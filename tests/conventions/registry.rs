//! What throughline calls by names of its own is declared in a registry.

use std::collections::BTreeSet;

use crate::events::EVENTS;
use crate::making::all_traces;
use crate::{SEMCONV, attributes, type_of};
use throughline_test_linter::Type;

use crate::making::made;
use crate::{SEMCONV, attributes, declared};

/// What the registry declares: each attribute, and each value of those that have a list.
pub(crate) fn ours() -> BTreeSet<String> {
    let declared = declared();
    let ours = declared.attributes().iter().filter(|(id, _)| id.starts_with("throughline."));
    ours.flat_map(|(id, attribute)| {
        let values = match &attribute.of_type {
            Type::Plain(_) => Vec::new(),
            Type::Enum { values, is_closed } => {
                assert!(is_closed, "{id}");
                values.keys().map(|value| format!("{id} = {value}")).collect()
            }
        };
        std::iter::once(id.clone()).chain(values)
    })
    .collect()
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
fn what_is_declared_is_seen() {
    let declared = declared();
    let mut seen = BTreeSet::new();
    for (_, traces) in &made().traces {
        for attribute in traces.all().into_iter().flat_map(attributes) {
            let Some((id, known)) = declared.attribute(attribute.key.as_str()) else { continue };
            if matches!(known.of_type, Type::Enum { .. }) {
                seen.insert(format!("{id} = {}", attribute.value));
            }
            seen.insert(id.to_owned());
        }
    }
    let ours = ours();
    let never: Vec<_> = ours.difference(&seen).collect();
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
    let declared = declared();
    let declared = declared.attributes().keys();
    let ours: BTreeSet<_> = declared.filter_map(|key| key.strip_prefix("throughline.")).collect();
    assert_eq!(in_code, ours);
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
