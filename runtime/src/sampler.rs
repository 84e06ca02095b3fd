//! A sampler for linked traces: a handler's span is sampled if what it links to is.
//!
//! A ratio sampler decides by the trace id. A `link` handler starts a trace of its own, with an id
//! of its own, so at 1 % its sender was sampled in one case of a hundred: nearly all links that are
//! exported are *dead*, they lead to spans that nobody has. [`LinkSampler`] has the handler follow
//! its sender instead:
//!
//! ```
//! use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
//! use throughline::sampler::LinkSampler;
//!
//! let provider = SdkTracerProvider::builder()
//!     .with_sampler(LinkSampler::new(Sampler::TraceIdRatioBased(0.01)))
//!     .build();
//! ```
//!
//! | the span | is sampled |
//! |---|---|
//! | has a parent, in this process or another | as its parent is |
//! | is a root, and a span that it links to is sampled | always |
//! | is a root, and no span that it links to is sampled | never, or as a sampler of its own says: [`with_links_not_sampled`](LinkSampler::with_links_not_sampled) |
//! | is a root without links | as the inner sampler says, the one given to [`new`](LinkSampler::new) |
//!
//! So of a sender and its handler both are exported or neither is, and a story that goes on over
//! several linked traces is kept or dropped as a whole, by the ratio at its beginning. The ratio
//! needs no `ParentBased` around it. Links that others make count as throughline's do.
//!
//! Two kinds of link don't count. An invalid one leads nowhere. And where a poll loop has a span,
//! each handler links to it (`throughline.link.role` is `ambient`): it did not send the message,
//! and one loop that is sampled would have all its handlers sampled.
//!
//! # What it can't do
//!
//! A sampler decides when a span starts, with what is known then.
//!
//! - **A sender is not rescued by its handler.** It was decided on before there was a handler. That
//!   a handler fails or is slow changes nothing; that takes tail sampling, by something that keeps
//!   linked traces together.
//! - **Of a batch, one sender is enough**, or a sampled sender would miss its handler. At 1 %, 72 %
//!   of batches of 128 messages are sampled, and nearly all links to their other senders are dead.
//!   OTLP has the sender's sampled flag with each link, by which these can be told. Don't scale
//!   counts of spans by the ratio there.
//! - **Every process that handles messages needs it.** A sender may have any sampler: what counts is
//!   the sampled flag that the message brings. One that samples everything has all its `link`
//!   handlers sampled; `ignore` is for senders that are not trusted with that. One that samples
//!   nothing silences them, unless
//!   [`with_links_not_sampled`](LinkSampler::with_links_not_sampled) says otherwise.
//! - **Only links that a span starts with are seen.** throughline's are there in time, except for
//!   those that `max_links` leaves out, and where the OpenTelemetry layer sits inside a `reload`
//!   layer: there a `link` handler is a root without links.
//! - **`link, nested` has a parent**, the span around the handler, and follows that one.
//! - **Sampled is not yet exported.** Links to what an exporter loses are dead all the same.

