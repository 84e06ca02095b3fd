//! The span made through `tracing`, where an OpenTelemetry layer listens.
//!
//! Which of the two worlds a span belongs to shows by what the layer answers and by what entering
//! the span changes; there is no switch to set.

pub(super) mod listening;

use std::cell::Cell;
use std::mem;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Link, SpanBuilder, SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};
use tracing::callsite::{Callsite, DefaultCallsite};
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::{Span, Value};
use tracing_opentelemetry::{OpenTelemetrySpanExt, SetParentError};

use super::listener::Listener;
use super::ways::Way;
use super::{ActiveSpan, Attach, Draft, Inside, Lineage, Maker, Site, otel};
use crate::carrier::copied;
use crate::propagation::keep_random_flag;
use crate::relation::same_span;

thread_local! {
    /// Whether a bridge has answered on this thread: then a root can be made as one.
    static BRIDGE_HAS_ANSWERED: Cell<bool> = const { Cell::new(false) };
}

/// What is left to find out when the span is entered for the first time.
pub(super) enum Undecided {
    /// A bridge took the parent and the links, or a per-layer filter hides the span from it.
    Answered { passes_through: Context },
    /// No bridge was found: one may be behind a `reload` layer, or there is none.
    NotFound(Box<Unmade>),
}

/// What the API is told where no bridge has made the span.
pub(super) struct Unmade {
    builder: SpanBuilder,
    fields: Vec<KeyValue>,
    parent: Context,
    root: bool,
}

/// Who makes a span for this site.
pub(super) fn maker(site: &Site) -> Maker {
    if is_enabled(site.callsite) {
        Maker::Tracing
    } else if Listener::here().is_a_layer() {
        // Filtered out on purpose.
        Maker::Nobody(Way::FilteredOut)
    } else {
        otel::maker()
    }
}

/// Makes the span of `draft` through `tracing`.
pub(super) fn start(draft: &mut Draft<'_>, active: &mut ActiveSpan) {
    let span = make(draft);
    let parent = mem::take(&mut draft.parent);
    let undecided = match span.set_parent(parent.clone()) {
        Ok(()) | Err(SetParentError::AlreadyStarted) => {
            for Link { span_context, attributes, .. } in draft.links.drain(..) {
                span.add_link_with_attributes(span_context, attributes);
            }
            for KeyValue { key, value, .. } in draft.attributes.drain(..) {
                span.set_attribute(key, value);
            }
            Undecided::Answered { passes_through: parent }
        }
        Err(SetParentError::LayerNotFound | SetParentError::SpanDisabled) => {
            BRIDGE_HAS_ANSWERED.set(false);
            let root = draft.lineage == Lineage::Root && !parent.span().span_context().is_valid();
            let fields = draft.field_attributes().collect();
            let unmade = Unmade { builder: draft.take_builder(), fields, parent, root };
            Undecided::NotFound(Box::new(unmade))
        }
    };
    active.undecided = Some(undecided);
    active.change(|inside| inside.tracing = span);
}

/// As `tracing`'s own macros ask, cheapest question first.
pub(super) fn is_enabled(callsite: &'static DefaultCallsite) -> bool {
    let metadata = callsite.metadata();
    if *metadata.level() > STATIC_MAX_LEVEL || *metadata.level() > LevelFilter::current() {
        return false;
    }
    // `never` is no answer yet: while one subscriber lives that is not the global one, `tracing` asks
    // the thread that comes first, which may have none.
    callsite.interest().is_always() || tracing::dispatcher::get_default(|it| it.enabled(metadata))
}

