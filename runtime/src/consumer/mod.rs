//! A handler's span: placed by its relation, named and described by its message.

mod received;
mod unstarted;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::time::Duration;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};

pub use received::{AnyNumber, Many, One, Receive, TakenBy};
pub(crate) use received::{Received, Wanted};
pub use unstarted::UnstartedSpan;

use crate::carrier::{Said, hops};
#[cfg(feature = "metrics")]
use crate::metrics::Measured;
use crate::operation::{Operation, count, link_with_role, tell};
use crate::outcome::IntoOutcome;
use crate::relation::{Baggage, MAX_LINKS, Parent, Placement, Relation, Situation};
use crate::semconv::{key, link_role, operation};
use crate::span::{
    ActiveSpan, Description, Draft, FieldValue, Lineage, Maker, NoSpan, Plain, Running, Site,
    anything_runs_here, current_context,
};

/// Begins a handler's span without a macro: for a loop, or for a framework that wraps others'
/// handlers.
///
/// Takes the handler's name, or a [`Site`]. Unless told otherwise the span links.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use throughline::Traced;
///
/// let order = Traced::new("two lemons");
/// let charged: Result<u32, std::fmt::Error> = throughline::consume("charge_card")
///     .continue_()
///     .destination("orders")
///     .run(&order, async { Ok(12) })
///     .await;
/// assert_eq!(charged, Ok(12));
/// # }
/// ```
pub fn consume(site: impl Into<Site>) -> Consumer<'static> {
    let operation = Operation::new(site.into());
    let handler = Handler { operation, relation: Relation::LINK };
    let wanted = Wanted { max_links: MAX_LINKS, headers: None };
    Consumer { handler, wanted, fields: None, number: PhantomData }
}

/// Says that the span which is current is a consumer's span for `message` already, made by somebody
/// else: a framework or an agent. A handler that runs in what this returns gets no second one, but a
/// span of kind INTERNAL under the current one. (Within throughline's own handlers this is known.)
///
/// ```
/// use throughline::{Outcome, Traced, async_consumer};
///
/// #[async_consumer(continue)]
/// fn charge_card(order: &Traced<u32>) {}
///
/// fn deliver(order: &Traced<u32>) {
///     let mut here = throughline::handled_by_current_span(order);
///     here.run_sync(|| charge_card(order));
///     here.finish(Outcome::ok()); // the span is its maker's to end
/// }
/// # deliver(&Traced::new(7));
/// ```
pub fn handled_by_current_span<K, M: Receive<K> + ?Sized>(message: &M) -> ActiveSpan {
    let wanted = Wanted { max_links: MAX_LINKS, headers: None };
    ActiveSpan::unmade(Received::of(message, &wanted, Said::default()).running())
}

/// A handler's span that is being described: see [`consume`].
///
/// ```
/// use throughline::{Outcome, Relation, Site, Traced, field};
///
/// let order = Traced::new(7_u32);
/// let site: Site = throughline::site!(
///     operation: process,
///     function: "charge_card",
///     span: "consume orders",
///     target: module_path!(),
///     level: INFO,
///     fields: ["order.id"],
/// );
/// let mut span = throughline::consume(site)
///     .relation(Relation::CONTINUE) // or `.continue_()`, `.link()`, `.link_nested()`, `.ignore()`
///     .system("kafka")
///     .destination("orders")
///     .operation("consume")
///     .fields(&[("order.id", field::value(&*order))])
///     .start(&order);
/// let charged = span.run_sync(|| *order * 100);
/// span.finish(Outcome::ok());
/// assert_eq!(charged, 700);
/// ```
#[must_use = "nothing happens until it is started or run"]
pub struct Consumer<'a, Number = AnyNumber> {
    handler: Handler,
    wanted: Wanted<'a>,
    fields: Option<&'a [(&'static str, FieldValue<'a>)]>,
    number: PhantomData<fn() -> Number>,
}

