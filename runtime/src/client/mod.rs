//! What a consumer does with its broker beside handling: receiving and settling. Spans of kind CLIENT
//! under whatever is active, with a link to the sender of each message that they are about.

mod polled;

use std::borrow::Cow;
use std::mem;

use opentelemetry::Key;
use opentelemetry::trace::SpanKind;

pub use polled::Polled;

use crate::carrier::{Agreement, Said};
use crate::consumer::{Receive, Received, Wanted};
#[cfg(feature = "metrics")]
use crate::metrics::Measured;
use crate::operation::{self, Operation, attribute_list, count, left_out};
use crate::outcome::Outcome;
use crate::relation::MAX_LINKS;
use crate::semconv::{key, operation as kind};
use crate::span::{
    ActiveSpan, Description, Draft, FieldValue, Lineage, Maker, Plain, Running, Site,
    current_context,
};

/// Begins the span of a poll: the application asks the broker for messages (conventions, "Receive").
///
/// The span links to every sender once the messages are there, which samplers don't see. A poll that
/// brings nothing has no link, and the count 0. What a client has fetched ahead and hands out without
/// asking the broker needs no span.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use throughline::Traced;
/// # let (orders, mut queue) = tokio::sync::mpsc::unbounded_channel();
/// # orders.send(Traced::new(7)).unwrap();
///
/// let order: Option<Traced<u32>> =
///     throughline::receive("poll").system("shop_queue").destination("orders").run(queue.recv()).await;
/// # assert!(order.is_some());
/// # }
/// ```
pub fn receive(site: impl Into<Site>) -> Receiving<'static> {
    Receiving { operation: Operation::new(site.into().of_a_receive()), fields: &[] }
}

/// Begins the span of a settlement: `ack`, `nack`, `commit` (conventions, "Settle"). Its name is what
/// the operation is called. An `Err` makes it an error, whatever else the settlement may yield.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use throughline::Traced;
///
/// async fn acknowledge() -> Result<(), std::io::Error> {
///     Ok(()) // tell the broker
/// }
///
/// let order = Traced::new(7);
/// let told = throughline::settle("ack").destination("orders").run(&order, acknowledge()).await;
/// # assert!(told.is_ok());
/// # }
/// ```
pub fn settle(site: impl Into<Site>) -> Settling<'static> {
    let operation = Operation::new(site.into().of_a_settle());
    Settling { operation, is_settlement: true, fields: &[] }
}

/// A poll's span that is being described: see [`receive`].
#[derive(Debug)]
#[must_use = "nothing happens until it is run"]
pub struct Receiving<'a> {
    operation: Operation,
    fields: &'a [(&'static str, FieldValue<'a>)],
}

/// A settlement's span that is being described: see [`settle`].
#[derive(Debug)]
#[must_use = "nothing happens until it is run"]
pub struct Settling<'a> {
    operation: Operation,
    is_settlement: bool,
    fields: &'a [(&'static str, FieldValue<'a>)],
}

impl<'a> Receiving<'a> {
    crate::operation::setters!();
    crate::operation::setters_of_a_consumer!();

    /// The user's own fields, by the names and in the order of the [`Site`].
    pub fn fields<'b>(self, fields: &'b [(&'static str, FieldValue<'b>)]) -> Receiving<'b>
    where
        'a: 'b,
    {
        Receiving { fields, ..self }
    }

    /// Polls inside the span, which starts when the returned future is first polled. The fields are
    /// those of now.
    pub fn run<K, F>(self, poll: F) -> impl Future<Output = F::Output>
    where
        F: Future<Output: Polled<K>>,
    {
        let Self { operation, fields } = self;
        let fields = Plain::all(fields);
        async move {
            let known = Known::of(&operation, &fields);
            let mut span =
                Receiving { operation, fields: &Plain::as_fields(&fields) }.draft().start();
            let brought = span.run(poll).await;
            known.tell_the_rest(&mut span, &brought);
            span.finish(Outcome::of_anything(&brought));
            brought
        }
    }

    /// Polls inside the span.
    ///
    /// ```
    /// use throughline::Traced;
    /// # let (orders, queue) = std::sync::mpsc::channel();
    /// # orders.send(Traced::new(7)).unwrap();
    ///
    /// let order = throughline::receive("poll").destination("orders").run_sync(|| queue.recv());
    /// # assert!(order.is_ok());
    /// ```
    pub fn run_sync<K, R: Polled<K>>(self, poll: impl FnOnce() -> R) -> R {
        let known = Known::of(&self.operation, &Plain::all(self.fields));
        let mut span = self.draft().start();
        let brought = span.run_sync(poll);
        known.tell_the_rest(&mut span, &brought);
        span.finish(Outcome::of_anything(&brought));
        brought
    }

    fn draft(self) -> Draft<'a> {
        draft(self.operation, kind::RECEIVE, None, self.fields)
    }
}

impl<'a> Settling<'a> {
    crate::operation::setters!();
    crate::operation::setters_of_a_consumer!();

    /// What is told to the broker settles nothing yet, such as that more time is needed: `modack`,
    /// `in_progress`. The span is the same but for `messaging.operation.type`, which knows no such
    /// operation.
    ///
    /// ```
    /// let order = throughline::Traced::new(7);
    /// throughline::settle("in_progress").unsettled().run_sync(&order, || ());
    /// ```
    pub fn unsettled(mut self) -> Self {
        self.is_settlement = false;
        self
    }

