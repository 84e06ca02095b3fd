//! The span made through `tracing`, where an OpenTelemetry layer listens.
//!
//! Which of the two worlds a span belongs to shows by what the layer answers and by what entering
//! the span changes; there is no switch to set.

pub(super) mod listening;

use std::cell::Cell;
use std::mem;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, Key, KeyValue};
use tracing::callsite::{Callsite, DefaultCallsite};
use tracing::field::ValueSet;
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::{Metadata, Span, Value};
use tracing_opentelemetry::{OpenTelemetrySpanExt, SetParentError};

use super::current::current_tracing_span;
use super::listener::Listener;
use super::ways::Way;
use super::{
    Attach, Description, Draft, FieldValue, Inside, Lineage, Maker, Site, attributes_of, otel,
    own_fields,
};
use crate::carrier::copied;
use crate::propagation::keep_random_flag;
use crate::relation::same_span;
use crate::semconv;

thread_local! {
    /// Whether a bridge has answered on this thread: then a root can be made as one.
    static BRIDGE_HAS_ANSWERED: Cell<bool> = const { Cell::new(false) };
}

/// What is left to find out when the span is entered for the first time.
pub(super) enum Undecided {
    /// A bridge took the parent and the links, or a per-layer filter hides the span from it.
    /// The attributes that are not taken yet can be set all at once when it has started.
    Answered { passes_through: Context, late: Vec<KeyValue> },
    /// No bridge was found: one may be behind a `reload` layer, or there is none.
    NotFound(Box<Unmade>),
}

/// What the API is told where no bridge has made the span.
pub(super) struct Unmade {
    description: Description,
    fields: Vec<KeyValue>,
    parent: Context,
    told: Told,
}

/// What a bridge is told of a span's parent by how the span is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    /// All that there is to know.
    Everything,
    /// What is attached, unless it asks `tracing`'s current span.
    WhatIsAttached,
    /// That there is none.
    Nothing,
}

/// Who makes a span for this site.
#[inline]
pub(super) fn maker(site: Site) -> Maker {
    if LevelFilter::current() == LevelFilter::OFF {
        // There is no subscriber, or none that wants anything.
        otel::maker()
    } else if is_enabled(site.callsite()) {
        Maker::Tracing
    } else if Listener::here().is_a_layer() {
        // Filtered out on purpose.
        Maker::Nobody(Way::FilteredOut)
    } else {
        otel::maker()
    }
}

/// Makes the span through `tracing`, as it is described.
pub(super) fn start(mut draft: Draft<'_>, inside: &mut Inside) {
    let (span, told) = make(&draft);
    if !is_declared(draft.site, draft.fields) {
        draft.describe_fields();
    }
    // Only a bridge takes an attribute: so where it was told the parent, setting that is not needed to find it.
    let is_answered =
        told == Told::Everything && takes_first(&span, &mut draft.description.attributes);
    let undecided = if is_answered || takes_parent(&span, &draft.parent) {
        let Draft { parent, description: Description { links, mut attributes, .. }, .. } = draft;
        for Link { span_context, attributes, .. } in links {
            span.add_link_with_attributes(span_context, attributes);
        }
        for attribute in &mut attributes {
            if !is_taken(attribute) && !semconv::may_come_late(attribute.key.as_str()) {
                set(&span, attribute);
            }
        }
        Undecided::Answered { passes_through: parent, late: attributes }
    } else {
        not_found(draft, told)
    };
    inside.wait_until_entered(span, undecided);
}

/// Whether a bridge has answered; otherwise none can be reached.
#[inline(never)]
fn takes_parent(span: &Span, parent: &Context) -> bool {
    match span.set_parent(parent.clone()) {
        Ok(()) | Err(SetParentError::AlreadyStarted) => true,
        Err(SetParentError::LayerNotFound | SetParentError::SpanDisabled) => false,
    }
}

#[inline(never)]
fn not_found(draft: Draft<'_>, told: Told) -> Undecided {
    BRIDGE_HAS_ANSWERED.set(false);
    let Draft { description, parent, fields, .. } = draft;
    let fields = attributes_of(fields).collect();
    Undecided::NotFound(Box::new(Unmade { description, fields, parent, told }))
}