#[cfg(feature = "tower")]
impl<Number> Consumer<'static, Number> {
    /// For a layer, which keeps what describes its handler and makes a builder for each call.
    pub(crate) fn described(
        operation: Operation,
        relation: Relation,
        max_links: usize,
        headers: &'static [&'static str],
    ) -> Self {
        let handler = Handler { operation, relation };
        let wanted = Wanted { max_links, headers: Some(headers) };
        Self { handler, wanted, fields: None, number: PhantomData }
    }
}

impl<'a, Number> Consumer<'a, Number> {
    crate::operation::setters!(handler.operation);
    crate::operation::setters_of_a_consumer!(handler.operation);

    /// The user's own fields, by the names and in the order of the [`Site`].
    pub fn fields<'b>(self, fields: &'b [(&'static str, FieldValue<'b>)]) -> Consumer<'b, Number>
    where
        'a: 'b,
    {
        Consumer { fields: Some(fields), ..self }
    }

    /// How many links the span may have, 128 unless told otherwise: the SDK's own limit, which has
    /// to be raised too where this one is. `throughline.links.left_out` counts what has no room.
    ///
    /// ```
    /// use throughline::Traced;
    /// let batch = [Traced::new(1), Traced::new(2)];
    /// throughline::consume("add_up").max_links(8).run_sync(&batch[..], || ());
    /// ```
    pub fn max_links(mut self, max_links: usize) -> Self {
        self.wanted.max_links = max_links;
        self
    }

    /// The message's headers that are to stand on the span, as `throughline.message.header.{name}`
    /// with the name in lower case; without regard to case, each with all its values. None unless
    /// told: headers may hold secrets.
    ///
    /// ```
    /// let headers = [("tenant", "acme")];
    /// throughline::consume("bill").capture_headers(&["tenant"]).run_sync(&headers[..], || ());
    /// ```
    pub fn capture_headers<'b>(self, names: &'b [&'b str]) -> Consumer<'b, Number>
    where
        'a: 'b,
    {
        let wanted = Wanted { headers: Some(names), ..self.wanted };
        Consumer { wanted, ..self }
    }

    /// The span is the root of its own trace, with a link back to each sender. The default.
    pub fn link(self) -> Consumer<'a> {
        self.relation(Relation::LINK)
    }

    /// As [`link`](Self::link), but under the span that is active where the handler starts.
    pub fn link_nested(self) -> Consumer<'a> {
        self.relation(Relation::LINK.nested())
    }

    /// The span is a child of the sender's. A batch can't be continued: it does not compile.
    pub fn continue_(self) -> Consumer<'a, One> {
        self.with(Relation::CONTINUE)
    }

    /// Under `continue`: messages older than this are linked. See [`Relation::within`].
    pub fn within(mut self, age: Duration) -> Self {
        self.handler.relation = self.handler.relation.within(age);
        self
    }

    /// Under `continue`: traces that were continued this often are linked. See
    /// [`Relation::max_hops`].
    pub fn max_hops(mut self, hops: u32) -> Self {
        self.handler.relation = self.handler.relation.max_hops(hops);
        self
    }

    /// Under `continue`: whether a sender that asks for a new trace gets one. See
    /// [`Relation::heed_break`].
    pub fn heed_break(mut self, heed: bool) -> Self {
        self.handler.relation = self.handler.relation.heed_break(heed);
        self
    }

    /// The message's context is not looked at: for senders that are not trusted.
    pub fn ignore(self) -> Consumer<'a> {
        self.relation(Relation::IGNORE)
    }

    /// A relation chosen at run time; `continue` on a batch links.
    pub fn relation(self, relation: Relation) -> Consumer<'a> {
        self.with(relation)
    }

    fn with<Other>(self, relation: Relation) -> Consumer<'a, Other> {
        let Self { handler, wanted, fields, .. } = self;
        Consumer { handler: Handler { relation, ..handler }, wanted, fields, number: PhantomData }
    }

    /// Reads `message` and starts the span, as a child of the sender's or linked to it.
    pub fn start<K, M>(mut self, message: &M) -> ActiveSpan
    where
        M: Receive<K> + ?Sized,
        K: TakenBy<Number>,
    {
        let Self { handler, wanted, fields, .. } = &mut self;
        let mut received = Received::none();
        message.receive(wanted, mem::take(&mut handler.operation.said), &mut received);
        handler.start(&mut received, wanted.max_links, fields.unwrap_or_default())
    }

    /// Reads `message` now, for a span that starts later: where a function is called with the
    /// message and what it returns is a future.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use throughline::Traced;
    ///
    /// fn charge(order: Traced<u32>) -> impl Future<Output = Result<u32, std::fmt::Error>> {
    ///     let span = throughline::consume("charge_card").continue_().read(&order);
    ///     span.run(async move { Ok(*order * 100) })
    /// }
    /// assert_eq!(charge(Traced::new(7)).await, Ok(700));
    /// # }
    /// ```
    pub fn read<K, M>(self, message: &M) -> UnstartedSpan
    where
        M: Receive<K> + ?Sized,
        K: TakenBy<Number>,
    {
        let Self { mut handler, wanted, fields, .. } = self;
        let said = mem::take(&mut handler.operation.said);
        let received = Received::of(message, &wanted, said).into_owned();
        UnstartedSpan::new(handler, received, wanted.max_links, fields.unwrap_or_default())
    }

    /// Runs `future` inside the span, which starts when the returned future is first polled; what
    /// makes the future runs before that. The fields are those of now.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// use throughline::Traced;
    ///
    /// fn pack(order: &str) -> impl Future<Output = usize> + use<> {
    ///     let parts = order.split(' ').count(); // outside the span in `.run(&order, pack(&order))`
    ///     async move { parts }
    /// }
    /// let order = Traced::new("two lemons");
    /// throughline::consume("pack_order")
    ///     .run(&order, async {
    ///         pack(&order).await; // all of it inside
    ///     })
    ///     .await;
    /// # }
    /// ```
    pub fn run<K, M, F>(self, message: &M, future: F) -> impl Future<Output = F::Output>
    where
        M: Receive<K> + ?Sized,
        K: TakenBy<Number>,
        F: Future<Output: IntoOutcome>,
    {
        let Self { handler, wanted, fields, number } = self;
        // Borrowed fields can't be sent to another thread, where this future may be polled.
        let fields = Plain::all(fields.unwrap_or_default());
        async move {
            let mut span = {
                let fields = Plain::as_fields(&fields);
                Consumer { handler, wanted, fields: Some(&fields), number }.start(message)
            };
            let result = span.run(future).await;
            span.finish(result.outcome());
            result
        }
    }

    /// Runs `body` inside the span.
    ///
    /// ```
    /// use throughline::Traced;
    /// let order = Traced::new("two lemons");
    /// throughline::consume("pack").link().run_sync(&order, || ());
    /// ```
    pub fn run_sync<K, M, R>(self, message: &M, body: impl FnOnce() -> R) -> R
    where
        M: Receive<K> + ?Sized,
        K: TakenBy<Number>,
        R: IntoOutcome,
    {
        let mut span = self.start(message);
        let result = span.run_sync(body);
        span.finish(result.outcome());
        result
    }
}

