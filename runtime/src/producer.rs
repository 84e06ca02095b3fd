//! A producer's span, and its context written into the message.

use std::borrow::Cow;

use opentelemetry::trace::{Link, SpanContext, SpanKind, TraceContextExt};
use opentelemetry::{Context, KeyValue};

use crate::carrier::{self, Agreement, Facts, MessageMut, Notes, TraceContext};
use crate::operation::Operation;
use crate::outcome::IntoOutcome;
use crate::relation::same_span;
use crate::semconv::{key, operation};
use crate::span::{
    ActiveSpan, Draft, FieldValue, Lineage, Plain, Running, Site, current_context,
    is_origin_of_the_running_handler, running_handler,
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
        operation: Operation::new(site.into()),
        existing: None,
        new_trace: false,
        retry: false,
        fields: &[],
    }
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

    /// Starts the span and writes its context into `message`. Where no span is made, the ambient
    /// context is written all the same.
    pub fn start<M: MessageMut + ?Sized>(self, message: &mut M) -> ActiveSpan {
        let carried = carrier::read(message, &[]).context;
        let existing = carried.span_context();
        let ambient = current_context();
        let keeps = self.keeps(&existing, ambient.span().span_context());
        let notes = self.notes(message, &ambient);
        let has_to_say = self.new_trace || self.retry;
        let mut span = self.draft(message, keeps.then_some(existing), ambient).start();
        if keeps {
            // What somebody chose is left alone unless this producer has something to say itself.
            if has_to_say {
                carrier::note(notes, &carried, message);
            }
            return span;
        }
        let context = TraceContext::detached(&span.context());
        // Where there is nothing to write, only a context that is there has to go.
        if !(context.is_empty() && carried.is_empty()) {
            let notes = if context.is_empty() { Notes::default() } else { notes };
            context.with_notes(notes).write_to(message);
        }
        span
    }

    fn notes<M: MessageMut + ?Sized>(&self, message: &M, ambient: &Context) -> Notes {
        let failed_attempt = self
            .retry
            .then(|| running_handler().unwrap_or_else(|| ambient.span().span_context().clone()));
        Notes {
            sent: if message.tells_when_it_was_sent() { None } else { carrier::now() },
            asks_for_new_trace: self.new_trace,
            failed_attempt: failed_attempt.filter(SpanContext::is_valid).map(Box::new),
        }
    }

    /// Runs the future that `send` makes inside the span, with the message as it is sent. All of it
    /// happens when the returned future is polled; the fields are those of now.
    pub fn run<M, F>(
        self,
        message: &mut M,
        send: impl FnOnce(&mut M) -> F,
    ) -> impl Future<Output = F::Output>
    where
        M: MessageMut + ?Sized,
        F: Future<Output: IntoOutcome>,
    {
        let Self { operation, existing, new_trace, retry, fields } = self;
        // Borrowed fields can't be sent to another thread, where this future may be polled.
        let fields = Plain::all(fields);
        async move {
            let mut span = {
                let fields = &Plain::as_fields(&fields);
                Producer { operation, existing, new_trace, retry, fields }.start(message)
            };
            let sending = span.run_sync(|| send(message));
            let result = span.run(sending).await;
            span.finish(result.outcome());
            result
        }
    }

    /// Runs `send` inside the span, with the message as it is sent.
    pub fn run_sync<M, R>(self, message: &mut M, send: impl FnOnce(&mut M) -> R) -> R
    where
        M: MessageMut + ?Sized,
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

    fn draft<M: MessageMut + ?Sized>(
        self,
        message: &M,
        kept: Option<SpanContext>,
        ambient: Context,
    ) -> Draft<'a> {
        let Self { operation, fields, .. } = self;
        let mut told = Facts::default();
        message.describe(&mut told);
        let mut facts = Agreement::default();
        facts.add(&told);
        facts.overrule(operation.system.clone(), operation.destination.clone());
        let names = operation.names(operation::SEND, facts.destination_for_a_name());
        let mut attributes = vec![
            KeyValue::new(key::OPERATION_NAME, names.operation),
            KeyValue::new(key::OPERATION_TYPE, operation::SEND),
            KeyValue::new(key::FUNCTION_NAME, operation.site.qualified_function),
        ];
        attributes.extend(facts.attributes());
        Draft {
            site: operation.site,
            enabled: operation.enabled,
            failure_event: operation.failure_event,
            name: names.span,
            // Only the span whose context goes into the message is its producer.
            kind: if kept.is_some() { SpanKind::Client } else { SpanKind::Producer },
            parent: ambient,
            lineage: Lineage::Contextual,
            links: kept.into_iter().map(Link::with_context).collect(),
            attributes,
            fields,
            running: Running::default(),
        }
    }
}
