//! What throughline calls by names of its own is declared in a registry.

use std::collections::BTreeSet;

use throughline_test_linter::Type;

use crate::events::EVENTS;
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
    for (field, of_type) in EVENTS.values().flat_map(|told| &told.fields) {
        let Some((id, known)) = declared.attribute(field) else {
            panic!("{field} is not declared");
        };
        let is_one = |of_type: &str| match &known.of_type {
            Type::Plain(plain) => plain == of_type,
            Type::Enum { .. } => of_type == "string",
        };
        assert!(of_type.is_none_or(is_one), "{field}");
        seen.insert(id.to_owned());
    }
    let ours = ours();
    let never: Vec<_> = ours.difference(&seen).collect();
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
    let names = declared.map(String::as_str).chain(EVENTS.keys().copied());
    let ours: BTreeSet<_> = names.filter_map(|key| key.strip_prefix("throughline.")).collect();
    assert_eq!(in_code, ours);
}

#[test]
fn every_event_is_declared_with_its_fields() {
    let declared = declared();
    for (name, told) in &*EVENTS {
        let event = declared.event(name);
        // The conventions know no event for a task's failure but the general one.
        if name.starts_with("throughline.") {
            let event = event.unwrap_or_else(|| panic!("{name} is not declared"));
            assert!(event.keys().eq(told.fields.keys()), "{name}: {event:?}");
        } else if let Some(event) = event {
            assert!(
                told.fields.keys().all(|field| event.contains_key(*field)),
                "{name}: {event:?}"
            );
        }
    }
}
