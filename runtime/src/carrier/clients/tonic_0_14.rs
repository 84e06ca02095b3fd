//! Messages that come and go by gRPC, with [`tonic`](https://docs.rs/tonic) 0.14: services that take jobs or
//! events, and sidecars that deliver them. Feature `tonic-0_14`.
//!
//! # What is read and written
//!
//! The ASCII entries of [`MetadataMap`], and so those of [`Request<T>`](Request) and
//! [`Response<T>`](Response) of any message. Binary entries, whose keys end in `-bin`, are neither read nor
//! written. An entry that is there several times counts if all are equal; `tracestate` and `baggage` are lists
//! and are joined.
//!
//! Written are the context's entries, each in place of all of its key. What gRPC does not allow as a key or a
//! value is left out: a call never fails for telemetry. Many servers refuse more than 8 KiB of metadata, so a
//! sender of much baggage keeps some back itself.
//!
//! # What a request tells
//!
//! Nothing besides: gRPC knows no queue and no message's id. The handler says what is so, by `system`,
//! `destination` and `fields(messaging.message.id = ..)`. The age is known where throughline sent the request,
//! by its entry `throughline-sent`. Polls and settlements that are calls themselves have no type of their own
//! here: `throughline::receive("pull").run(..)` asks for what came, not for its [`Status`](tonic::Status).
//!
//! # Which relation
//!
//! A layer around the server makes a span of kind SERVER for the call, and the method runs inside it: that is
//! the *ambient span*. The four relations are those of [webhooks](crate::clients::http_1#which-relation):
//! `link, nested` below the server's span, `ignore` where senders are not trusted. A plain call, which is
//! answered when its work is done, needs none of this: the server's span is enough.
//!
//! # An example
//!
//! ```
//! # #[cfg(feature = "macros")] {
//! use throughline::{async_consumer, async_producer};
//! use tonic::{Request, Response, Status};
//!
//! struct Order;
//!
//! /// The sender: the request carries the context of its span, `send orders`.
//! #[async_producer(system = "shop_queue", destination = "orders")]
//! async fn push(request: Request<Order>) -> Result<Response<()>, Status> {
//!     // `client.push(request).await`
//!     Ok(Response::new(()))
//! }
//!
//! struct Orders;
//!
//! // A method of a service, as tonic's traits have it, under `#[tonic::async_trait]`.
//! impl Orders {
//!     /// The receiver: the span `process orders`.
//!     #[async_consumer(link, nested, system = "shop_queue", destination = "orders")]
//!     async fn push(&self, request: Request<Order>) -> Result<Response<()>, Status> {
//!         Ok(Response::new(()))
//!     }
//! }
//! # let _ = (push, Orders::push);
//! # }
//! ```

use ::http::HeaderMap;
use tonic::metadata::{KeyAndValueRef, MetadataMap};
use tonic::{Request, Response};

use crate::{HeaderReader, Message, MessageMut};

impl Message for MetadataMap {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        for entry in self.iter() {
            if let KeyAndValueRef::Ascii(key, value) = entry {
                reader.header(key.as_str(), value.as_encoded_bytes());
            }
        }
    }
}

/// A key or a value that gRPC does not allow is left out: a call never fails for telemetry.
impl MessageMut for MetadataMap {
    fn set_header(&mut self, name: &str, value: &str) {
        if !is_binary(name) {
            AsMut::<HeaderMap>::as_mut(self).set_header(name, value);
        }
    }

    fn remove_header(&mut self, name: &str) {
        if !is_binary(name) {
            AsMut::<HeaderMap>::as_mut(self).remove_header(name);
        }
    }
}

/// A binary entry's value is Base64 on the wire, and nothing but bytes behind that.
fn is_binary(name: &str) -> bool {
    name.ends_with("-bin")
}

