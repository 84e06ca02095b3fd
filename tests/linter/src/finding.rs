//! What the linter has to say.

use std::collections::BTreeSet;
use std::fmt;

/// How much a finding matters: the levels of Weaver's live check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It breaks the conventions.
    Violation,
    /// It is allowed, and could be better.
    Improvement,
    /// It is good to know.
    Information,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Violation => "violation",
            Level::Improvement => "improvement",
            Level::Information => "information",
        })
    }
}

/// One thing that was found in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How much it matters.
    pub level: Level,
    /// Where: the name of the span or the metric.
    pub place: String,
    /// Which rule it is about: the name that Weaver has for it, if it has one.
    pub rule: &'static str,
    /// What was found.
    pub message: String,
}

/// On one line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { level, place, rule, message } = self;
        write!(f, "{level:11}  {place}: {message} [{rule}]")
    }
}

/// What was found, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings(BTreeSet<Finding>);

impl Findings {
    /// Adds one.
    pub(crate) fn add(&mut self, finding: Finding) {
        self.0.insert(finding);
    }

    /// Adds all of the others.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Those of a level, by place.
    pub fn all(&self, level: Level) -> impl Iterator<Item = &Finding> {
        self.0.iter().filter(move |finding| finding.level == level)
    }
}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::collections::btree_set::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