impl<Number> fmt::Debug for Consumer<'_, Number> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("operation", &self.handler.operation)
            .field("relation", &self.handler.relation)
            .finish_non_exhaustive()
    }
}

/// A handler as it is described, whatever message it is called with.
#[derive(Debug)]
struct Handler {
    operation: Operation,
    relation: Relation,
}

impl Handler {
    /// Starts the span of one call, which takes what the user said of it.
    fn start(
        &mut self,
        received: &mut Received<'_>,
        max_links: usize,
        fields: &[(&'static str, FieldValue<'_>)],
    ) -> ActiveSpan {
        // What has a consumer's span already gets no second one.
        if anything_runs_here() && received.is_handled_already() {
            self.start_inside(fields)
        } else {
            self.start_for_messages(received, max_links, fields)
        }
    }

    /// A span for a part of what a handler does with its message.
    #[cold]
    fn start_inside(&self, fields: &[(&'static str, FieldValue<'_>)]) -> ActiveSpan {
        let Operation { site, enabled, failure_event, name, .. } = &self.operation;
        Draft {
            site: *site,
            maker: Maker::of(*site, *enabled),
            failure_event: *failure_event,
            description: Description {
                name: name.as_ref().map_or(Cow::Borrowed(site.function()), Cow::clone),
                kind: SpanKind::Internal,
                links: Vec::new(),
                attributes: vec![KeyValue::new(key::FUNCTION_NAME, site.qualified_function())],
            },
            parent: current_context(),
            lineage: Lineage::Contextual,
            fields,
            running: Running::default(),
            // The messages are measured where their handler's span is.
            #[cfg(feature = "metrics")]
            measured: None,
        }
        .start()
    }

