//! A process of many requests: its top-level trace, what leads to it, and its steps.
//!
//! One span can't stay open over days and restarts, so the root of the top-level trace ends as soon
//! as it has begun, and what is kept is its context.

use std::borrow::Cow;

use opentelemetry::Context;
use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt};

use crate::carrier::TraceContext;
use crate::operation::link_with_role;
use crate::outcome::Outcome;
use crate::relation::same_span;
use crate::semconv::link_role;
use crate::span::{
    ActiveSpan, Description, Draft, FieldValue, Lineage, Maker, Running, Site, current_context,
    current_span, without_its_span,
};

/// A step of a process of many requests: a span that ends as soon as it has begun. See
/// [`TraceContext::begin`] and [`TraceContext::add_step`].
///
/// Its name is enough, and every step of a kind should have the same one: what differs goes into
/// fields. With a [`Site`] in place of the name a step has a `tracing` target and level of its own.
///
/// ```
/// use throughline::{Step, TraceContext, field};
///
/// let (id, role) = (7, "legal");
/// let fields = [("approval.id", field::value(&id)), ("approval.role", field::value(role))];
/// let origin = TraceContext::begin("approval");
/// origin.add_step(Step::new("approve").fields(&fields));
///
/// origin.add_step(throughline::site!(
///     operation: process,
///     function: "remind",
///     span: "remind",
///     target: "approvals",
///     level: DEBUG,
///     fields: [],
/// ));
/// ```
#[derive(Debug)]
#[must_use = "nothing happens until it is added to a process"]
pub struct Step<'a> {
    site: Site,
    fields: &'a [(&'static str, FieldValue<'a>)],
}

impl<'a> Step<'a> {
    /// A step of this name; where there is nothing to add to it, the name alone does as well.
    ///
    /// ```
    /// use throughline::{Step, TraceContext};
    /// let origin = TraceContext::begin(Step::new("approval")); // or `begin("approval")`
    /// # let _ = origin;
    /// ```
    pub fn new(site: impl Into<Site>) -> Self {
        Self { site: site.into(), fields: &[] }
    }

    /// The user's own fields; with a [`Site`] that declares fields by its names and in its order.
    ///
    /// ```
    /// use throughline::{Step, TraceContext, field, testing};
    ///
    /// let traces = testing::capture_sync(|| {
    ///     let role = "legal";
    ///     let fields = [("approval.role", field::value(role))];
    ///     TraceContext::begin("approval").add_step(Step::new("approve").fields(&fields));
    /// });
    /// traces.span("approve").has_attribute("approval.role", "legal");
    /// ```
    pub fn fields<'b>(self, fields: &'b [(&'static str, FieldValue<'b>)]) -> Step<'b>
    where
        'a: 'b,
    {
        Step { fields, ..self }
    }

    fn start(self, parent: Context, links: Vec<Link>) -> ActiveSpan {
        Draft {
            description: Description {
                name: Cow::Borrowed(self.site.function()),
                kind: SpanKind::Internal,
                links,
                attributes: Vec::new(),
            },
            site: self.site,
            maker: Maker::of(self.site, true),
            failure_event: false,
            parent,
            lineage: Lineage::Root,
            fields: self.fields,
            running: Running::default(),
            #[cfg(feature = "metrics")]
            measured: None,
        }
        .start()
    }
}

impl From<&'static str> for Step<'_> {
    fn from(name: &'static str) -> Self {
        Self::new(name)
    }
}

impl From<Site> for Step<'_> {
    fn from(site: Site) -> Self {
        Self::new(site)
    }
}

