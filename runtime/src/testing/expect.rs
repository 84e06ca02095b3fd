//! Assertions. Each panics with the printed tree, at the line that asked.

use std::fmt::Display;

use opentelemetry::trace::{SpanId, Status, TraceId};
use opentelemetry::{KeyValue, Value};

use super::traces::{AttributeValue, Span, Traces};
use super::tree;

// An assertion is complete without what it returns.
#[allow(clippy::return_self_not_must_use)]
impl Span<'_> {
    /// It has no parent, neither here nor elsewhere.
    ///
    /// # Panics
    /// If it has one.
    ///
    /// ```
    /// # use throughline::testing;
    /// let traces = testing::capture_sync(|| {
    ///     tracing::info_span!("POST /orders").in_scope(|| {
    ///         tracing::info_span!("publish orders").in_scope(|| {});
    ///     });
    /// });
    /// traces.span("POST /orders").is_root().has_no_links();
    /// traces.span("publish orders").is_child_of("POST /orders");
    /// ```
    #[track_caller]
    pub fn is_root(self) -> Self {
        self.expect(self.parent_span_id().is_none(), "should be a root", self.family())
    }

    /// `other` is its parent.
    ///
    /// # Panics
    /// If it is a root, or another span's child.
    #[track_caller]
    pub fn is_child_of(self, other: &str) -> Self {
        let parent = self.parent_span_id();
        let is_child = parent.is_some_and(|id| is_meant(other, self.trace_id(), id, self.parent()));
        self.expect(is_child, format_args!("should be a child of {other:?}"), self.family())
    }

    /// `other` is its parent and is linked too, as the conventions ask of a consumer that
    /// continues its sender's trace.
    ///
    /// # Panics
    /// If `other` is not its parent, or not linked.
    #[track_caller]
    pub fn continues(self, other: &str) -> Self {
        self.is_child_of(other);
        self.expect(
            tree::continued(self.data()).is_some(),
            format_args!("should continue {other:?}"),
            "is its child without a link to it",
        )
    }

    /// One of its links leads to `other`.
    ///
    /// # Panics
    /// If none does.
    #[track_caller]
    pub fn links_to(self, other: &str) -> Self {
        self.expect(
            self.link_to(other).is_some(),
            format_args!("should link to {other:?}"),
            "does not",
        )
    }

    /// Its link to `other` has an attribute of this value.
    ///
    /// # Panics
    /// If there is no such link, or it has no such attribute, or several, or another value.
    #[track_caller]
    pub fn has_link_attribute(self, other: &str, key: &str, value: impl AttributeValue) -> Self {
        self.links_to(other);
        let link = self.link_to(other).map(|link| &self.links()[link]);
        let attributes = link.map_or(&[][..], |link| &link.attributes);
        let (is_there, found) = compare(attributes, key, &value.to_value());
        self.expect(
            is_there,
            format_args!("should have {key} = {:?} on its link to {other:?}", value.to_value()),
            found,
        )
    }

    /// It has so many links.
    ///
    /// # Panics
    /// If it has more or fewer.
    #[track_caller]
    pub fn has_links(self, count: usize) -> Self {
        let links = self.links().len();
        self.expect(
            links == count,
            format_args!("should have {count} links"),
            format_args!("has {links}"),
        )
    }

    /// It has no links.
    ///
    /// # Panics
    /// If it has any.
    #[track_caller]
    pub fn has_no_links(self) -> Self {
        self.has_links(0)
    }

    /// `other` is a span of the same trace.
    ///
    /// # Panics
    /// If it is not, or there is no such span.
    #[track_caller]
    pub fn is_in_same_trace_as(self, other: &str) -> Self {
        let others = self.traces.spans(other);
        let is_in_same_trace = others.iter().any(|it| it.trace_id() == self.trace_id())
            || traceparent(other).is_some_and(|(trace, _)| trace == self.trace_id());
        self.expect(is_in_same_trace, format_args!("should be in the trace of {other:?}"), "is not")
    }

    /// It has an attribute of this value, once.
    ///
    /// # Panics
    /// If the attribute is missing, is there more than once, or has another value or type.
    ///
    /// ```
    /// # use throughline::testing;
    /// let traces = testing::capture_sync(|| {
    ///     tracing::info_span!("publish orders", order.items = 3).in_scope(|| {});
    /// });
    /// traces.span("publish orders").has_attribute("order.items", 3).has_no_attribute("order.id");
    /// ```
    #[track_caller]
    pub fn has_attribute(self, key: &str, value: impl AttributeValue) -> Self {
        let value = value.to_value();
        let (is_there, found) = compare(&self.data().attributes, key, &value);
        self.expect(is_there, format_args!("should have {key} = {value:?}"), found)
    }

    /// It has no attribute of this name.
    ///
    /// # Panics
    /// If it has one.
    #[track_caller]
    pub fn has_no_attribute(self, key: &str) -> Self {
        let found = self.attribute(key);
        self.expect(
            found.is_none(),
            format_args!("should have no {key}"),
            format_args!("has {found:?}"),
        )
    }

    /// Its kind is this: `client`, `server`, `producer`, `consumer` or `internal`.
    ///
    /// # Panics
    /// If it is another.
    #[track_caller]
    pub fn is_kind(self, kind: &str) -> Self {
        self.expect(
            self.kind() == kind,
            format_args!("should be of kind {kind:?}"),
            format_args!("is {:?}", self.kind()),
        )
    }

    /// It did not fail: its status is unset or ok.
    ///
    /// # Panics
    /// If its status is an error.
    #[track_caller]
    pub fn is_ok(self) -> Self {
        let is_error = matches!(self.data().status, Status::Error { .. });
        self.expect(!is_error, "should not be an error", "is one")
    }

    /// Its status is unset, which is how throughline leaves it on success.
    ///
    /// # Panics
    /// If its status is ok or an error.
    #[track_caller]
    pub fn status_is_unset(self) -> Self {
        let status = &self.data().status;
        self.expect(
            *status == Status::Unset,
            "should have no status",
            format_args!("has {status:?}"),
        )
    }

    /// Its status is an error.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn is_error(self) -> Self {
        let status = &self.data().status;
        self.expect(
            matches!(status, Status::Error { .. }),
            "should be an error",
            format_args!("has the status {status:?}"),
        )
    }

    /// Its status is an error of this description.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn is_error_with(self, description: &str) -> Self {
        let status = &self.data().status;
        self.expect(
            *status == Status::error(description.to_owned()),
            format_args!("should be an error: {description}"),
            format_args!("has the status {status:?}"),
        )
    }

    #[track_caller]
    fn expect(self, is_met: bool, wanted: impl Display, found: impl Display) -> Self {
        if !is_met {
            let label = self.label();
            let failure = self.traces.failure(format_args!("{label} {wanted}, but {found}"));
            panic!("{failure}");
        }
        self
    }

    fn link_to(self, other: &str) -> Option<usize> {
        let mut links = self.links().iter().zip(self.linked());
        links.position(|(link, target)| {
            let context = &link.span_context;
            is_meant(other, context.trace_id(), context.span_id(), target)
        })
    }

    fn family(self) -> String {
        match (self.parent(), self.parent_outside()) {
            (Some(parent), _) => format!("is a child of {}", parent.label()),
            (None, Some(_)) => "is a child of a span outside".to_owned(),
            (None, None) => "is a root".to_owned(),
        }
    }
}

