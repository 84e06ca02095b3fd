//! What a handler receives and a producer sends.

use super::{Facts, HeaderReader};

/// Something whose trace context and facts can be read: what a handler receives.
///
/// For your own message type, derive it and mark the fields:
///
/// ```
/// # #[cfg(feature = "macros")] {
/// use throughline::Message;
///
/// #[derive(Message)]
/// #[message(destination = "jobs")]
/// struct Job {
///     #[message(id)]
///     id: u64,
///     #[message(headers)]
///     headers: Vec<(String, Vec<u8>)>,
/// }
/// # }
/// ```
///
/// Or implement it by pushing the headers it has into the reader, in one pass. Only what bears on
/// tracing is kept; the rest costs a comparison each.
///
/// ```
/// use throughline::{Facts, HeaderReader, Message};
///
/// struct Job {
///     id: u64,
///     headers: Vec<(String, Vec<u8>)>,
/// }
///
/// impl Message for Job {
///     fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
///         for (name, value) in &self.headers {
///             reader.header(name, value.as_slice());
///         }
///     }
///
///     fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
///         facts.destination("jobs").id(self.id.to_string());
///     }
/// }
///
/// let job = Job {
///     id: 7,
///     headers: vec![(
///         "traceparent".into(),
///         b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_vec(),
///     )],
/// };
/// assert!(!throughline::TraceContext::read_from(&job).is_empty());
/// ```
///
/// It is implemented for [`Traced`](crate::Traced), [`TraceContext`](crate::TraceContext), maps of
/// strings, slices and vectors of pairs, and for what points to a message. No tuple is ever a
/// message, so that a vector of pairs can be one and a vector of messages a
/// [`Batch`](crate::Batch).
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not carry trace context",
    label = "no headers can be read from this type",
    note = "for a type of your own, derive or implement `throughline::Message`, or wrap the payload in `throughline::Traced<T>` where it is sent",
    note = "for a broker client's message type, enable throughline's feature for that client",
    note = "where the headers are only a part of the arguments, point at them: `from = &arg.headers`"
)]
pub trait Message {
    /// Pushes every header the message has into `reader`.
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>);

    /// Whether there is a message at all: `None` is a message that is not there.
    #[doc(hidden)]
    fn is_there(&self) -> bool {
        true
    }

    /// Says what the message knows about itself: destination, id, size in bytes, and so on.
    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let _ = facts;
    }
}

/// A message whose headers can be written: what a producer sends.
///
/// For your own message type, derive it beside [`Message`], or implement it.
///
/// Names arrive in lower case. Writing replaces: a header of that name in any other casing is
/// gone afterwards. An empty value is never written.
///
/// ```
/// use std::collections::HashMap;
/// use throughline::MessageMut;
///
/// let mut headers = HashMap::from([("Traceparent".to_owned(), "old".to_owned())]);
/// headers.set_header("traceparent", "new");
/// assert_eq!(headers, HashMap::from([("traceparent".to_owned(), "new".to_owned())]));
/// ```
#[diagnostic::on_unimplemented(
    message = "trace context can't be written into `{Self}`",
    label = "no headers can be written to this type",
    note = "for a type of your own, derive or implement `throughline::MessageMut`, or send a `throughline::Traced<T>`",
    note = "for a broker client's message type, enable throughline's feature for that client",
    note = "where the headers are only a part of the arguments, point at them: `into = &mut arg.headers`",
    note = "several messages are published one by one: each has a context of its own"
)]
pub trait MessageMut: Message {
    /// Sets the header `name` (lower case) to `value`, in place of every casing of it.
    fn set_header(&mut self, name: &str, value: &str);

    /// Removes the header `name` in every casing.
    fn remove_header(&mut self, name: &str);

    /// Whether the message, with all that it holds, can take the header `name` as well: `false` where
    /// the protocol limits how many there may be, how large they are or what is in them, and this
    /// one would make the send fail.
    ///
    /// A producer asks before each [`set_header`](Self::set_header), when what is to be replaced is
    /// gone already, and writes in this order: what names the span (`traceparent`, or the headers of
    /// the application's propagator), `throughline-break`, `throughline-attempt`, `tracestate`,
    /// `baggage`, `throughline-sent`. So the last are left out first; and without what names the
    /// span nothing is written at all.
    ///
    /// ```
    /// use throughline::{HeaderReader, Message, MessageMut, TraceContext};
    ///
    /// /// A protocol that allows values of up to 255 bytes.
    /// struct Short(Vec<(String, String)>);
    ///
    /// # impl Message for Short {
    /// #     fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) { self.0.headers(reader) }
    /// # }
    /// impl MessageMut for Short {
    ///     fn can_set_header(&self, _: &str, value: &str) -> bool {
    ///         value.len() <= 255
    ///     }
    /// #     fn set_header(&mut self, name: &str, value: &str) { self.0.set_header(name, value) }
    /// #     fn remove_header(&mut self, name: &str) { self.0.remove_header(name) }
    ///     // ..
    /// }
    ///
    /// let sender = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
    /// let headers = [("traceparent", sender), ("baggage", format!("cart={}", "x".repeat(300)))];
    /// let mut message = Short(Vec::new());
    /// TraceContext::read_from(&headers).write_to(&mut message);
    /// assert_eq!(message.0.len(), 1); // without the baggage
    /// ```
    fn can_set_header(&self, name: &str, value: &str) -> bool {
        let _ = (name, value);
        true
    }

    /// Whether the protocol itself tells the receiver when the message was sent.
    ///
    /// Where it does not, the default, a producer writes the header `throughline-sent`, so that the
    /// receiver can know the message's age.
    fn tells_when_it_was_sent(&self) -> bool {
        false
    }

    /// Takes a whole context where the message keeps one as it is, instead of headers.
    ///
    /// Answers `false`, the default, where only headers can be written.
    fn set_context(&mut self, context: &crate::TraceContext) -> bool {
        let _ = context;
        false
    }
}
