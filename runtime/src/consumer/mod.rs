//! A handler's span: placed by its relation, named and described by its message.

mod received;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use received::Received;
pub use received::{AnyNumber, Many, One, Receive, TakenBy};

use crate::operation::Operation;
use crate::outcome::{IntoOutcome, Outcome};
use crate::relation::{Baggage, Parent, Placement, Relation, Situation};
use crate::semconv::{key, operation};
use crate::span::{ActiveSpan, Draft, FieldValue, Lineage, Running, Site, current_context};

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
    Consumer {
        operation: Operation::new(site.into()),
        relation: Relation::LINK,
        number: PhantomData,
    }
}

/// A handler's span that is being described: see [`consume`].
///
/// ```
/// use throughline::{Outcome, Relation, Site, Traced, field};
///
/// let order = Traced::new(7_u32);
/// let site: Site = throughline::site!(
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
    operation: Operation<'a>,
    relation: Relation,
    number: PhantomData<fn() -> Number>,
}

impl<'a, Number> Consumer<'a, Number> {
    crate::operation::setters!();

    /// The user's own fields, by the names and in the order of the [`Site`].
    pub fn fields<'b>(self, fields: &'b [(&'static str, FieldValue<'b>)]) -> Consumer<'b, Number>
    where
        'a: 'b,
    {
        Consumer {
            operation: Operation { fields, ..self.operation },
            relation: self.relation,
            number: PhantomData,
        }
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

    /// The message's context is not looked at: for senders that are not trusted.
    pub fn ignore(self) -> Consumer<'a> {
        self.relation(Relation::IGNORE)
    }

    /// A relation chosen at run time; `continue` on a batch links.
    pub fn relation(self, relation: Relation) -> Consumer<'a> {
        self.with(relation)
    }

    fn with<Other>(self, relation: Relation) -> Consumer<'a, Other> {
        Consumer { operation: self.operation, relation, number: PhantomData }
    }

    /// Reads `message` and starts the span, as a child of the sender's or linked to it.
    pub fn start<K, M>(self, message: &M) -> ActiveSpan
    where
        M: Receive<K> + ?Sized,
        K: TakenBy<Number>,
    {
        start(&self.operation, self.relation, message.receive())
    }

    /// Runs `future` inside the span, which starts when the returned future is first polled.
    pub async fn run<K, M, F>(self, message: &M, future: F) -> F::Output
    where
        M: Receive<K> + ?Sized,
        K: TakenBy<Number>,
        F: Future<Output: IntoOutcome>,
    {
        let mut span = self.start(message);
        let result = span.run(future).await;
        span.finish(result.outcome());
        result
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
        let outcome: Outcome = result.outcome();
        span.finish(outcome);
        result
    }
}

impl<Number> fmt::Debug for Consumer<'_, Number> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("operation", &self.operation)
            .field("relation", &self.relation)
            .finish()
    }
}

fn start(operation: &Operation<'_>, relation: Relation, mut received: Received<'_>) -> ActiveSpan {
    let ambient_context = current_context();
    let ambient = ambient_context.span().span_context().clone();
    let is_batch = received.batch_size.is_some();
    let situation = Situation { origins: &received.origins, ambient: &ambient, is_batch };
    let placement = relation.place(situation);
    received.facts.overrule(operation.system.clone(), operation.destination.clone());

    let destination = received.facts.destination_for_a_name();
    let names = operation.names(operation::PROCESS, destination);
    let links = links(&placement, &received, &ambient);
    let mut attributes = vec![
        KeyValue::new(key::OPERATION_NAME, names.operation),
        KeyValue::new(key::OPERATION_TYPE, operation::PROCESS),
        KeyValue::new(key::FUNCTION_NAME, operation.site.qualified_function),
    ];
    attributes.extend(received.facts.attributes());
    attributes.extend(explanation(&placement));
    attributes.extend(received.batch_size.map(|size| count(key::BATCH_MESSAGE_COUNT, size)));

    Draft {
        site: operation.site,
        name: names.span,
        kind: SpanKind::Consumer,
        parent: parent(&placement, &received, &ambient_context),
        lineage: match placement.parent {
            Parent::Ambient => Lineage::Contextual,
            Parent::None | Parent::Origin => Lineage::Root,
        },
        links,
        attributes,
        fields: operation.fields,
        running: Running::handler(received.origins.iter().map(|origin| &origin.context)),
    }
    .start()
}

/// The span's links, in the order of the table: origins, then the ambient span.
fn links(placement: &Placement, received: &Received<'_>, ambient: &SpanContext) -> Vec<Link> {
    let linked = placement.origins_linked + usize::from(placement.ambient_linked);
    let mut links = Vec::with_capacity(linked);
    for origin in received.origins.iter().take(placement.origins_linked) {
        let mut attributes = origin.facts.attributes_where_differing(&received.facts);
        if origin.messages > 1 {
            attributes.push(count(key::LINK_MESSAGE_COUNT, origin.messages));
        }
        links.push(Link::new(origin.context.clone(), attributes, 0));
    }
    if placement.ambient_linked {
        let role = KeyValue::new(key::LINK_ROLE, "ambient");
        links.push(Link::new(ambient.clone(), vec![role], 0));
    }
    links
}

/// The span says why it is what it is.
fn explanation(placement: &Placement) -> impl Iterator<Item = KeyValue> {
    let kind = KeyValue::new(key::RELATION_KIND, placement.kind.as_str());
    let reason = placement.reason.map(|why| KeyValue::new(key::RELATION_REASON, why.as_str()));
    let left_out = (placement.left_out > 0).then(|| count(key::LINKS_LEFT_OUT, placement.left_out));
    [Some(kind), reason, left_out].into_iter().flatten()
}

fn parent(placement: &Placement, received: &Received<'_>, ambient: &Context) -> Context {
    let base = match placement.parent {
        Parent::Origin => return received.context.as_context().clone(),
        Parent::Ambient => ambient.clone(),
        Parent::None => Context::new(),
    };
    let mut entries = Vec::new();
    if placement.baggage == Baggage::AmbientThenMessage {
        entries.extend(received::entries(ambient.baggage()));
    }
    if placement.baggage != Baggage::None {
        entries.extend(received.baggage());
    }
    if entries.is_empty() {
        return base;
    }
    base.with_baggage(entries.into_iter().collect::<opentelemetry::baggage::Baggage>())
}

fn count(key: &'static str, count: usize) -> KeyValue {
    KeyValue::new(key, i64::try_from(count).unwrap_or(i64::MAX))
}
