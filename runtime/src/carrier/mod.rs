//! Reading a trace context from a message and writing one into it.

mod agreement;
mod batch;
mod captured;
pub mod clients;
mod context;
pub(crate) mod fact_values;
mod facts;
pub(crate) mod hops;
mod known_facts;
mod maps;
mod message;
mod notes;
mod pointers;
mod propagator;
mod reader;
mod reading;
mod said;
#[cfg(feature = "serde")]
mod serde;
mod traced;

pub(crate) use agreement::Agreement;
pub use batch::{Batch, BatchMut};
pub use context::TraceContext;
pub use facts::Facts;
pub use message::{Message, MessageMut};
pub(crate) use notes::{Notes, age, now};
pub(crate) use propagator::{GlobalPropagator, Propagator, carried, names_an_origin, note};
pub use reader::{HeaderReader, HeaderValue, Repeats};
pub(crate) use reading::{Reading, copied};
pub(crate) use said::Said;
pub use traced::Traced;