use opentelemetry::trace::{Link, SpanKind, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{Sampler, SamplingResult, ShouldSample};

use crate::semconv::{key, link_role};

/// Samples a root if a span that it links to is sampled, and a child as its parent is. See the
/// [module](self) for the whole table, and for what sampling of this kind can't do.
///
/// ```
/// use opentelemetry_sdk::trace::Sampler;
/// use throughline::sampler::LinkSampler;
/// use throughline::{TraceContext, testing::Capture};
///
/// // Roots without links never: what is sampled here is sampled for its link.
/// let capture = Capture::new().sampler(LinkSampler::new(Sampler::AlwaysOff));
/// let traces = capture.run_sync(|| {
///     for flags in ["01", "00"] {
///         let sender = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
///         let message = TraceContext::read_from(&[("traceparent", sender)].as_slice());
///         throughline::consume("send_newsletter").link().run_sync(&message, || {});
///     }
/// });
/// assert_eq!(traces.len(), 1);
/// ```
///
/// To decide otherwise under a parent, make it the sampler of roots of the SDK's own:
///
/// ```
/// use opentelemetry_sdk::trace::Sampler;
/// use throughline::sampler::LinkSampler;
///
/// let ratio = Sampler::TraceIdRatioBased(0.01);
/// let sampler = Sampler::parent_based(LinkSampler::new(ratio.clone()))
///     .with_remote_parent_not_sampled(ratio);
/// # let _ = sampler;
/// ```
#[derive(Clone, Debug)]
pub struct LinkSampler {
    inner: Box<dyn ShouldSample>,
    links_not_sampled: Box<dyn ShouldSample>,
}

impl LinkSampler {
    /// Follows links, and leaves roots without links to `inner`.
    ///
    /// ```
    /// use opentelemetry_sdk::trace::Sampler;
    /// use throughline::sampler::LinkSampler;
    ///
    /// let sampler = LinkSampler::new(Sampler::TraceIdRatioBased(0.01));
    /// # let _ = sampler;
    /// ```
    pub fn new(inner: impl Into<Box<dyn ShouldSample>>) -> Self {
        // Whoever is sampled although its sender is not has a dead link.
        Self { inner: inner.into(), links_not_sampled: Box::new(Sampler::AlwaysOff) }
    }

    /// Leaves roots that link to spans of which none is sampled to `sampler`. Without this they are
    /// never sampled, so that no link is dead.
    ///
    /// Choose it where senders that you can't change sample little or nothing: their handlers would
    /// never be seen. A sampled sender still has its handler, and the handlers seen besides have
    /// dead links: about half of all, where the ratio is the sender's.
    ///
    /// ```
    /// use opentelemetry_sdk::trace::Sampler;
    /// use throughline::sampler::LinkSampler;
    ///
    /// let ratio = Sampler::TraceIdRatioBased(0.01);
    /// let sampler = LinkSampler::new(ratio.clone()).with_links_not_sampled(ratio);
    /// # let _ = sampler;
    /// ```
    #[must_use]
    pub fn with_links_not_sampled(mut self, sampler: impl Into<Box<dyn ShouldSample>>) -> Self {
        self.links_not_sampled = sampler.into();
        self
    }

    /// Who decides on a span with this parent and these links.
    fn decider(&self, parent: Option<&Context>, links: &[Link]) -> &dyn ShouldSample {
        match parent.and_then(is_parent_sampled) {
            Some(true) => return &Sampler::AlwaysOn,
            Some(false) => return &Sampler::AlwaysOff,
            None => {}
        }
        match is_any_link_sampled(links) {
            Some(true) => &Sampler::AlwaysOn,
            Some(false) => self.links_not_sampled.as_ref(),
            None => self.inner.as_ref(),
        }
    }
}

impl ShouldSample for LinkSampler {
    fn should_sample(
        &self,
        parent_context: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        span_kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        // All of the answer is theirs: the SDK's own samplers hand the parent's trace state on.
        self.decider(parent_context, links).should_sample(
            parent_context,
            trace_id,
            name,
            span_kind,
            attributes,
            links,
        )
    }
}

/// `None` without a parent. An invalid one is none: the SDK starts a new trace there.
fn is_parent_sampled(context: &Context) -> Option<bool> {
    let span = context.span();
    let parent = span.span_context();
    parent.is_valid().then(|| parent.is_sampled())
}

/// `None` where no link counts.
fn is_any_link_sampled(links: &[Link]) -> Option<bool> {
    links
        .iter()
        .filter(|link| link.span_context.is_valid() && !is_ambient(link))
        .map(|link| link.span_context.is_sampled())
        .reduce(|any, this| any || this)
}

/// Whether the link leads to the span around the handler, which did not send the message. The other
/// role there is, a failed attempt, counts: the attempts at one message are one story.
fn is_ambient(link: &Link) -> bool {
    link.attributes.iter().any(|attribute| {
        attribute.key.as_str() == key::LINK_ROLE && attribute.value.as_str() == link_role::AMBIENT
    })
}
