//! Messages that come and go by HTTP, with the crate [`http`](https://docs.rs/http) 1: webhooks, push
//! delivery (Google Pub/Sub, Amazon SNS, Azure Event Grid, Knative), and clients that reuse its header map.
//! Feature `http-1`.
//!
//! # What is read and written
//!
//! [`HeaderMap`], [`Request<B>`](Request) and [`Response<B>`](Response) of any body. Header names have no
//! case. A header that is there several times counts if all are equal; `tracestate` and `baggage` are lists
//! and are joined. A value that is not UTF-8 is none.
//!
//! Written are the context's headers, each in place of all of its name. What HTTP does not allow as a name or
//! a value is left out: a send never fails for telemetry. Many servers refuse more than 8 KiB of headers, so a
//! sender of much baggage keeps some back itself.
//!
//! # What a request tells
//!
//! Nothing besides: HTTP knows no queue and no message's id. The handler says what is so, by `system`,
//! `destination` and `fields(messaging.message.id = ..)`. The age is known where throughline sent the request,
//! by its header `throughline-sent`; which delivery it is, only from the sender's own header, such as
//! `fields(throughline.message.attempt = ..)`.
//!
//! # Which relation
//!
//! A web framework makes a span of kind SERVER for the request, and the handler runs inside it: that is the
//! *ambient span*. Where the framework's middleware reads `traceparent` as well, it is the sender's child
//! already, and the handler needs no more than `link, nested`.
//!
//! | write | the handler's span |
//! |---|---|
//! | `link, nested` | a child of the server's span, with a link to the sender: what the conventions advise for push delivery |
//! | `continue` | a child of the sender, with links to the sender and to the server's span |
//! | `link` | the root of a trace, with links to the sender and to the server's span |
//! | `ignore` | the root of a trace, with a link to the server's span alone. For senders that are not trusted: anybody on the internet may write headers |
//!
//! # An example
//!
//! ```
//! # #[cfg(feature = "macros")] {
//! use http::{HeaderMap, Request, Response, StatusCode};
//! use throughline::{Outcome, IntoOutcome, async_consumer, async_producer};
//!
//! struct Refused;
//!
//! /// The sender of a webhook: the request carries the context of its span, `send order-placed`.
//! #[async_producer(system = "webhook", destination = "order-placed")]
//! async fn notify(request: Request<String>) -> Result<(), Refused> {
//!     // `client.execute(request.try_into()?).await`
//!     Ok(())
//! }
//!
//! /// The receiver, as any framework that is built on `http` calls it: the span `process order-placed`.
//! #[async_consumer(link, nested, system = "webhook", destination = "order-placed")]
//! async fn order_placed(request: Request<String>) -> Result<StatusCode, Refused> {
//!     Ok(StatusCode::NO_CONTENT)
//! }
//!
//! /// With extractors, as axum has them, say where the headers are.
//! #[async_consumer(ignore, from = headers, destination = "payment-settled")]
//! async fn payment_settled(headers: HeaderMap, body: String) -> StatusCode {
//!     StatusCode::NO_CONTENT
//! }
//! # let _ = (notify, order_placed, payment_settled);
//! # }
//! ```
//!
//! There is nothing to settle: the response's status says it. A poll by HTTP brings a response, which is a
//! message: `throughline::receive("poll").run(client.get(..))`.

use ::http::header::{HeaderMap, HeaderName};
use ::http::{Request, Response};

use crate::{HeaderReader, Message, MessageMut};

impl Message for HeaderMap {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        for (name, value) in self {
            reader.header(name.as_str(), value.as_bytes());
        }
    }
}

/// A name or a value that HTTP does not allow is left out: a send never fails for telemetry.
impl MessageMut for HeaderMap {
    fn set_header(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value.try_into()) {
            let _ = self.try_insert(name, value); // `insert` panics where a map is full
        }
    }

    fn remove_header(&mut self, name: &str) {
        self.remove(name);
    }
}

macro_rules! message_with_headers {
    ($($message:ident),+) => {$(
        impl<B> Message for $message<B> {
            fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
                Message::headers($message::headers(self), reader);
            }
        }

        impl<B> MessageMut for $message<B> {
            fn set_header(&mut self, name: &str, value: &str) {
                self.headers_mut().set_header(name, value);
            }

            fn remove_header(&mut self, name: &str) {
                self.headers_mut().remove_header(name);
            }
        }
    )+};
}

message_with_headers!(Request, Response);
