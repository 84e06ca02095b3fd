#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod carrier;
mod consumer;
mod operation;
mod outcome;
#[doc(hidden)]
pub mod private;
mod producer;
mod relation;
mod semconv;
mod span;
#[cfg(feature = "testing")]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;

/// Values for the fields of a span: see [`Value`].
pub mod field {
    pub use crate::span::{FieldValue, Value, debug, display, empty, value};
}

pub use carrier::{
    Batch, Facts, HeaderReader, HeaderValue, Message, MessageMut, Repeats, TraceContext, Traced,
};
pub use consumer::{AnyNumber, Consumer, Many, One, Receive, TakenBy, UnstartedSpan, consume};
pub use outcome::{DebuggedFailure, DisplayedFailure, IntoOutcome, Outcome};
pub use producer::{Existing, Producer, produce};
pub use relation::Relation;
pub use span::{ActiveSpan, Run, Site, Value, record};
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use throughline_macros::{async_consumer, async_producer};
