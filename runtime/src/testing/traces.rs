//! What a capture saw.

use std::borrow::Cow;
use std::fmt;

use opentelemetry::trace::{Event, Link, SpanId, TraceId};
use opentelemetry::{Array, Value};
use opentelemetry_sdk::trace::SpanData;

use super::order::{self, Place};
use super::tree;

/// Finished spans, as they would have been exported.
///
/// Printed they are a tree; see [the module](super#the-printed-tree). Everything here gives spans
/// in the order of that tree.
#[derive(Clone)]
pub struct Traces {
    pub(super) spans: Vec<(SpanData, Place)>,
    /// The names of the spans that had not ended.
    open: Vec<String>,
}

impl Traces {
    pub(super) fn new(spans: Vec<SpanData>, mut open: Vec<String>) -> Self {
        open.sort_unstable();
        Self { spans: order::arrange(spans), open }
    }

    /// Spans that came another way: from an exporter of one's own, or from several captures.
    ///
    /// ```
    /// # use throughline::testing::Traces;
    /// assert_eq!(Traces::from_spans(Vec::new()).to_string(), "no spans");
    /// ```
    pub fn from_spans(spans: Vec<SpanData>) -> Self {
        Self::new(spans, Vec::new())
    }

    /// The only span of this name. A label of the printed tree (`A/publish orders #2`) does as well.
    ///
    /// # Panics
    /// With the printed tree where there is no such span, or more than one.
    ///
    /// ```
    /// # use throughline::testing;
    /// let traces = testing::capture_sync(|| {
    ///     tracing::info_span!("publish orders").in_scope(|| {});
    /// });
    /// traces.span("publish orders").is_root();
    /// ```
    #[track_caller]
    pub fn span(&self, name: &str) -> Span<'_> {
        match self.spans(name)[..] {
            [span] => span,
            [] => panic!("{}", self.failure(format_args!("no span {name:?}"))),
            ref spans => {
                let labels: Vec<_> = spans.iter().copied().map(Span::label).collect();
                panic!(
                    "{}",
                    self.failure(format_args!(
                        "{} spans {name:?} ({}): ask for one of them, or for all with `spans`",
                        spans.len(),
                        labels.join(", "),
                    ))
                )
            }
        }
    }

    /// All spans of this name.
    ///
    /// ```
    /// # use throughline::testing;
    /// let traces = testing::capture_sync(|| {
    ///     tracing::info_span!("publish orders").in_scope(|| {});
    ///     tracing::info_span!("publish orders").in_scope(|| {});
    /// });
    /// for span in traces.spans("publish orders") {
    ///     span.is_root().has_no_links();
    /// }
    /// assert_eq!(traces.spans("publish orders").len(), 2);
    /// ```
    pub fn spans(&self, name: &str) -> Vec<Span<'_>> {
        let mut spans = self.all();
        spans.retain(|span| span.is_called(name));
        spans
    }

    /// All spans.
    ///
    /// ```
    /// # use throughline::testing;
    /// let traces = testing::capture_sync(|| {
    ///     tracing::info_span!("publish orders").in_scope(|| {});
    /// });
    /// assert_eq!(traces.all()[0].name(), "publish orders");
    /// ```
    pub fn all(&self) -> Vec<Span<'_>> {
        (0..self.len()).map(|index| self.at(index)).collect()
    }

    /// The spans that have no parent, neither here nor elsewhere.
    ///
    /// ```
    /// # use throughline::testing;
    /// let traces = testing::capture_sync(|| {
    ///     tracing::info_span!("POST /orders").in_scope(|| {
    ///         tracing::info_span!("publish orders").in_scope(|| {});
    ///     });
    /// });
    /// assert_eq!(traces.roots().len(), 1);
    /// ```
    pub fn roots(&self) -> Vec<Span<'_>> {
        let mut spans = self.all();
        spans.retain(|span| span.parent_span_id().is_none());
        spans
    }

    /// How many spans there are.
    ///
    /// ```
    /// # use throughline::testing::Traces;
    /// assert_eq!(Traces::from_spans(Vec::new()).len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are no spans.
    ///
    /// ```
    /// # use throughline::testing::Traces;
    /// assert!(Traces::from_spans(Vec::new()).is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    pub(super) fn at(&self, index: usize) -> Span<'_> {
        Span { traces: self, index }
    }

    /// What a failed assertion says: the tree too, for whoever reads it needs that next.
    pub(super) fn failure(&self, what: fmt::Arguments<'_>) -> String {
        let mut message = format!("{what}\n\n{self}\n");
        if !self.open.is_empty() {
            message += "\nnot ended when the capture was: ";
            message += &self.open.join(", ");
            message += "\n";
        }
        message
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").field("spans", &self.all()).field("open", &self.open).finish()
    }
}

