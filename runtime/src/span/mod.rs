//! One span, whichever of the two worlds makes it: the bridge of an OpenTelemetry layer that
//! listens to `tracing`, or OpenTelemetry's own API.

#[cfg(feature = "tracing")]
mod bridge;
mod current;
#[cfg(feature = "tracing")]
pub mod failure;
mod field;
mod future;
mod inside;
mod listener;
pub(crate) mod otel;
mod running;
mod site;
mod ways;

use std::borrow::Cow;
use std::{fmt, mem};

use opentelemetry::trace::{Link, SpanBuilder, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};

pub(crate) use current::{current_context, current_span, without_its_span};
pub(crate) use field::Plain;
pub use field::{FieldValue, Value, debug, display, empty, value};
pub use future::Run;
pub use inside::record;
use inside::{Attach, Entered, Inside};
pub(crate) use listener::Listener;
pub use otel::{ProviderInUse, use_provider};
pub(crate) use otel::{a_provider_is_in_use, a_provider_is_installed};
pub(crate) use running::{
    MessageId, Running, anything_runs_here, is_handled_already, is_origin_of_the_running_handler,
    running_handler,
};
#[cfg(feature = "tracing")]
pub use site::own_fields;
pub use site::{Place, Site};
pub(crate) use ways::{Noted, Way};

#[cfg(feature = "metrics")]
use crate::metrics::Measured;
#[cfg(feature = "tracing")]
use crate::outcome::Failure;
use crate::outcome::Outcome;

/// A span that is decided on and not yet made.
pub(crate) struct Draft<'a> {
    pub(crate) site: Site,
    pub(crate) maker: Maker,
    pub(crate) failure_event: bool,
    pub(crate) description: Description,
    /// The parent, if its span is valid, and the baggage; also what passes through to the work
    /// inside where the span itself is not made.
    pub(crate) parent: Context,
    #[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "read by the bridge alone"))]
    pub(crate) lineage: Lineage,
    pub(crate) fields: &'a [(&'static str, FieldValue<'a>)],
    pub(crate) running: Running,
    /// What is measured beside the span, whether that is made or not.
    #[cfg(feature = "metrics")]
    pub(crate) measured: Option<Box<Measured>>,
}

/// What a sampler and a reader see of a span.
#[derive(Debug)]
pub(crate) struct Description {
    pub(crate) name: Cow<'static, str>,
    pub(crate) kind: SpanKind,
    pub(crate) links: Vec<Link>,
    pub(crate) attributes: Vec<KeyValue>,
}

impl Description {
    #[inline]
    fn into_builder(self) -> SpanBuilder {
        SpanBuilder {
            span_kind: Some(self.kind),
            name: self.name,
            attributes: Some(self.attributes),
            links: Some(self.links),
            ..SpanBuilder::default()
        }
    }
}

/// Where the span stands among `tracing`'s own spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lineage {
    /// A root: the fields of the span around it do not stand in its log lines.
    Root,
    /// Under the current span.
    Contextual,
}

impl Draft<'_> {
    /// Makes the span, if there is somebody to make it.
    pub(crate) fn start(mut self) -> ActiveSpan {
        if let Maker::Nobody(way) = self.maker {
            return self.into_no_span(way).start();
        }
        let mut inside = Inside::of(self.site, self.failure_event, mem::take(&mut self.running));
        #[cfg(feature = "metrics")]
        {
            inside.measured = self.measured.take();
        }
        if !self.fields.is_empty() {
            self.give_way_to_fields();
        }
        match self.maker {
            #[cfg(feature = "tracing")]
            Maker::Tracing => bridge::start(self, &mut inside),
            _ => {
                if !self.fields.is_empty() {
                    self.describe_fields();
                }
                let way = otel::make(self.description, self.parent, &mut inside);
                ways::note(way, inside.own.as_ref());
            }
        }
        ActiveSpan::of(inside)
    }

    #[inline(never)]
    fn into_no_span(self, way: Way) -> NoSpan {
        NoSpan {
            way,
            site: self.site,
            failure_event: self.failure_event,
            parent: self.parent,
            running: self.running,
            #[cfg(feature = "metrics")]
            measured: self.measured,
        }
    }

    /// Where `tracing` does not carry them.
    #[inline(never)]
    fn describe_fields(&mut self) {
        self.description.attributes.extend(attributes_of(mem::take(&mut self.fields)));
    }

    /// A key that is set twice is exported twice: where a user's field has the name of one of ours, the
    /// user's alone is set.
    #[inline(never)]
    fn give_way_to_fields(&mut self) {
        let is_ours =
            |ours: &KeyValue| self.fields.iter().all(|(name, _)| *name != ours.key.as_str());
        self.description.attributes.retain(is_ours);
    }
}

