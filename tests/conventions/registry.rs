//! What throughline calls by names of its own is declared in a registry.

use std::collections::BTreeSet;

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
}
