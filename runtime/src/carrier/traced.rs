//! A payload and the context it was made in, for channels within a process.

use std::ops::{Deref, DerefMut};

use super::{Facts, HeaderReader, Message, MessageMut, Notes, TraceContext, now};

/// A payload together with the trace context of the place where it was made: what to send through
/// a `tokio`, `flume`, `async-channel` or `std` channel.
///
/// ```
/// use throughline::Traced;
///
/// let (orders, handler) = std::sync::mpsc::channel::<Traced<String>>();
/// orders.send(Traced::new("two lemons".to_owned()))?;
///
/// let order = handler.recv()?;
/// assert_eq!(order.len(), 10); // reads as the payload
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
pub struct Traced<T> {
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "TraceContext::is_empty"))]
    context: TraceContext,
    payload: T,
}

impl<T> Traced<T> {
    /// Wraps `payload` with the context that is active here.
    ///
    /// ```
    /// let order = throughline::Traced::new(3);
    /// assert_eq!(*order, 3);
    /// ```
    pub fn new(payload: T) -> Self {
        let mut context = TraceContext::current();
        if !context.is_empty() {
            // A channel does not tell when something was sent.
            context = context.with_notes(Notes { sent: now(), ..Notes::default() });
        }
        Self::with_context(payload, context)
    }

    /// Wraps `payload` with a context of your own choice.
    ///
    /// ```
    /// use throughline::{TraceContext, Traced};
    /// let order = Traced::with_context(3, TraceContext::default());
    /// assert!(order.context().is_empty());
    /// ```
    pub fn with_context(payload: T, context: TraceContext) -> Self {
        Self { context, payload }
    }

    /// The context it carries.
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// The payload alone.
    ///
    /// ```
    /// assert_eq!(throughline::Traced::new(3).into_inner(), 3);
    /// ```
    pub fn into_inner(self) -> T {
        self.payload
    }

    /// Another payload under the same context.
    ///
    /// ```
    /// let order = throughline::Traced::new(3).map(|n| n + 1);
    /// assert_eq!(*order, 4);
    /// ```
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Traced<U> {
        Traced { context: self.context, payload: change(self.payload) }
    }
}

impl<T> Deref for Traced<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.payload
    }
}

impl<T> DerefMut for Traced<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.payload
    }
}

impl<T> Message for Traced<T> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        reader.context(&self.context);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts.own_system(crate::semconv::system::IN_PROCESS);
    }
}

impl<T> MessageMut for Traced<T> {
    fn set_header(&mut self, _: &str, _: &str) {}

    fn remove_header(&mut self, _: &str) {}

    fn set_context(&mut self, context: &TraceContext) -> bool {
        self.context.set_context(context)
    }
}
