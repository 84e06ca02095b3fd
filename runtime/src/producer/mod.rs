//! A producer's span, and its context written into the message.

mod publish;

use std::borrow::Cow;
use std::mem;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanKind, TraceContextExt};

use crate::carrier::{Notes, Propagator, TraceContext};
#[cfg(feature = "metrics")]
use crate::metrics::Measured;
use crate::operation::{Operation, attribute_list, count, left_out};
use crate::outcome::IntoOutcome;
use crate::relation::{MAX_LINKS, same_span};
use crate::semconv::{key, operation};
pub use publish::Publish;
use publish::{Carried, Look, Seen, Writing};

use crate::span::{
    ActiveSpan, Description, Draft, FieldValue, Lineage, Maker, NoSpan, Plain, Running, Site,
    current_context, is_origin_of_the_running_handler, running_handler,
};

/// Begins a producer's span without a macro.
///
/// ```
/// use std::collections::HashMap;
///
/// let mut headers = HashMap::<String, String>::new();
/// let sent: Result<(), std::fmt::Error> = throughline::produce("publish_order")
///     .destination("orders")
///     .run_sync(&mut headers, |headers| {
///         // hand them to the broker's client
///         let _ = headers;
///         Ok(())
///     });
/// # assert!(sent.is_ok());
/// ```
pub fn produce(site: impl Into<Site>) -> Producer<'static> {
    Producer {
        operation: Operation::new(site.into().of_a_send()),
        is_creation: false,
        existing: None,
        new_trace: false,
        retry: false,
        fields: &[],
    }
}

/// Begins the span of a message's creation, apart from its sending: for messages that are sent
/// together later and are to be told apart (conventions, "Create"). A message that carries a chosen
/// context already gets no such span.
///
/// ```
/// use throughline::{Outcome, Traced};
///
/// let mut orders = vec![Traced::new(1), Traced::new(2)];
/// for order in &mut orders {
///     throughline::create("new_order").destination("orders").run_sync(order, |_| ());
/// }
/// // Of kind CLIENT, with a link to each creation:
/// let span = throughline::produce("publish").destination("orders").start(&mut orders);
/// span.finish(Outcome::ok());
/// ```
pub fn create(site: impl Into<Site>) -> Producer<'static> {
    let mut creation = produce("");
    creation.operation = Operation::new(site.into().of_a_create());
    creation.is_creation = true;
    creation
}

/// What to do with a context that a message carries already when it is sent.
///
/// Unless told, one that somebody chose is kept, and one that was only captured or forwarded (the
/// ambient span's, or an origin of the running handler) is replaced.
///
/// ```
/// use throughline::{Existing, TraceContext, Traced};
///
/// let mut order = Traced::with_context("two lemons", TraceContext::default());
/// let span = throughline::produce("publish").existing(Existing::Replace).start(&mut order);
/// span.finish(throughline::Outcome::ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Existing {
    /// It stays in the message, and the producer's span links to it.
    Keep,
    /// The producer's own is written in its place.
    Replace,
}

/// A producer's span that is being described: see [`produce`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let mut headers: Vec<(String, String)> = Vec::new();
/// let sent: Result<usize, std::fmt::Error> = throughline::produce("publish_order")
///     .system("kafka")
///     .destination("orders")
///     .operation("publish")
///     .run(&mut headers, |headers| {
///         let count = headers.len();
///         async move { Ok(count) } // hand them to the broker's client
///     })
///     .await;
/// assert_eq!(sent, Ok(0)); // nothing is traced here, so nothing is written
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing happens until it is started or run"]
pub struct Producer<'a> {
    operation: Operation,
    is_creation: bool,
    existing: Option<Existing>,
    new_trace: bool,
    retry: bool,
    fields: &'a [(&'static str, FieldValue<'a>)],
}

impl<'a> Producer<'a> {
    crate::operation::setters!();

