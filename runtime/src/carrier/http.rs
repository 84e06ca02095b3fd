//! HTTP headers: webhooks, push delivery, and clients that reuse the type.

use ::http::header::{HeaderMap, HeaderName};

use super::{HeaderReader, Message, MessageMut};

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
            self.insert(name, value);
        }
    }

    fn remove_header(&mut self, name: &str) {
        self.remove(name);
    }
}
