//! What is declared: by the conventions, and by other registries in their form.

mod file;

use std::collections::BTreeMap;

pub use file::RequirementLevel;
use file::{Declaration, File, Group, Member, Reference, Spelling};

const CONVENTIONS: [&str; 2] = [
    include_str!("../conventions/messaging-v1.44.0.yaml"),
    include_str!("../conventions/general-v1.44.0.yaml"),
];

/// All that is declared.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    version: String,
    attributes: BTreeMap<String, Attribute>,
    spans: BTreeMap<String, SpanType>,
    metrics: BTreeMap<String, Metric>,
    events: BTreeMap<String, Attributes>,
    entities: BTreeMap<String, Attributes>,
}

/// What may be said under one key.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// What its value is.
    pub of_type: Type,
    /// What to use in its place, or that there is nothing, if it should no longer be used.
    pub deprecated: Option<String>,
    /// Whether the key is only the beginning of the attribute's own.
    pub is_template: bool,
}

/// What an attribute's value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// `string`, `int[]` and the like.
    Plain(String),
    /// One of a list.
    Enum {
        /// The values, each with what to use in its place if it should no longer be used.
        values: BTreeMap<String, Option<String>>,
        /// Whether there can be no others.
        is_closed: bool,
    },
}

/// The attributes of a span, a metric or an event, by key.
pub type Attributes = BTreeMap<String, Requirement>;

/// Whether an attribute has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// Whether it has to be there.
    pub level: RequirementLevel,
    /// Whether it should be there when the span is made, for samplers.
    pub is_sampling_relevant: bool,
}

/// A span that is declared.
#[derive(Debug, Clone)]
pub struct SpanType {
    /// `client`, `consumer` and so on.
    pub kind: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A metric that is declared.
#[derive(Debug, Clone)]
pub struct Metric {
    /// `counter`, `histogram` and so on.
    pub instrument: String,
    /// Its unit in UCUM.
    pub unit: String,
    /// Its attributes.
    pub attributes: Attributes,
}

impl Registry {
    /// What the conventions say, as far as it is written down here.
    ///
    /// # Panics
    /// If that is not well-formed.
    pub fn conventions() -> Self {
        let mut registry = Self::default();
        for text in CONVENTIONS {
            registry.add(text).expect("well-formed facts");
        }
        registry
    }

    /// Adds a registry to it.
    ///
    /// # Errors
    /// If it is not in the conventions' form.
    pub fn add(&mut self, yaml: &str) -> Result<(), yaml_serde::Error> {
        let file: File = yaml_serde::from_str(yaml)?;
        self.version = file.version.unwrap_or(std::mem::take(&mut self.version));
        for group in file.groups {
            self.add_group(group);
        }
        Ok(())
    }

    fn add_group(&mut self, group: Group) {
        match group {
            Group::Attributes { attributes } => self.attributes.extend(
                attributes.into_iter().map(|it| (it.id.clone(), Attribute::from_declaration(it))),
            ),
            Group::Span { id, extends, span_kind, attributes } => {
                let base = extends.and_then(|id| self.spans.get(short(&id)));
                let mut all = base.map(|base| base.attributes.clone()).unwrap_or_default();
                all.extend(referred(attributes));
                let span = SpanType { kind: span_kind, attributes: all };
                self.spans.insert(short(&id).to_owned(), span);
            }
            Group::Metric { metric_name, instrument, unit, attributes } => {
                let attributes = referred(attributes).collect();
                self.metrics.insert(metric_name, Metric { instrument, unit, attributes });
            }
            Group::Event { name, attributes } => {
                self.events.insert(name, referred(attributes).collect());
            }
            Group::Entity { name, attributes } => {
                self.entities.insert(name, referred(attributes).collect());
            }
        }
    }

    /// The release of the conventions, as in `v1.44.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The schema URL of that release.
    pub fn schema_url(&self) -> String {
        format!("https://opentelemetry.io/schemas/{}", self.version.trim_start_matches('v'))
    }

    /// Every attribute by its key, or by what that begins with.
    pub fn attributes(&self) -> &BTreeMap<String, Attribute> {
        &self.attributes
    }

    /// The attribute of this key, with the key it is declared by.
    pub fn attribute(&self, key: &str) -> Option<(&str, &Attribute)> {
        let (id, attribute) = self.attributes.get_key_value(key).or_else(|| {
            self.attributes.iter().find(|(id, attribute)| {
                attribute.is_template
                    && key.strip_prefix(*id).is_some_and(|rest| rest.starts_with('.'))
            })
        })?;
        Some((id, attribute))
    }

    /// Every span by its type, as in `messaging.kafka.process.consumer`.
    pub fn spans(&self) -> &BTreeMap<String, SpanType> {
        &self.spans
    }

    /// Every metric by its name.
    pub fn metrics(&self) -> &BTreeMap<String, Metric> {
        &self.metrics
    }

    /// The attributes of the event of this name.
    pub fn event(&self, name: &str) -> Option<&Attributes> {
        self.events.get(name)
    }

    /// What a resource can be about, with the attributes that tell of it.
    pub(crate) fn entities(&self) -> impl Iterator<Item = &Attributes> {
        self.entities.values()
    }
}

/// The type of a span is its group's id without the word.
fn short(id: &str) -> &str {
    id.strip_prefix("span.").unwrap_or(id)
}

fn referred(attributes: Vec<Reference>) -> impl Iterator<Item = (String, Requirement)> {
    attributes.into_iter().map(|Reference { key, requirement_level, sampling_relevant }| {
        let level = requirement_level.level();
        (key, Requirement { level, is_sampling_relevant: sampling_relevant })
    })
}

impl Attribute {
    fn from_declaration(declaration: Declaration) -> Self {
        let mut is_template = false;
        let of_type = match declaration.spelling {
            Spelling::Plain(name) => {
                let of_each = name.strip_prefix("template[").and_then(|it| it.strip_suffix(']'));
                is_template = of_each.is_some();
                Type::Plain(of_each.unwrap_or(&name).to_owned())
            }
            Spelling::Enum { members } => {
                let values = members.into_iter().map(|Member { value, deprecated }| {
                    (value, deprecated.map(|it| it.to_string()))
                });
                Type::Enum { values: values.collect(), is_closed: declaration.annotations.closed }
            }
        };
        let deprecated = declaration.deprecated.map(|it| it.to_string());
        Self { of_type, deprecated, is_template }
    }
}