/// One span of some [`Traces`]: its data, and assertions that can be chained.
///
/// Where an assertion asks for another span, that is its name, its label in the printed tree
/// (`A/publish orders #2`), or a `traceparent`, whose span need not be among the captured ones.
/// An assertion that fails panics with the printed tree.
///
/// ```
/// use throughline::testing;
///
/// const SENDER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
///
/// let message = [("traceparent", SENDER), ("x-tenant", "lemons")];
/// let traces = testing::capture_sync(|| {
///     let reserve = throughline::consume("reserve_stock").link().destination("orders");
///     reserve.run_sync(&throughline::TraceContext::read_from(&message[..]), || {
///         tracing::info_span!("query", otel.kind = "client").in_scope(|| {});
///     });
/// });
///
/// let handler = traces.span("process orders").is_root().links_to(SENDER).has_links(1);
/// assert_eq!(handler.attribute("throughline.relation.kind"), Some(&"link".into()));
/// assert_eq!(handler.children()[0].kind(), "client");
/// traces.span("query").is_child_of("process orders").is_in_same_trace_as("A/process orders");
/// ```
#[derive(Clone, Copy)]
pub struct Span<'t> {
    pub(super) traces: &'t Traces,
    pub(super) index: usize,
}

impl<'t> Span<'t> {
    /// Everything OpenTelemetry has on the span.
    pub fn data(self) -> &'t SpanData {
        &self.traces.spans[self.index].0
    }

    pub(super) fn place(self) -> &'t Place {
        &self.traces.spans[self.index].1
    }

    /// Its name.
    pub fn name(self) -> &'t str {
        &self.data().name
    }

    /// What it is called where the tree speaks of it: its trace's letter, its name, and its number
    /// where its trace has several of that name.
    pub fn label(self) -> String {
        tree::label(self)
    }

    /// `client`, `server`, `producer`, `consumer` or `internal`.
    pub fn kind(self) -> &'static str {
        tree::kind(&self.data().span_kind)
    }

    /// The trace it belongs to.
    pub fn trace_id(self) -> TraceId {
        self.data().span_context.trace_id()
    }

    /// Its own id.
    pub fn span_id(self) -> SpanId {
        self.data().span_context.span_id()
    }

    /// Its parent's id, if it has a parent, captured or not.
    pub fn parent_span_id(self) -> Option<SpanId> {
        let id = self.data().parent_span_id;
        (id != SpanId::INVALID).then_some(id)
    }

    /// Its parent, if that was captured.
    pub fn parent(self) -> Option<Span<'t>> {
        self.place().parent.map(|parent| self.traces.at(parent))
    }

    /// Its parent's id, if it has a parent that was not captured: a remote one, one that is not
    /// sampled, or one still open.
    pub fn parent_outside(self) -> Option<SpanId> {
        self.parent_span_id().filter(|_| self.parent().is_none())
    }

    /// Its captured children.
    pub fn children(self) -> Vec<Span<'t>> {
        let mut spans = self.traces.all();
        spans.retain(|span| span.place().parent == Some(self.index));
        spans
    }

    /// The value of an attribute; the first, if the key is there more than once.
    pub fn attribute(self, key: &str) -> Option<&'t Value> {
        let mut attributes = self.data().attributes.iter();
        attributes.find(|attribute| attribute.key.as_str() == key).map(|attribute| &attribute.value)
    }

    /// Its links, with their attributes.
    pub fn links(self) -> &'t [Link] {
        &self.data().links
    }

    /// The captured span that each of its links leads to, if it was captured.
    pub fn linked(self) -> Vec<Option<Span<'t>>> {
        let targets = self.place().targets.iter();
        targets.map(|target| target.map(|target| self.traces.at(target))).collect()
    }

    /// Its events.
    pub fn events(self) -> &'t [Event] {
        &self.data().events
    }

    /// Its name or its label.
    pub(super) fn is_called(self, name: &str) -> bool {
        self.name() == name || self.label() == name
    }
}

impl fmt::Debug for Span<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Span").field(&self.label()).finish()
    }
}

/// What an attribute can be compared with: a bool, an integer, a float, text, or a [`Value`].
///
/// ```
/// # use throughline::testing::AttributeValue;
/// use opentelemetry::Value;
///
/// assert_eq!(3_u32.to_value(), Value::I64(3));
/// ```
pub trait AttributeValue {
    /// The value as OpenTelemetry has it.
    fn to_value(&self) -> Value;
}

impl AttributeValue for Value {
    fn to_value(&self) -> Value {
        self.clone()
    }
}

impl AttributeValue for Array {
    fn to_value(&self) -> Value {
        Value::Array(self.clone())
    }
}

impl AttributeValue for str {
    fn to_value(&self) -> Value {
        self.to_owned().into()
    }
}

impl AttributeValue for String {
    fn to_value(&self) -> Value {
        self.clone().into()
    }
}

impl AttributeValue for Cow<'_, str> {
    fn to_value(&self) -> Value {
        self.clone().into_owned().into()
    }
}

impl<T: AttributeValue + ?Sized> AttributeValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

macro_rules! attribute_values {
    ($($type:ty),+ => $as:ty) => {$(
        impl AttributeValue for $type {
            fn to_value(&self) -> Value {
                <$as>::from(*self).into()
            }
        }
    )+};
}

attribute_values!(bool => bool);
attribute_values!(i8, i16, i32, i64, u8, u16, u32 => i64);
attribute_values!(f32, f64 => f64);

/// OpenTelemetry's integers end where `i64` does.
impl AttributeValue for usize {
    fn to_value(&self) -> Value {
        i64::try_from(*self).unwrap_or(i64::MAX).into()
    }
}

/// OpenTelemetry's integers end where `i64` does.
impl AttributeValue for u64 {
    fn to_value(&self) -> Value {
        i64::try_from(*self).unwrap_or(i64::MAX).into()
    }
}