    /// The user's own fields, by the names and in the order of the [`Site`].
    pub fn fields<'b>(self, fields: &'b [(&'static str, FieldValue<'b>)]) -> Settling<'b>
    where
        'a: 'b,
    {
        Settling { fields, ..self }
    }

    /// Settles `messages`, one or a batch, inside the span, which starts when the returned future is
    /// first polled. The messages are read now, and the fields are those of now.
    pub fn run<K, M, F>(
        self,
        messages: &M,
        settle: F,
    ) -> impl Future<Output = F::Output> + use<K, M, F>
    where
        M: Receive<K> + ?Sized,
        F: Future,
    {
        let Self { mut operation, is_settlement, fields } = self;
        let fields = Plain::all(fields);
        let said = mem::take(&mut operation.said);
        let received = Received::of(messages, &WANTED, said).into_owned();
        async move {
            let mut span = {
                let fields = &Plain::as_fields(&fields);
                Settling { operation, is_settlement, fields }.draft(received).start()
            };
            let settled = span.run(settle).await;
            span.finish(Outcome::of_anything(&settled));
            settled
        }
    }

    /// Settles `messages`, one or a batch, inside the span.
    ///
    /// ```
    /// use throughline::Traced;
    /// let orders = [Traced::new(1), Traced::new(2)];
    /// throughline::settle("commit").destination("orders").run_sync(&orders[..], || ());
    /// ```
    pub fn run_sync<K, M, R>(mut self, messages: &M, settle: impl FnOnce() -> R) -> R
    where
        M: Receive<K> + ?Sized,
    {
        let said = mem::take(&mut self.operation.said);
        let mut span = self.draft(Received::of(messages, &WANTED, said)).start();
        let settled = span.run_sync(settle);
        span.finish(Outcome::of_anything(&settled));
        settled
    }

    fn draft(self, about: Received<'_>) -> Draft<'a> {
        let Self { operation, is_settlement, fields } = self;
        let mut draft = draft(operation, kind::SETTLE, Some(about), fields);
        if !is_settlement {
            draft
                .description
                .attributes
                .retain(|attribute| attribute.key.as_str() != key::OPERATION_TYPE);
            #[cfg(feature = "metrics")]
            if let Some(measured) = &mut draft.measured {
                measured.has_no_type();
            }
        }
        draft
    }
}

const WANTED: Wanted<'static> = Wanted { max_links: MAX_LINKS, headers: None };

/// The span of an operation that may know its messages already.
fn draft<'a>(
    mut operation: Operation,
    operation_type: &'static str,
    about: Option<Received<'_>>,
    fields: &'a [(&'static str, FieldValue<'a>)],
) -> Draft<'a> {
    let mut about = about.unwrap_or_else(Received::none);
    about.facts.overrule(mem::take(&mut operation.said));
    // What is settled is called by what is done: `ack orders`.
    let default = match operation_type {
        kind::SETTLE => operation.site.function(),
        other => other,
    };
    let names = operation.names(default, about.facts.destination_for_a_name());
    // What a poll brings is not there yet.
    #[cfg(feature = "metrics")]
    let measured = Measured::new(operation_type, names.operation.clone(), &about.facts, 0);
    let mut attributes = attribute_list(names.operation, [(key::OPERATION_TYPE, operation_type)]);
    attributes.extend(operation::function(operation.site));
    about.facts.add_attributes(&mut attributes, operation_type);
    attributes.extend(left_out(about.distinct_origins(), MAX_LINKS));
    attributes.extend(about.batch_size().map(|size| count(key::BATCH_MESSAGE_COUNT, size)));
    let links = about.take_links_to_origins(operation_type, MAX_LINKS);
    Draft {
        site: operation.site,
        maker: Maker::of(operation.site, operation.enabled),
        failure_event: operation.failure_event,
        description: Description { name: names.span, kind: SpanKind::Client, links, attributes },
        parent: current_context(),
        lineage: Lineage::Contextual,
        fields,
        running: Running::default(),
        #[cfg(feature = "metrics")]
        measured: Some(Box::new(measured)),
    }
}

/// What a poll's span has told before the messages were there: a second time it would be exported
/// twice.
struct Known {
    said: Said,
    told: Vec<Key>,
}

impl Known {
    fn of(operation: &Operation, fields: &[(&'static str, Plain)]) -> Self {
        let said = operation.said.clone();
        let mut facts = Agreement::default();
        facts.overrule(said.clone());
        let told = facts.attributes(kind::RECEIVE).into_iter().map(|told| told.key);
        let told = told.chain(fields.iter().map(|(name, _)| Key::from_static_str(name))).collect();
        Self { said, told }
    }

    fn tell_the_rest<K>(&self, span: &mut ActiveSpan, brought: &impl Polled<K>) {
        let Some(mut received) = brought.polled(WANTED, self.said.clone()) else { return };
        let links = received.take_links_to_origins(kind::RECEIVE, MAX_LINKS);
        let mut attributes = received.facts.attributes(kind::RECEIVE);
        attributes.extend(left_out(received.distinct_origins(), MAX_LINKS));
        attributes.extend(received.batch_size().map(|size| count(key::BATCH_MESSAGE_COUNT, size)));
        attributes.retain(|attribute| !self.told.contains(&attribute.key));
        span.add(links, attributes);
        #[cfg(feature = "metrics")]
        if let Some(measured) = span.measured() {
            measured.bring(&received.facts, received.messages());
        }
    }
}