/// What there is to be done where nobody makes a span, which need not be described then.
pub(crate) struct NoSpan {
    pub(crate) way: Way,
    pub(crate) site: Site,
    pub(crate) failure_event: bool,
    /// Passes through to the work inside.
    pub(crate) parent: Context,
    pub(crate) running: Running,
    #[cfg(feature = "metrics")]
    pub(crate) measured: Option<Box<Measured>>,
}

impl NoSpan {
    pub(crate) fn start(self) -> ActiveSpan {
        ways::note(self.way, None);
        if self.way == Way::Suppressed {
            return ActiveSpan::passing_through(None);
        }
        // Also where the span is filtered out: a failure has a level of its own.
        let failure_event = self.failure_event && self.way != Way::SwitchedOff;
        let mut inside = Inside::of(self.site, failure_event, self.running);
        #[cfg(feature = "metrics")]
        {
            inside.measured = self.measured;
        }
        inside.attach_instead(self.parent);
        ActiveSpan::of(inside)
    }
}

/// The user's fields as attributes, for where `tracing` does not carry them.
fn attributes_of(fields: &[(&'static str, FieldValue<'_>)]) -> impl Iterator<Item = KeyValue> {
    fields.iter().filter_map(|(name, value)| value.to_attribute(name))
}

/// Who makes a span here: asked before the span is described, for where nobody does that is for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// Why there is to be none.
    Nobody(Way),
    /// OpenTelemetry's API.
    Api,
    /// `tracing`, or the API where it turns out that no bridge listens.
    #[cfg(feature = "tracing")]
    Tracing,
}

impl Maker {
    /// Of a span for this site, which its user wants or has switched off.
    #[cfg_attr(
        not(feature = "tracing"),
        expect(unused_variables, reason = "read by the bridge alone")
    )]
    #[inline]
    pub(crate) fn of(site: Site, is_wanted: bool) -> Self {
        if Context::is_current_telemetry_suppressed() {
            return Self::Nobody(Way::Suppressed);
        }
        if !is_wanted {
            return Self::Nobody(Way::SwitchedOff);
        }
        #[cfg(feature = "tracing")]
        return bridge::maker(site);
        #[cfg(not(feature = "tracing"))]
        otel::maker()
    }
}

/// A span that has been started and ends when [`finish`](Self::finish) is called.
///
/// Dropped before that, it ends as an error: `panic` where the code inside it panicked, else
/// `cancelled`.
///
/// ```
/// use throughline::{Outcome, TraceContext};
///
/// let message = TraceContext::default();
/// let mut span = throughline::consume("charge_card").link().start(&message);
/// let sum = span.run_sync(|| 1 + 1);
/// span.finish(Outcome::ok());
/// assert_eq!(sum, 2);
/// ```
#[must_use = "a span that is dropped at once says that its handler was cancelled"]
pub struct ActiveSpan {
    /// Always here, but while it is entered, and when it has ended.
    inside: Option<Box<Inside>>,
    panicked: bool,
    /// Also where ending it unwinds.
    finished: bool,
}

impl ActiveSpan {
    fn of(inside: Box<Inside>) -> Self {
        Self { inside: Some(inside), panicked: false, finished: false }
    }

    /// No span of its own: the work inside sees `context`.
    pub(crate) fn passing_through(context: Option<Context>) -> Self {
        let mut inside = Inside::new();
        if let Some(context) = context {
            inside.attach = Attach::Other(context);
        }
        Self::of(inside)
    }

    /// What runs inside is a handler's work, whose span somebody else has made.
    pub(crate) fn unmade(running: Running) -> Self {
        let mut inside = Inside::new();
        inside.started_by = running;
        Self::of(inside)
    }