/// Sets the first attribute, and tells whether it was taken.
fn takes_first(span: &Span, attributes: &mut [KeyValue]) -> bool {
    let Some(first) = attributes.first_mut() else { return false };
    set(span, first);
    is_taken(first)
}

fn is_taken(attribute: &KeyValue) -> bool {
    attribute.key.as_str().is_empty()
}

/// Sets an attribute of a span that has not started yet: a look-up for each.
fn set(span: &Span, KeyValue { key, value, .. }: &mut KeyValue) {
    span.set_attribute(Taken(key), Taken(value));
}

/// What is taken from where it is when it has arrived: on its way to the layer it would be moved from
/// closure to closure.
struct Taken<'t, T>(&'t mut T);

impl From<Taken<'_, Key>> for Key {
    fn from(Taken(key): Taken<'_, Self>) -> Self {
        mem::replace(key, Self::from_static_str(""))
    }
}

impl From<Taken<'_, opentelemetry::Value>> for opentelemetry::Value {
    fn from(Taken(value): Taken<'_, Self>) -> Self {
        mem::replace(value, Self::Bool(false))
    }
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

/// How many fields a site has before the user's.
const OWN_FIELDS: usize = own_fields::OF_AN_OPERATION.len();

/// How many of these are recorded.
const RECORDED: usize = 2;

/// Whether a field of that name is recorded: not where it only makes room.
pub(super) fn records(span: &Span, name: &str) -> bool {
    let fields = span.metadata().into_iter().flat_map(|it| it.fields().iter().enumerate());
    let mut recorded = fields.filter(|(at, _)| !(RECORDED..OWN_FIELDS).contains(at));
    recorded.any(|(_, field)| field.name() == name)
}

/// Whether the site has a place for each of the fields.
fn is_declared(site: Site, fields: &[(&'static str, FieldValue<'_>)]) -> bool {
    OWN_FIELDS + fields.len() <= site.callsite().metadata().fields().len()
}

/// The `tracing` span, and what a bridge is told of its parent.
fn make(draft: &Draft<'_>) -> (Span, Told) {
    let Draft { site, description, fields, .. } = draft;
    let metadata = site.callsite().metadata();
    let name = (description.name != metadata.name()).then_some(description.name.as_ref());
    let kind = kind_as_str(&description.kind);
    let mut own: OwnValues<'_> = [None; OWN_FIELDS];
    [own[0], own[1]] = [name.as_ref().map(|name| name as &dyn Value), Some(&kind)];
    if fields.is_empty() && metadata.fields().len() == OWN_FIELDS {
        make_of(draft, metadata, &metadata.fields().value_set_all(&own))
    } else {
        make_with_fields(draft, metadata, own)
    }
}

type OwnValues<'v> = [Option<&'v dyn Value>; OWN_FIELDS];

#[inline(never)]
fn make_with_fields(
    draft: &Draft<'_>,
    metadata: &'static Metadata<'static>,
    own: OwnValues<'_>,
) -> (Span, Told) {
    let mut values = Vec::with_capacity(metadata.fields().len());
    values.extend(own);
    values.extend(draft.fields.iter().map(|(_, value)| value.as_tracing()));
    values.resize(metadata.fields().len(), None);
    make_of(draft, metadata, &metadata.fields().value_set_all(&values))
}

fn make_of(
    draft: &Draft<'_>,
    metadata: &'static Metadata<'static>,
    values: &ValueSet<'_>,
) -> (Span, Told) {
    let parent = &draft.parent;
    let wants_parent = parent.span().span_context().is_valid();
    if draft.lineage == Lineage::Root && !wants_parent && parent.baggage().is_empty() {
        (Span::new_root(metadata, values), Told::Everything)
    } else {
        make_below(draft, metadata, values)
    }
}

