//! A registry as it is written: YAML in the form of the conventions' own, of which only what is checked is read.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct File {
    /// Of the conventions, on their own files.
    pub(super) version: Option<String>,
    pub(super) groups: Vec<Group>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Group {
    #[serde(rename = "attribute_group")]
    Attributes {
        attributes: Vec<Declaration>,
    },
    Span {
        id: String,
        extends: Option<String>,
        span_kind: String,
        #[serde(default)]
        attributes: Vec<Reference>,
    },
    Metric {
        metric_name: String,
        instrument: String,
        unit: String,
        attributes: Vec<Reference>,
    },
    Event {
        name: String,
        attributes: Vec<Reference>,
    },
    Entity {
        name: String,
        attributes: Vec<Reference>,
    },
}

/// An attribute where it is declared.
#[derive(Debug, Deserialize)]
pub(super) struct Declaration {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) spelling: Spelling,
    pub(super) deprecated: Option<Deprecated>,
    #[serde(default)]
    pub(super) annotations: Annotations,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Spelling {
    Plain(String),
    Enum { members: Vec<Member> },
}

#[derive(Debug, Deserialize)]
pub(super) struct Member {
    pub(super) value: String,
    pub(super) deprecated: Option<Deprecated>,
}

/// The conventions leave room for what a registry wants to add. Their lists are open; one of ours may say that it is not.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Annotations {
    #[serde(default)]
    pub(super) closed: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Deprecated {
    renamed_to: Option<String>,
}

impl fmt::Display for Deprecated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.renamed_to {
            Some(name) => write!(f, "is now `{name}`"),
            None => f.write_str("has nothing in its place"),
        }
    }
}

/// An attribute where it is used.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "ref")]
    pub(super) key: String,
    #[serde(default)]
    pub(super) requirement_level: Requirement,
    #[serde(default)]
    pub(super) sampling_relevant: bool,
}

/// A level, or one with the words that go with it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Requirement {
    Plain(RequirementLevel),
    Worded(BTreeMap<RequirementLevel, String>),
}

impl Requirement {
    pub(super) fn level(&self) -> RequirementLevel {
        match self {
            Requirement::Plain(level) => *level,
            Requirement::Worded(levels) => levels.keys().next().copied().unwrap_or_default(),
        }
    }
}

impl Default for Requirement {
    fn default() -> Self {
        Requirement::Plain(RequirementLevel::default())
    }
}

/// How much an attribute is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequirementLevel {
    /// It has to be there.
    Required,
    /// It has to be there where a condition holds.
    ConditionallyRequired,
    /// It should be there.
    #[default]
    Recommended,
    /// It is there where the user asks for it.
    OptIn,
}

impl fmt::Display for RequirementLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RequirementLevel::Required => "required",
            RequirementLevel::ConditionallyRequired => "conditionally required",
            RequirementLevel::Recommended => "recommended",
            RequirementLevel::OptIn => "opt-in",
        })
    }
}