    /// Runs a future inside the span and gives back what it returns.
    ///
    /// The span is entered for each poll, and when the future is dropped.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use throughline::{Outcome, TraceContext};
    ///
    /// let mut span = throughline::consume("charge_card").link().start(&TraceContext::default());
    /// let charged = span.run(async { 12 }).await;
    /// span.finish(Outcome::ok());
    /// assert_eq!(charged, 12);
    /// # }
    /// ```
    pub fn run<F: Future>(&mut self, future: F) -> Run<'_, F> {
        Run::new(self, future)
    }

    /// Runs a function inside the span and gives back what it returns.
    pub fn run_sync<R>(&mut self, body: impl FnOnce() -> R) -> R {
        self.run_inside(body)
    }

    /// Adds what was not known when the span started. Samplers don't see these links.
    pub(crate) fn add(&mut self, links: Vec<Link>, attributes: Vec<KeyValue>) {
        self.decide();
        let Some(own) = self.own() else { return };
        let span = own.span();
        for Link { span_context, attributes, .. } in links {
            span.add_link(span_context, attributes);
        }
        span.set_attributes(attributes);
    }

    /// What is measured beside the span: none where telemetry is suppressed.
    #[cfg(feature = "metrics")]
    pub(crate) fn measured(&mut self) -> Option<&mut Measured> {
        self.inside.as_deref_mut()?.measured.as_deref_mut()
    }

    /// Ends the span.
    pub fn finish(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    /// Runs the user's code, and notes whether it unwinds.
    fn run_inside<R>(&mut self, run: impl FnOnce() -> R) -> R {
        let entered = Entered::outside(self, true);
        entered.around(run)
    }

    /// Does something else inside the span.
    fn do_inside<R>(&mut self, action: impl FnOnce() -> R) -> R {
        let entered = Entered::outside(self, false);
        entered.around(action)
    }

    fn own(&self) -> Option<&Context> {
        self.inside.as_ref()?.own.as_ref()
    }

    /// The span's own context, with that very span in it; none where no span is made.
    pub(crate) fn own_context(&mut self) -> Option<Context> {
        #[cfg(feature = "tracing")]
        if let Some(context) = self.inside.as_ref().and_then(|it| it.context_before_entered()) {
            return Some(context);
        }
        self.decide();
        self.own().cloned()
    }

    /// The context that the work inside sees: the span's own, or what passes through.
    pub(crate) fn context(&mut self) -> Context {
        self.own_context().unwrap_or_else(|| {
            let passing = self.inside.as_deref().and_then(Inside::to_be_attached);
            passing.cloned().unwrap_or_else(current_context)
        })
    }

    /// Finds out which world the span is in, if nothing has run in it yet.
    #[cfg_attr(
        not(feature = "tracing"),
        expect(clippy::unused_self, reason = "without `tracing` there is but one world")
    )]
    #[inline]
    fn decide(&mut self) {
        #[cfg(feature = "tracing")]
        if self.inside.as_ref().is_some_and(|inside| inside.undecided.is_some()) {
            self.enter_and_leave();
        }
    }

    #[cfg(feature = "tracing")]
    #[inline(never)]
    fn enter_and_leave(&mut self) {
        self.do_inside(|| ());
    }

    fn end(&mut self, outcome: Outcome) {
        if mem::replace(&mut self.finished, true) {
            return;
        }
        self.decide();
        #[cfg(feature = "tracing")]
        if let Some(failure) = outcome.failure() {
            self.tell(failure);
        }
        let Some(mut inside) = self.inside.take() else { return };
        #[cfg(feature = "metrics")]
        if let Some(measured) = inside.measured.take() {
            let error_type = outcome.failure().map(|failure| &failure.error_type);
            measured.record(error_type, outcome.is_retried());
        }
        if let Some(own) = inside.own.take() {
            let span = own.span();
            outcome.tell(&span);
            if inside.ends_here {
                span.end();
            }
        }
        inside.retire();
    }
}

impl ActiveSpan {
    #[cold]
    fn end_unfinished(&mut self) {
        let outcome = if self.panicked { Outcome::panicked() } else { Outcome::cancelled() };
        self.end(outcome);
    }
}

#[cfg(feature = "tracing")]
impl ActiveSpan {
    /// Tells `tracing` of a failure.
    #[inline(never)]
    fn tell(&mut self, failure: &Failure) {
        let callsite = self.inside.as_ref().and_then(|inside| inside.tells_failure);
        if let Some(callsite) = callsite {
            // Inside the span, whose status comes after it: a bridge sets one of its own.
            self.do_inside(|| failure::tell(failure, callsite));
        }
    }
}

impl Drop for ActiveSpan {
    fn drop(&mut self) {
        if self.inside.is_some() {
            self.end_unfinished();
        }
    }
}

impl fmt::Debug for ActiveSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = self.own().map(|own| own.span().span_context().clone());
        f.debug_struct("ActiveSpan").field("span_context", &own).finish_non_exhaustive()
    }
}
