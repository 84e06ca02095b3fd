//! A context that can be kept.

use std::fmt;
use std::time::SystemTime;

use opentelemetry::Context;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{SpanContext, TraceContextExt};

use super::{Facts, HeaderReader, Message, MessageMut, Notes, Propagator, Reading};
use crate::propagation::print_traceparent;

/// An owned trace context: who sent this, and the baggage that came with it.
///
/// It is cheap to clone, and can be kept in a struct field, a job's payload or a database row
/// (feature `serde`: a JSON object of the headers). In memory it keeps the whole OpenTelemetry
/// context, so that what other propagators put there survives.
///
/// Headers are read and written by the application's own propagator
/// (`opentelemetry::global::set_text_map_propagator`) or, where it has set none, as
/// [W3C Trace Context](https://www.w3.org/TR/trace-context-2/) and
/// [W3C Baggage](https://www.w3.org/TR/baggage/).
///
/// ```
/// use std::collections::HashMap;
/// use throughline::TraceContext;
///
/// let headers = HashMap::from([(
///     "traceparent".to_owned(),
///     "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned(),
/// )]);
/// let context = TraceContext::read_from(&headers);
///
/// let mut copy = HashMap::<String, String>::new();
/// context.write_to(&mut copy);
/// assert_eq!(copy, headers);
/// ```
#[derive(Default)]
pub struct TraceContext {
    context: Context,
    /// Of the message that the context came with.
    notes: Notes,
    /// The span in it is a live one. Only a message that is written into sees such a context, and it can be kept but
    /// by cloning, which leaves the span behind.
    is_live: bool,
}

impl TraceContext {
    /// What a message carries; empty where it carries none that can be read.
    ///
    /// ```
    /// use throughline::TraceContext;
    /// assert!(TraceContext::read_from(&[("traceparent", "no such thing")].as_slice()).is_empty());
    /// ```
    pub fn read_from<M: Message + ?Sized>(message: &M) -> Self {
        let mut reading = Reading::default();
        Propagator::current().read(message, &[], &mut reading);
        reading.into()
    }

    /// Writes this context into a message, in place of whatever context it carries.
    ///
    /// ```
    /// use throughline::TraceContext;
    /// let mut headers: Vec<(String, String)> = Vec::new();
    /// TraceContext::current().write_to(&mut headers);
    /// assert!(headers.is_empty()); // nothing is active here
    /// ```
    pub fn write_to<M: MessageMut + ?Sized>(&self, message: &mut M) {
        Propagator::current().write(self, message);
    }

    /// The context as a W3C `traceparent`; `None` where it names no span.
    ///
    /// ```
    /// use throughline::TraceContext;
    /// let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    /// let context = TraceContext::read_from(&[("traceparent", sent)].as_slice());
    /// assert_eq!(context.traceparent().as_deref(), Some(sent));
    /// ```
    pub fn traceparent(&self) -> Option<String> {
        print_traceparent(&self.context).map(|printed| printed.as_str().to_owned())
    }

    /// Whether it names no span and holds no baggage.
    ///
    /// ```
    /// assert!(throughline::TraceContext::default().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        !self.names_a_span() && self.context.baggage().is_empty()
    }

    pub(crate) fn names_a_span(&self) -> bool {
        self.context.span().span_context().is_valid()
    }

    pub(crate) fn span_context(&self) -> SpanContext {
        self.context.span().span_context().clone()
    }

    pub(crate) fn from_context(context: Context) -> Self {
        Self { context, notes: Notes::default(), is_live: false }
    }

    pub(crate) fn as_context(&self) -> &Context {
        &self.context
    }

    pub(crate) fn into_context(self) -> Context {
        self.context
    }

    pub(crate) fn with_notes(mut self, notes: Notes) -> Self {
        self.notes = notes;
        self
    }

    /// For one more message with the same context.
    pub(crate) fn set_sent(&mut self, sent: Option<SystemTime>) {
        self.notes.sent = sent;
    }

    pub(crate) fn notes(&self) -> &Notes {
        &self.notes
    }

    /// With a live span, if there is any, for a message to be written into: most are given headers, and to make
    /// a copy without it would be for nothing.
    pub(crate) fn live(context: Context) -> Self {
        Self { is_live: context.has_active_span(), ..Self::from_context(context) }
    }

    /// A copy that does not keep a live span open.
    pub(crate) fn detached(context: &Context) -> Self {
        if !context.has_active_span() {
            return Self::from_context(context.clone());
        }
        Self::from_context(with_its_ids_alone(context))
    }
}

/// The same span by its ids alone: a kept context must not delay the end of a span whose owner ends it by
/// dropping it, nor that of its provider. The span itself is not asked, for it may be locked: whoever ends it may
/// send something.
fn with_its_ids_alone(context: &Context) -> Context {
    context.with_remote_span_context(context.span().span_context().clone())
}

/// A clone holds no live span.
impl Clone for TraceContext {
    fn clone(&self) -> Self {
        let context =
            if self.is_live { with_its_ids_alone(&self.context) } else { self.context.clone() };
        Self { context, notes: self.notes.clone(), is_live: false }
    }
}

/// Two contexts are equal when they name the same span with the same state and hold the same
/// baggage.
impl PartialEq for TraceContext {
    fn eq(&self, other: &Self) -> bool {
        let (mine, theirs) = (self.context.baggage(), other.context.baggage());
        let (me, them) = (self.context.span(), other.context.span());
        let (me, them) = (me.span_context(), them.span_context());
        me.trace_id() == them.trace_id()
            && me.span_id() == them.span_id()
            && me.trace_flags() == them.trace_flags()
            && me.trace_state() == them.trace_state()
            && mine.len() == theirs.len()
            && mine.iter().all(|(key, value)| theirs.get_with_metadata(key) == Some(value))
    }
}

#[allow(clippy::missing_fields_in_debug, reason = "the context is told by what it is made of")]
impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceContext")
            .field("traceparent", &self.traceparent())
            .field("tracestate", &self.span_context().trace_state().header())
            .field("baggage", &self.context.baggage().to_string())
            .field("notes", &self.notes)
            .finish()
    }
}

impl Message for TraceContext {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        reader.context(self);
    }

    fn describe<'m>(&'m self, _: &mut Facts<'m>) {}
}

/// A context has no headers of its own to set: it is replaced whole.
impl MessageMut for TraceContext {
    fn set_header(&mut self, _: &str, _: &str) {}

    fn remove_header(&mut self, _: &str) {}

    fn set_context(&mut self, context: &TraceContext) -> bool {
        self.clone_from(context);
        true
    }
}