impl Traces {
    /// They print as this tree. Indentation that all lines share does not count, nor do line ends
    /// around it.
    ///
    /// # Panics
    /// With both trees, if they differ.
    ///
    /// ```
    /// # use throughline::testing;
    /// let traces = testing::capture_sync(|| {
    ///     tracing::info_span!("POST /orders", otel.kind = "server").in_scope(|| {
    ///         tracing::info_span!("publish orders", otel.kind = "producer").in_scope(|| {});
    ///     });
    /// });
    /// traces.assert_tree(
    ///     "
    ///     trace A
    ///       POST /orders                       server
    ///         publish orders                   producer
    ///     ",
    /// );
    /// ```
    #[track_caller]
    pub fn assert_tree(&self, tree: &str) {
        let tree = without_indent(tree);
        let wanted = format!("should print as\n\n{tree}\n\nbut prints as");
        assert!(self.to_string() == tree, "{}", self.failure(format_args!("{wanted}")));
    }
}

fn without_indent(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    let lines: Vec<_> = lines.skip_while(|line| line.is_empty()).collect();
    let indents = lines.iter().filter(|line| !line.is_empty());
    let indent = indents.map(|line| line.len() - line.trim_start().len()).min();
    let lines = lines.iter().map(|line| line.get(indent.unwrap_or(0)..).unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// Whether `other` means the span with this context, which may not have been captured.
fn is_meant(other: &str, trace: TraceId, id: SpanId, span: Option<Span<'_>>) -> bool {
    span.is_some_and(|span| span.is_called(other)) || traceparent(other) == Some((trace, id))
}

fn traceparent(text: &str) -> Option<(TraceId, SpanId)> {
    let mut parts = text.split('-');
    let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next()?;
    if (trace.len(), span.len()) != (32, 16) {
        return None;
    }
    Some((TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?))
}

fn compare(attributes: &[KeyValue], key: &str, value: &Value) -> (bool, String) {
    let found = attributes.iter().filter(|it| it.key.as_str() == key);
    let found: Vec<_> = found.map(|attribute| &attribute.value).collect();
    match found[..] {
        [] => (false, "does not have it".to_owned()),
        [found] => (found == value, format!("has {found:?}")),
        _ => (false, format!("has it {} times: {found:?}", found.len())),
    }
}