/// The `tracing` span of `draft`.
fn make(draft: &mut Draft<'_>) -> Span {
    let metadata = draft.site.callsite.metadata();
    let name = (draft.name != metadata.name()).then_some(draft.name.as_ref());
    let kind = kind_as_str(&draft.kind);
    let mut values: Vec<Option<&dyn Value>> = Vec::with_capacity(metadata.fields().len());
    values.push(name.as_ref().map(|name| name as &dyn Value));
    values.push(Some(&kind));
    values.extend(draft.fields.iter().map(|(_, value)| value.as_tracing()));
    // A site that was made of a name alone has no fields of its own.
    let undeclared = values.len() > metadata.fields().len();
    values.resize(metadata.fields().len(), None);
    let values = metadata.fields().value_set_all(&values);

    let wants_parent = draft.parent.span().span_context().is_valid();
    let span = if draft.lineage == Lineage::Root && (!wants_parent || can_be_told_the_parent()) {
        Span::new_root(metadata, &values)
    } else {
        // Behind a `reload` layer a bridge can be told the parent in no other way.
        let _attached = draft.parent.clone().attach();
        Span::new(metadata, &values)
    };
    if undeclared {
        draft.attributes.extend(draft.field_attributes());
        draft.fields = &[];
    }
    span
}

/// Whether a bridge listens that a root can be told the parent of: one that has answered, or that
/// knows the span around.
fn can_be_told_the_parent() -> bool {
    if !BRIDGE_HAS_ANSWERED.get() {
        let around = Span::current().context();
        BRIDGE_HAS_ANSWERED.set(around.span().span_context().is_valid());
    }
    BRIDGE_HAS_ANSWERED.get()
}

fn kind_as_str(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

impl Undecided {
    /// Called inside the span when it is entered for the first time; `before` was current outside.
    pub(super) fn decide(self, inside: &mut Inside, before: &SpanContext) -> Way {
        let entering_made_it_current = Context::map_current(|current| {
            let current = current.span();
            let now = current.span_context();
            now.is_valid() && !same_span(now, before)
        });
        match self {
            Self::Answered { passes_through } => {
                let own = if entering_made_it_current {
                    Context::current()
                } else {
                    inside.tracing.context()
                };
                answered(own, passes_through, entering_made_it_current, inside)
            }
            Self::NotFound(unmade) if entering_made_it_current => behind_reload(*unmade, inside),
            Self::NotFound(unmade) => {
                let Unmade { mut builder, fields, parent, .. } = *unmade;
                // `tracing` has them for its log lines; nobody carries them to this span.
                builder.attributes.get_or_insert_default().extend(fields);
                otel::build(builder, parent, inside)
            }
        }
    }
}

/// A bridge has answered: it has made the span, unless a per-layer filter hides that from it.
fn answered(own: Context, passes_through: Context, is_current: bool, inside: &mut Inside) -> Way {
    let is_made = own.span().span_context().is_valid()
        // A tracer that makes none hands the parent on.
        && !same_span(own.span().span_context(), passes_through.span().span_context());
    if !is_made {
        inside.attach = Attach::Other(passes_through);
        // Hidden, unless the layer can make none at all.
        return match Listener::here() {
            Listener::LayerWithoutTracer => Way::WithoutTracer,
            _ => Way::FilteredOut,
        };
    }
    BRIDGE_HAS_ANSWERED.set(true);
    let kept = keep_random_flag(&own, &passes_through);
    // It has to be attached where the bridge runs without context activation, and where something is
    // kept beside it.
    let is_attached = is_current && kept.is_none();
    inside.attach = if is_attached { Attach::Nothing } else { Attach::Own };
    inside.own = Some(kept.unwrap_or(own));
    Way::Layer
}

/// A bridge behind a `reload` layer has made the span, with the right parent; it can be reached
/// only through the context that it made current.
fn behind_reload(unmade: Unmade, inside: &mut Inside) -> Way {
    let Unmade { builder, parent, root, .. } = unmade;
    let own = Context::current();
    for Link { span_context, attributes, .. } in builder.links.unwrap_or_default() {
        own.span().add_link(span_context, attributes);
    }
    own.span().set_attributes(builder.attributes.unwrap_or_default());
    // A `tracing` root begins with an empty context: the baggage has to be put back.
    let lost_baggage = root && !parent.baggage().is_empty();
    let attach = if lost_baggage {
        Some(own.with_baggage(copied(parent.baggage())))
    } else {
        keep_random_flag(&own, &parent)
    };
    inside.attach = attach.map_or(Attach::Nothing, Attach::Other);
    inside.own = Some(own);
    Way::LayerOutOfReach
}