    /// The user's own fields, by the names and in the order of the [`Site`].
    pub fn fields<'b>(self, fields: &'b [(&'static str, FieldValue<'b>)]) -> Producer<'b>
    where
        'a: 'b,
    {
        Producer { fields, ..self }
    }

    /// What to do with a context that the message carries already.
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = Some(existing);
        self
    }

    /// Asks whoever handles the message for a new trace, also under `continue`: for what is delayed,
    /// scheduled or sent to many.
    ///
    /// ```
    /// use throughline::{Outcome, Traced};
    /// let mut reminder = Traced::new("the offer ends today");
    /// let span = throughline::produce("schedule").new_trace(true).start(&mut reminder);
    /// span.finish(Outcome::ok());
    /// ```
    pub fn new_trace(mut self, new_trace: bool) -> Self {
        self.new_trace = new_trace;
        self
    }

    /// The message is sent again because an attempt to handle it failed. It keeps its origin, and
    /// the next attempt's span links to this one's.
    ///
    /// ```
    /// use throughline::{Outcome, Traced};
    /// fn handle_again_later(mut order: Traced<u32>) {
    ///     let span = throughline::produce("retry_later").retry(true).start(&mut order);
    ///     // put it back into the queue
    ///     span.finish(Outcome::ok());
    /// }
    /// # handle_again_later(Traced::new(7));
    /// ```
    pub fn retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }

    /// Starts the span and writes its context into `message`, or into every message of a batch.
    /// Where no span is made, the ambient context is written all the same.
    pub fn start<K, M>(mut self, message: &mut M) -> ActiveSpan
    where
        M: Publish<K> + ?Sized,
    {
        let said = mem::take(&mut self.operation.said);
        let ambient = current_context();
        let propagator = Propagator::current();
        let mut carried = Carried::default();
        let mut seen = Seen::default();
        let mut look = Look {
            propagator,
            keeps: &|existing| self.keeps(existing, ambient.span().span_context()),
            has_to_say: self.new_trace || self.retry,
            carried: &mut carried,
            seen: &mut seen,
        };
        message.look(said, &mut look);
        let notes = self.notes(&ambient);
        let mut span = self.start_span(&mut seen, M::IS_BATCH, ambient);
        drop(seen); // what it knows is the message's
        message.write(&mut Writing {
            propagator,
            carried: &mut carried,
            context: TraceContext::live(span.context()).with_notes(notes),
        });
        span
    }

    fn notes(&self, ambient: &Context) -> Notes {
        let failed_attempt = self
            .retry
            .then(|| running_handler().unwrap_or_else(|| ambient.span().span_context().clone()));
        Notes {
            sent: None,
            asks_for_new_trace: self.new_trace,
            failed_attempt: failed_attempt.filter(SpanContext::is_valid).map(Box::new).into(),
        }
    }

    /// Runs the future that `send` makes inside the span, with the message as it is sent. All of it
    /// happens when the returned future is polled; the fields are those of now.
    pub fn run<K, M, F>(
        self,
        message: &mut M,
        send: impl FnOnce(&mut M) -> F,
    ) -> impl Future<Output = F::Output>
    where
        M: Publish<K> + ?Sized,
        F: Future<Output: IntoOutcome>,
    {
        let Self { operation, is_creation, existing, new_trace, retry, fields } = self;
        // Borrowed fields can't be sent to another thread, where this future may be polled.
        let fields = Plain::all(fields);
        async move {
            let mut span = {
                let fields = &Plain::as_fields(&fields);
                Producer { operation, is_creation, existing, new_trace, retry, fields }
                    .start(message)
            };
            let sending = span.run_sync(|| send(message));
            let result = span.run(sending).await;
            span.finish(result.outcome());
            result
        }
    }

    /// Runs `send` inside the span, with the message as it is sent.
    pub fn run_sync<K, M, R>(self, message: &mut M, send: impl FnOnce(&mut M) -> R) -> R
    where
        M: Publish<K> + ?Sized,
        R: IntoOutcome,
    {
        let mut span = self.start(message);
        let result = span.run_sync(|| send(message));
        span.finish(result.outcome());
        result
    }

    fn keeps(&self, existing: &SpanContext, ambient: &SpanContext) -> bool {
        if !existing.is_valid() {
            return false;
        }
        let was_not_chosen =
            || same_span(existing, ambient) || is_origin_of_the_running_handler(existing);
        match self.existing {
            Some(existing) => existing == Existing::Keep,
            None => self.retry || !was_not_chosen(),
        }
    }

    fn start_span(&self, seen: &mut Seen<'_>, is_batch: bool, ambient: Context) -> ActiveSpan {
        let Self { operation, fields, .. } = self;
        let Operation { site, failure_event, .. } = *operation;
        let operation_type = if self.is_creation { operation::CREATE } else { operation::SEND };
        // Only a span whose context goes into a message is its producer.
        let is_client = seen.messages > 0 && seen.messages_kept == seen.messages;
        // A message that has a context needs none made for it.
        let is_done_already = self.is_creation && is_client;
        #[cfg(feature = "metrics")]
        let measured = (!is_done_already).then(|| Box::new(self.measured(seen, operation_type)));
        let maker = Maker::of(site, operation.enabled && !is_done_already);
        if let Maker::Nobody(way) = maker {
            return NoSpan {
                way,
                site,
                failure_event,
                parent: ambient,
                running: Running::default(),
                #[cfg(feature = "metrics")]
                measured,
            }
            .start();
        }
        let names = operation.names(operation_type, seen.facts.destination_for_a_name());
        let function = (key::FUNCTION_NAME, site.qualified_function());
        let mut attributes =
            attribute_list(names.operation, [(key::OPERATION_TYPE, operation_type), function]);
        seen.facts.add_attributes(&mut attributes, operation_type);
        let is_counted = is_batch && !self.is_creation;
        attributes.extend(is_counted.then(|| count(key::BATCH_MESSAGE_COUNT, seen.messages)));
        attributes.extend(left_out(seen.distinct_kept(), MAX_LINKS));
        Draft {
            site,
            maker,
            failure_event,
            description: Description {
                name: names.span,
                kind: if is_client { SpanKind::Client } else { SpanKind::Producer },
                links: seen.take_links(operation_type),
                attributes,
            },
            parent: ambient,
            lineage: Lineage::Contextual,
            fields,
            running: Running::default(),
            #[cfg(feature = "metrics")]
            measured,
        }
        .start()
    }

    #[cfg(feature = "metrics")]
    fn measured(&self, seen: &Seen<'_>, operation_type: &'static str) -> Measured {
        let has_destination = seen.facts.destination_for_a_name().is_some();
        let operation_name = self.operation.verb(operation_type, has_destination);
        Measured::new(operation_type, operation_name, &seen.facts, seen.messages)
    }
}