macro_rules! message_with_metadata {
    ($($message:ident),+) => {$(
        impl<T> Message for $message<T> {
            fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
                self.metadata().headers(reader);
            }
        }

        impl<T> MessageMut for $message<T> {
            fn set_header(&mut self, name: &str, value: &str) {
                self.metadata_mut().set_header(name, value);
            }

            fn remove_header(&mut self, name: &str) {
                self.metadata_mut().remove_header(name);
            }
        }
    )+};
}

message_with_metadata!(Request, Response);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceContext;
    use tonic::metadata::MetadataValue;

    const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const OTHER: &str = "00-1af7651916cd43dd8448eb211c80319c-c7ad6b7169203331-01";

    fn context() -> TraceContext {
        TraceContext::read_from(&[("traceparent", SENT), ("tracestate", "a=1"), ("baggage", "b=2")])
    }

    fn text<'m>(metadata: &'m MetadataMap, key: &str) -> Option<&'m str> {
        metadata.get(key).and_then(|value| value.to_str().ok())
    }

    #[test]
    fn a_request_carries_a_context_beside_its_own_metadata() {
        let mut request = Request::new(7);
        request.metadata_mut().insert("tenant", MetadataValue::from_static("acme"));
        context().write_to(&mut request);
        let metadata = request.metadata();
        assert_eq!(text(metadata, "traceparent"), Some(SENT));
        assert_eq!(text(metadata, "tracestate"), Some("a=1"));
        assert_eq!(text(metadata, "baggage"), Some("b=2"));
        assert_eq!(text(metadata, "tenant"), Some("acme"));
        assert_eq!(TraceContext::read_from(&request), context());
    }

    #[test]
    fn a_context_replaces_all_of_the_one_that_was_there() {
        let mut response = Response::new(());
        for value in [OTHER, SENT] {
            response.metadata_mut().append("traceparent", value.parse().expect("a value"));
        }
        response.metadata_mut().append("baggage", MetadataValue::from_static("stale=1"));
        TraceContext::read_from(&[("traceparent", SENT)]).write_to(&mut response);
        assert_eq!(response.metadata().get_all("traceparent").iter().count(), 1);
        assert_eq!(text(response.metadata(), "traceparent"), Some(SENT));
        assert_eq!(response.metadata().len(), 1);
    }

    #[test]
    fn repeated_entries_count_if_they_are_equal() {
        let mut metadata = MetadataMap::new();
        metadata.append("traceparent", MetadataValue::from_static(SENT));
        metadata.append("traceparent", MetadataValue::from_static(SENT));
        assert!(!TraceContext::read_from(&metadata).is_empty());
        metadata.append("traceparent", MetadataValue::from_static(OTHER));
        assert!(TraceContext::read_from(&metadata).is_empty());
    }

    #[test]
    fn binary_entries_are_neither_read_nor_written() {
        let mut metadata = MetadataMap::new();
        metadata.insert_bin("traceparent-bin", MetadataValue::from_bytes(SENT.as_bytes()));
        metadata.set_header("note-bin", "AAAA");
        metadata.remove_header("traceparent-bin");
        assert_eq!(metadata.len(), 1);
        let capture = ["traceparent-bin"];
        let mut reading = crate::carrier::Reading::default();
        crate::carrier::Propagator::current().read(&metadata, &capture, &mut reading);
        assert!(!reading.origin().is_valid() && !reading.unreadable);
        let mut facts = crate::Facts::default();
        reading.add_to(&mut facts);
        assert!(facts.is_empty(), "{facts:?}");
    }

    #[test]
    fn junk_counts_as_no_context_and_is_not_written() {
        let mut metadata = MetadataMap::new();
        let opaque = MetadataValue::try_from(&b"00-\xff"[..]).expect("opaque bytes");
        metadata.insert("traceparent", opaque);
        assert!(TraceContext::read_from(&metadata).is_empty());
        metadata.set_header("not a key", "1");
        metadata.set_header("note", "line\nbreak");
        assert_eq!(metadata.len(), 1);
    }
}