/// Where there is something that a bridge has to be told.
#[inline(never)]
fn make_below(
    draft: &Draft<'_>,
    metadata: &'static Metadata<'static>,
    values: &ValueSet<'_>,
) -> (Span, Told) {
    let Draft { lineage, parent, .. } = draft;
    let mut told = Told::WhatIsAttached;
    if current_tracing_span().is_none() {
        // A root to `tracing` whichever way it is made, and no bridge has anybody else to ask.
        told = Told::Everything;
    } else if *lineage == Lineage::Root {
        let wants_parent = parent.span().span_context().is_valid();
        if !wants_parent || can_be_told_the_parent() {
            return (Span::new_root(metadata, values), Told::Nothing);
        }
    }
    // Behind a `reload` layer a bridge can be told the parent in no other way.
    let _attached = parent.clone().attach();
    (Span::new(metadata, values), told)
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
    /// The context that is current inside, where that can be told without entering.
    pub(super) fn context_inside(&self, span: &Span) -> Option<Context> {
        let Self::Answered { passes_through, .. } = self else { return None };
        let own = span.context();
        is_made(&own, passes_through).then(|| keep_random_flag(&own, passes_through).unwrap_or(own))
    }

    /// Called inside the span when it is entered for the first time; `before` was current outside.
    pub(super) fn decide(self, inside: &mut Inside, before: &SpanContext) -> Way {
        let entering_made_it_current = Context::map_current(|current| {
            let current = current.span();
            let now = current.span_context();
            now.is_valid() && !same_span(now, before)
        });
        match self {
            Self::Answered { passes_through, late } => {
                let own = if entering_made_it_current {
                    Context::current()
                } else {
                    inside.tracing.context()
                };
                if !is_made(&own, &passes_through) {
                    return hidden(passes_through, inside);
                }
                own.span().set_attributes(late.into_iter().filter(|it| !is_taken(it)));
                made(own, &passes_through, entering_made_it_current, inside);
                Way::Layer
            }
            Self::NotFound(unmade) if entering_made_it_current => behind_reload(*unmade, inside),
            Self::NotFound(unmade) => by_the_api(*unmade, inside),
        }
    }
}

/// Whether a bridge has made the span, whose context this would be.
fn is_made(own: &Context, passes_through: &Context) -> bool {
    let (own, passes_through) = (own.span(), passes_through.span());
    // A tracer that makes none hands the parent on.
    own.span_context().is_valid() && !same_span(own.span_context(), passes_through.span_context())
}

/// A bridge has made the span.
fn made(mut own: Context, passes_through: &Context, is_current: bool, inside: &mut Inside) {
    BRIDGE_HAS_ANSWERED.set(true);
    // It has to be attached where the bridge runs without context activation, and where something is
    // kept beside it.
    let mut is_attached = is_current;
    if let Some(kept) = keep_random_flag(&own, passes_through) {
        own = kept;
        is_attached = false;
    }
    inside.take_own(own, if is_attached { Attach::Nothing } else { Attach::Own });
}

/// A per-layer filter hides the span from the bridge that has answered, unless that can make none at all.
#[inline(never)]
fn hidden(passes_through: Context, inside: &mut Inside) -> Way {
    inside.attach = Attach::Other(passes_through);
    match Listener::here() {
        Listener::LayerWithoutTracer => Way::WithoutTracer,
        _ => Way::FilteredOut,
    }
}

#[inline(never)]
fn by_the_api(unmade: Unmade, inside: &mut Inside) -> Way {
    let Unmade { mut description, fields, parent, .. } = unmade;
    // `tracing` has them for its log lines; nobody carries them to this span.
    description.attributes.extend(fields);
    otel::make(description, parent, inside)
}

/// A bridge behind a `reload` layer has made the span, with the right parent; it can be reached
/// only through the context that it made current.
#[inline(never)]
fn behind_reload(unmade: Unmade, inside: &mut Inside) -> Way {
    let Unmade { description, parent, told, .. } = unmade;
    let own = Context::current();
    for Link { span_context, attributes, .. } in description.links {
        own.span().add_link(span_context, attributes);
    }
    own.span().set_attributes(description.attributes);
    // It began with an empty context then: the baggage has to be put back.
    let lost_baggage = told == Told::Nothing && !parent.baggage().is_empty();
    let attach = if lost_baggage {
        Some(own.with_baggage(copied(parent.baggage())))
    } else {
        keep_random_flag(&own, &parent)
    };
    inside.attach = attach.map_or(Attach::Nothing, Attach::Other);
    inside.own = Some(own);
    Way::LayerOutOfReach
}
