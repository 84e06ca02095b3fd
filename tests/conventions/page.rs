//! `docs/telemetry.md` lists all that throughline tells, and on which spans and metrics.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use throughline::testing::Span;
use throughline_test_linter::RequirementLevel;

use crate::events::EVENTS;
use crate::making::made;
use crate::registry::ours;
use crate::{SEMCONV, declared};

pub(crate) const PAGE: &str = include_str!("../../docs/telemetry.md");

/// The rows of the table in this chapter whose first column is called so.
fn rows(column: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let cells = |row: &'static str| row.trim_matches('|').split('|').map(str::trim).collect();
    let is_head = move |line: &&str| line.starts_with(&format!("| {column} |"));
    let (mut lines, is_row) = (PAGE.lines(), |line: &&str| line.starts_with('|'));
    assert!(lines.any(|line| is_head(&line)), "a table with the column {column}");
    lines.skip(1).take_while(is_row).map(cells)
}

fn unquoted(cell: &str) -> String {
    cell.replace('`', "")
}

/// The values of the constants in a module of `semconv.rs`.
fn constants(module: &str) -> BTreeSet<String> {
    let body = SEMCONV.split_once(&format!("mod {module} {{")).expect("a module").1;
    let body = body.split_once("\n}").expect("its end").0;
    body.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What the page calls the span.
fn name(span: Span<'_>) -> String {
    let operation = span.attribute("messaging.operation.type").map(ToString::to_string);
    let of_no_operation = || match span.name() {
        "approval" | "approve" => "step",
        "handle" => "inside",
        _ => "task",
    };
    operation.unwrap_or_else(|| of_no_operation().to_owned())
}

/// Each attribute with the spans that have it, `link` among them.
fn seen() -> BTreeMap<String, BTreeSet<String>> {
    let mut seen = BTreeMap::<String, BTreeSet<String>>::new();
    let mut add = |key: &str, on: String| {
        let is_header = key.starts_with("throughline.message.header.");
        let key = if is_header { "throughline.message.header.<name>" } else { key };
        seen.entry(key.to_owned()).or_default().insert(on);
    };
    for (_, traces) in &made().traces {
        for span in traces.all() {
            for attribute in &span.data().attributes {
                add(attribute.key.as_str(), name(span));
            }
            for attribute in span.links().iter().flat_map(|link| &link.attributes) {
                add(attribute.key.as_str(), "link".to_owned());
            }
        }
    }
    seen
}

#[test]
fn it_has_every_attribute_that_the_code_knows_and_no_other() {
    let mut known = constants("key");
    known.insert("throughline.message.header.<name>".to_owned());
    let listed: BTreeSet<_> = rows("attribute").map(|row| unquoted(row[0])).collect();
    assert_eq!(listed, known);
}

#[test]
fn an_attribute_is_on_the_spans_that_it_says_and_on_no_other() {
    let listed: BTreeMap<_, BTreeSet<_>> = rows("attribute")
        .map(|row| (unquoted(row[0]), row[2].split(", ").map(unquoted).collect()))
        .collect();
    let seen = seen();
    for (key, on) in &listed {
        assert_eq!(seen.get(key), Some(on), "{key}");
    }
    assert!(seen.keys().eq(listed.keys()));
}

#[test]
fn it_has_every_span_with_its_kind() {
    let mut kinds = BTreeMap::<String, BTreeSet<String>>::new();
    for (_, traces) in &made().traces {
        for span in traces.all() {
            kinds.entry(name(span)).or_default().insert(span.kind().to_uppercase());
        }
    }
    let known = ["CLIENT", "CONSUMER", "INTERNAL", "PRODUCER", "SERVER"];
    let listed: BTreeMap<_, BTreeSet<_>> = rows("span")
        .map(|row| {
            let kinds = known.into_iter().filter(|kind| row[2].contains(kind));
            (unquoted(row[0]), kinds.map(str::to_owned).collect())
        })
        .collect();
    assert_eq!(listed, kinds);
}

#[test]
fn it_names_every_value_of_ours() {
    let of_modules = ["operation", "outcome", "link_role", "system", "error_type"];
    let of_modules = of_modules.into_iter().flat_map(constants);
    let declared = ours().into_iter();
    let declared =
        declared.filter_map(|it| it.split_once(" = ").map(|(_, value)| value.to_owned()));
    for value in of_modules.chain(declared) {
        assert!(PAGE.contains(&format!("`{value}`")), "{value}");
    }
}

#[test]
fn it_has_every_event_with_its_level_and_its_fields() {
    let listed: BTreeSet<_> =
        rows("event").map(|row| (unquoted(row[0]), row[1].to_owned())).collect();
    let told = EVENTS.iter().map(|(name, told)| (name.to_string(), told.level.to_string()));
    assert_eq!(listed, told.collect());

    for (name, told) in &*EVENTS {
        let is_in = |row: &Vec<&str>| name.contains(&unquoted(row[1]));
        let fields = rows("field").filter(is_in);
        let listed: BTreeMap<_, _> = fields.map(|row| (unquoted(row[0]), row[2])).collect();
        assert!(listed.keys().eq(told.fields.keys()), "{name}: {listed:?}");
        for (listed, of_type) in listed.values().zip(told.fields.values()) {
            assert!(of_type.is_none_or(|of_type| of_type == *listed), "{name}: {listed}");
        }
    }

    let fields = EVENTS.values().flat_map(|told| told.fields.keys());
    let named: BTreeSet<_> = EVENTS.keys().chain(fields).map(ToString::to_string).collect();
    let known: BTreeSet<_> = constants("event").union(&constants("key")).cloned().collect();
    assert!(constants("event").is_subset(&named), "{named:?}");
    assert!(named.is_subset(&known), "{named:?}");
}

/// What a meter provider got of one metric.
#[derive(Debug, Default)]
struct Measured {
    instrument: &'static str,
    unit: String,
    bounds: Vec<f64>,
    attributes: BTreeSet<String>,
}

fn measured() -> BTreeMap<String, Measured> {
    let mut all = BTreeMap::<String, Measured>::new();
    let scopes = made().metrics.iter().flat_map(|it| &it.scope_metrics);
    for metric in scopes.flat_map(|it| &it.metrics) {
        let measured = all.entry(metric.name.clone()).or_default();
        metric.unit.clone_into(&mut measured.unit);
        let mut add = |attributes: &[KeyValue]| {
            measured.attributes.extend(attributes.iter().map(|it| it.key.clone()));
        };
        match &metric.data {
            Some(Data::Sum(sum)) if sum.is_monotonic => {
                sum.data_points.iter().for_each(|it| add(&it.attributes));
                measured.instrument = "counter";
            }
            Some(Data::Histogram(histogram)) => {
                histogram.data_points.iter().for_each(|it| add(&it.attributes));
                measured.instrument = "histogram";
                measured.bounds.clone_from(&histogram.data_points[0].explicit_bounds);
            }
            other => panic!("{}: {other:?}", metric.name),
        }
    }
    all
}

#[test]
fn it_has_every_metric_with_its_instrument_and_its_unit() {
    let listed: Vec<_> =
        rows("metric").map(|row| (unquoted(row[0]), row[1].to_owned(), unquoted(row[2]))).collect();
    let measured = measured();
    assert_eq!(listed.len(), measured.len());
    for (name, instrument, unit) in listed {
        let measured = &measured[&name];
        assert_eq!((measured.instrument, &measured.unit), (instrument.as_str(), &unit), "{name}");
    }
}

#[test]
fn it_has_the_boundaries_of_every_histogram() {
    let mut known = BTreeMap::from([("", Vec::new())]);
    let mut before = Vec::new();
    for row in rows("buckets") {
        let numbers = row[1].strip_prefix("the same, then ");
        let numbers = numbers.unwrap_or_else(|| {
            before.clear();
            row[1]
        });
        before.extend(numbers.split(", ").map(|it| it.parse::<f64>().expect("a number")));
        known.insert(row[0], before.clone());
    }
    let measured = measured();
    for row in rows("metric") {
        assert_eq!(measured[&unquoted(row[0])].bounds, known[row[3]], "{}", row[0]);
    }
}

#[test]
fn it_has_the_attributes_of_every_metric_as_they_are_declared() {
    let (measured, declared) = (measured(), declared());
    let mut listed = BTreeMap::<String, BTreeMap<String, RequirementLevel>>::new();
    for row in rows("attribute of metrics") {
        let levels = [
            RequirementLevel::Required,
            RequirementLevel::ConditionallyRequired,
            RequirementLevel::Recommended,
        ];
        for (on, level) in row[1..].iter().zip(levels) {
            let of_metric: Vec<_> = match *on {
                "" => Vec::new(),
                "all" => measured.keys().cloned().collect(),
                names => names.split(", ").map(unquoted).collect(),
            };
            for metric in of_metric {
                listed.entry(metric).or_default().insert(unquoted(row[0]), level);
            }
        }
    }
    for (name, measured) in measured {
        let listed = &listed[&name];
        assert!(listed.keys().eq(&measured.attributes), "{name}: {:?}", measured.attributes);
        for (key, level) in listed {
            assert_eq!(declared.metrics()[&name].attributes[key].level, *level, "{key} of {name}");
        }
    }
}

#[test]
fn it_has_the_scope() {
    let listed: Vec<_> = rows("scope").map(|row| unquoted(row[1])).collect();
    let (_, without_tracing) = &made().traces[1];
    let of_spans = without_tracing.all().into_iter().map(|it| &it.data().instrumentation_scope);
    let of_spans = of_spans.map(|scope| [Some(scope.name()), scope.version(), scope.schema_url()]);
    let scopes = made().metrics.iter().flat_map(|it| &it.scope_metrics);
    let of_metrics = scopes.map(|it| {
        let scope = it.scope.as_ref();
        let url = Some(it.schema_url.as_str());
        [scope.map(|it| it.name.as_str()), scope.map(|it| it.version.as_str()), url]
    });
    for scope in of_spans.chain(of_metrics) {
        assert_eq!(scope.map(Option::unwrap_or_default).to_vec(), listed);
    }
}
