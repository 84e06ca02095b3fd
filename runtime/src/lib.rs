#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod carrier;
mod client;
mod consumer;
mod diagnosis;
mod fault;
#[cfg(feature = "fmt")]
#[cfg_attr(docsrs, doc(cfg(feature = "fmt")))]
pub mod fmt;
#[cfg(feature = "metrics")]
mod metrics;
mod operation;
mod outcome;
#[doc(hidden)]
pub mod private;
mod process;
mod producer;
pub mod propagation;
mod rare;
mod relation;
#[cfg(feature = "sampler")]
#[cfg_attr(docsrs, doc(cfg(feature = "sampler")))]
pub mod sampler;
mod semconv;
mod span;
mod tally;
mod task;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;

/// Values for the facts of a message: what a field has to be for [`Facts`] to be told by it.
///
/// ```
/// use throughline::{Facts, fact};
///
/// struct Job {
///     number: u64,
///     customer: Option<String>,
/// }
///
/// fn describe<'m>(job: &'m Job, facts: &mut Facts<'m>) {
///     if let Some(number) = fact::text(&job.number) {
///         facts.id(number);
///     }
///     if let Some(customer) = fact::text(&job.customer) {
///         facts.conversation_id(customer);
///     }
/// }
/// # let _ = describe;
/// ```
pub mod fact {
    pub use crate::carrier::fact_values::{
        Always, AttributeValue, Body, Count, Displayed, Sometimes, Text, Time, count, display,
        size, text, time, unix_ms,
    };
}

/// Values for the fields of a span: see [`Value`].
pub mod field {
    pub use crate::span::{FieldValue, Value, debug, display, empty, value};
}

pub use carrier::clients;
pub use carrier::{
    Batch, BatchMut, Facts, HeaderReader, HeaderValue, Message, MessageMut, Repeats, TraceContext,
    Traced,
};
pub use client::{Polled, Receiving, Settling, receive, settle};
pub use consumer::{
    AnyNumber, Consumer, Many, One, Receive, TakenBy, UnstartedSpan, consume,
    handled_by_current_span,
};
pub use diagnosis::{Diagnosis, diagnose};
pub use fault::Fault;
pub use outcome::{DebuggedFailure, DisplayedFailure, IntoOutcome, Outcome};
pub use process::Step;
pub use producer::{Existing, Producer, Publish, create, produce};
pub use relation::Relation;
pub use span::{ActiveSpan, ProviderInUse, Run, Site, Value, record, use_provider};
pub use task::{RunTask, Task, TaskFn, TaskFuture, task};
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use throughline_macros::{Message, MessageMut, async_consumer, async_producer, async_task};