// Here rather than beside the rest of `TraceContext`: reading a carrier needs to know nothing of
// spans.
impl TraceContext {
    /// Begins a process of many requests, a sign-up or an approval that may take days: makes the
    /// root of its top-level trace, which ends at once, and gives the context to be kept with the
    /// process.
    ///
    /// The root links to the span that is active here, with `throughline.link.role` = `ambient`.
    /// Each request of the process then links to the root: a handler by `from = &signup.origin`,
    /// the span of a web framework by [`link_current_span`](Self::link_current_span).
    ///
    /// The baggage in force here is kept too. Where no span is made, the context names none: a
    /// request that began the process is not its top-level trace, and a poll loop still less.
    ///
    /// ```
    /// use throughline::{TraceContext, async_consumer, testing};
    ///
    /// struct Signup {
    ///     origin: TraceContext, // with the feature `serde`, a column of JSON
    /// }
    ///
    /// #[async_consumer(link, from = &signup.origin)]
    /// async fn send_reminder(signup: &Signup) {}
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let traces = testing::capture(async {
    ///     let signup = tracing::info_span!("POST /signups")
    ///         .in_scope(|| Signup { origin: TraceContext::begin("sign-up") });
    ///     // A day later:
    ///     send_reminder(&signup).await;
    /// })
    /// .await;
    ///
    /// traces.assert_tree(
    ///     "
    ///     trace A
    ///       POST /signups                      internal
    ///     trace B
    ///       sign-up                            internal   links to A/POST /signups (ambient)
    ///     trace C
    ///       send_reminder                      consumer   links to B/sign-up
    ///     ",
    /// );
    /// # }
    /// ```
    #[must_use = "a process whose context is not kept can't be linked to"]
    pub fn begin<'a>(process: impl Into<Step<'a>>) -> Self {
        let ambient = current_context();
        let top = without_its_span(&ambient);
        let links = links_back(ambient.span().span_context(), &SpanContext::NONE);
        let mut root = process.into().start(top.clone(), links);
        let origin = Self::detached(&root.own_context().unwrap_or(top));
        root.finish(Outcome::ok());
        origin
    }

    /// Adds a step to the top-level trace of the process that began with this context: a span that
    /// ends at once, below the root, and links back to the span that is active here, with
    /// `throughline.link.role` = `ambient`.
    ///
    /// So the top-level trace tells how the process went, and leads to the request that took each
    /// step. A context that names no span has no such trace, and no step is added.
    ///
    /// ```
    /// use throughline::{TraceContext, testing};
    ///
    /// let traces = testing::capture_sync(|| {
    ///     let origin = TraceContext::begin("sign-up");
    ///     tracing::info_span!("GET /confirm").in_scope(|| origin.add_step("confirm e-mail"));
    /// });
    /// traces.span("confirm e-mail").is_child_of("sign-up").links_to("GET /confirm");
    /// ```
    pub fn add_step<'a>(&self, step: impl Into<Step<'a>>) {
        if !self.names_a_span() {
            return;
        }
        let ambient = current_context();
        let links = links_back(ambient.span().span_context(), &self.span_context());
        step.into().start(self.as_context().clone(), links).finish(Outcome::ok());
    }

    /// Makes the span that is active here link to this context: for a span that somebody else
    /// makes, such as a web framework's for a request of the process.
    ///
    /// Where a handler can say `from = &signup.origin`, that is better: samplers see the links that
    /// a span begins with, and this one comes later. Call it once for a request, since each call
    /// adds a link. Without an active span, or where this context names none, it does nothing.
    ///
    /// ```
    /// use throughline::{TraceContext, testing};
    ///
    /// let traces = testing::capture_sync(|| {
    ///     let origin = TraceContext::begin("sign-up");
    ///     tracing::info_span!("GET /confirm").in_scope(|| origin.link_current_span());
    /// });
    /// traces.span("GET /confirm").is_root().links_to("sign-up").has_links(1);
    /// ```
    pub fn link_current_span(&self) {
        let current = current_span();
        let current = current.span();
        let origin = self.span_context();
        // A span that links to itself leads nowhere.
        if origin.is_valid() && !same_span(&origin, current.span_context()) {
            current.add_link(origin, Vec::new());
        }
    }
}

/// From a span of the top-level trace to the request that made it. Where what is active here is
/// the origin, passed through by a handler without a span, the parent says it.
fn links_back(ambient: &SpanContext, origin: &SpanContext) -> Vec<Link> {
    if !ambient.is_valid() || same_span(ambient, origin) {
        return Vec::new();
    }
    vec![link_with_role(ambient, link_role::AMBIENT)]
}