    fn start_for_messages(
        &mut self,
        received: &mut Received<'_>,
        max_links: usize,
        fields: &[(&'static str, FieldValue<'_>)],
    ) -> ActiveSpan {
        let Self { operation, relation } = self;
        let ambient_context = current_context();
        let ambient = ambient_context.span();
        let ambient = ambient.span_context();
        let placement = relation.place(&Situation {
            distinct_origins: received.distinct_origins(),
            any_unreadable: received.any_unreadable(),
            ambient_is_origin: received.has_origin(ambient),
            ambient,
            attempts: received.attempts().len(),
            sending: received.sending(relation.depends_on_age()),
            is_batch: received.batch_size().is_some(),
            max_links,
        });
        received.contexts.note(&placement, operation.site, &received.facts);

        #[cfg(feature = "metrics")]
        let measured = measured(operation, &placement, received);
        let maker = Maker::of(operation.site, operation.enabled);
        if let Maker::Nobody(way) = maker {
            return NoSpan {
                way,
                site: operation.site,
                failure_event: operation.failure_event,
                running: received.running(),
                parent: parent(&placement, received, &ambient_context).unwrap_or_default(),
                #[cfg(feature = "metrics")]
                measured: Some(measured),
            }
            .start();
        }
        let names = operation.names(operation::PROCESS, received.facts.destination_for_a_name());
        Draft {
            site: operation.site,
            maker,
            failure_event: operation.failure_event,
            // They take the senders away, whom this names.
            running: received.running(),
            description: Description {
                name: names.span,
                kind: SpanKind::Consumer,
                links: links(&placement, received, ambient),
                attributes: attributes(names.operation, operation.site, &placement, received),
            },
            lineage: match placement.parent {
                Parent::Ambient => Lineage::Contextual,
                Parent::None | Parent::Origin => Lineage::Root,
            },
            fields,
            // It takes the sender away, whom all others name.
            parent: parent(&placement, received, &ambient_context).unwrap_or_default(),
            #[cfg(feature = "metrics")]
            measured: Some(measured),
        }
        .start()
    }
}

#[cfg(feature = "metrics")]
fn measured(
    operation: &Operation,
    placement: &Placement,
    received: &Received<'_>,
) -> Box<Measured> {
    let facts = &received.facts;
    let verb = operation.verb(operation::PROCESS, facts.destination_for_a_name().is_some());
    let measured = Measured::new(operation::PROCESS, verb, facts, received.messages());
    Box::new(measured.handling(placement, received.waited(), facts))
}

/// The span's links, in the order of the table: origins, then the ambient span.
fn links(placement: &Placement, received: &mut Received<'_>, ambient: &SpanContext) -> Vec<Link> {
    match (placement.links(), received.only_origin()) {
        (0, _) => Vec::new(),
        // With nobody to differ from, a link needs no facts of its own.
        (1, Some(origin)) if placement.origins_linked == 1 => {
            vec![Link::with_context(origin.clone())]
        }
        _ => several_links(placement, received, ambient),
    }
}

#[inline(never)]
fn several_links(
    placement: &Placement,
    received: &mut Received<'_>,
    ambient: &SpanContext,
) -> Vec<Link> {
    let Placement { origins_linked, attempts_linked, ambient_linked, .. } = *placement;
    let mut links = received.take_links_to_origins(operation::PROCESS, origins_linked);
    links.reserve_exact(attempts_linked + usize::from(ambient_linked));
    for attempt in received.attempts().iter().take(attempts_linked) {
        links.push(link_with_role(attempt, link_role::ATTEMPT));
    }
    if ambient_linked {
        links.push(link_with_role(ambient, link_role::AMBIENT));
    }
    links
}

fn attributes(
    operation_name: Cow<'static, str>,
    site: Site,
    placement: &Placement,
    received: &Received<'_>,
) -> Vec<KeyValue> {
    let is_batch = received.batch_size().is_some();
    let more = received.facts.len() + usize::from(placement.left_out > 0) + usize::from(is_batch);
    let mut attributes = if more == 0 { Vec::with_capacity(5) } else { with_room(5 + more) };
    let kind = (key::OPERATION_TYPE, operation::PROCESS);
    let function = (key::FUNCTION_NAME, site.qualified_function());
    // The span says why it is what it is.
    let relation = (key::RELATION_KIND, placement.kind.as_str());
    match operation_name {
        Cow::Borrowed(name) => {
            tell(&mut attributes, [(key::OPERATION_NAME, name), kind, function, relation]);
        }
        Cow::Owned(name) => tell_after(&mut attributes, name, [kind, function, relation]),
    }
    if more > 0 || placement.reason.is_some() {
        add_the_rest(&mut attributes, placement, received);
    }
    attributes
}

#[inline(never)]
fn with_room(for_so_many: usize) -> Vec<KeyValue> {
    Vec::with_capacity(for_so_many)
}

#[cold]
fn tell_after(
    attributes: &mut Vec<KeyValue>,
    operation_name: String,
    told: [(&'static str, &'static str); 3],
) {
    attributes.push(KeyValue::new(key::OPERATION_NAME, operation_name));
    tell(attributes, told);
}

#[inline(never)]
fn add_the_rest(attributes: &mut Vec<KeyValue>, placement: &Placement, received: &Received<'_>) {
    if let Some(reason) = placement.reason {
        tell(attributes, [(key::RELATION_REASON, reason.as_str())]);
    }
    received.facts.add_attributes(attributes, operation::PROCESS);
    if placement.left_out > 0 {
        attributes.push(count(key::LINKS_LEFT_OUT, placement.left_out));
    }
    if let Some(size) = received.batch_size() {
        attributes.push(count(key::BATCH_MESSAGE_COUNT, size));
    }
}

/// The parent, and the baggage that the handler works under, if there is any.
fn parent(
    placement: &Placement,
    received: &mut Received<'_>,
    ambient: &Context,
) -> Option<Context> {
    if placement.parent == Parent::Origin {
        return Some(hops::continued(received.take_context(), placement.hops));
    }
    let has_none = placement.baggage == Baggage::Message && !received.has_baggage();
    if has_none && placement.parent == Parent::None {
        return None;
    }
    parent_with_baggage(placement, received, ambient)
}

#[inline(never)]
fn parent_with_baggage(
    placement: &Placement,
    received: &mut Received<'_>,
    ambient: &Context,
) -> Option<Context> {
    let baggage = match placement.baggage {
        Baggage::None => None,
        Baggage::Message => received.take_baggage(),
        Baggage::AmbientThenMessage => {
            let message = received.take_baggage();
            let all = [Some(ambient.baggage()), message.as_ref()].into_iter().flatten();
            let all: opentelemetry::baggage::Baggage = all.flat_map(received::entries).collect();
            Some(all).filter(|all| !all.is_empty())
        }
    };
    let base = (placement.parent == Parent::Ambient).then(|| ambient.clone());
    match baggage {
        None => base,
        Some(baggage) => Some(base.unwrap_or_default().with_baggage(baggage)),
    }
}
