//! A message on its way to SQS or SNS, and what its attributes may be.
//!
//! Sources: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>,
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html>.

use std::collections::HashMap;

use super::Attribute;

/// How many attributes a message may have. SNS takes more, and a queue with raw delivery never gets
/// such a message.
const ATTRIBUTES: usize = 10;
/// What a message may weigh with all its attributes, in bytes, and what up to ten may that are sent
/// together. SQS allows four times as much, unless the queue says otherwise.
const SIZE: usize = 256 * 1024;
/// The most that W3C Baggage asks to be handed on, in bytes: <https://www.w3.org/TR/baggage/>.
const VALUE: usize = 8192;
/// The most that W3C Trace Context asks to be handed on of a `tracestate`, in bytes.
const SMALL_VALUE: usize = 512;

/// A request whose attributes can be replaced.
pub(in super::super) trait Request {
    type Attribute: WritableAttribute;

    /// How many messages may be sent by one call.
    const SENT_TOGETHER: usize;
    /// What the service allows a message to weigh, in bytes.
    const LARGEST: usize;

    fn attributes(&self) -> Option<&HashMap<String, Self::Attribute>>;

    fn set_attributes(&mut self, attributes: Option<HashMap<String, Self::Attribute>>);

    /// What it weighs without its attributes, in bytes.
    fn body_size(&self) -> usize;
}

pub(in super::super) trait WritableAttribute: Attribute + Clone {
    /// An attribute of the type `String`.
    fn text(value: &str) -> Option<Self>;

    /// The size of its type and its value, in bytes.
    fn size(&self) -> usize;
}

/// Whether the attribute fits into the message without failing its sending. It may stand in a batch
/// whose other messages nobody knows here, so what is large has to keep to a fair share.
pub(in super::super) fn can_set<R: Request>(request: &R, name: &str, value: &str) -> bool {
    let attributes = request.attributes();
    let size_of = |(name, attribute): (&String, &R::Attribute)| name.len() + attribute.size();
    let weighs = request.body_size() + attributes.into_iter().flatten().map(size_of).sum::<usize>();
    let with_it = weighs + name.len() + "String".len() + value.len();
    let largest = if weighs > SIZE { R::LARGEST } else { SIZE };
    let is_fair = value.len() <= SMALL_VALUE || with_it <= SIZE / R::SENT_TOGETHER;
    attributes.map_or(0, HashMap::len) < ATTRIBUTES
        && value.len() <= VALUE
        && with_it <= largest
        && is_fair
        && is_allowed(name, value)
}

/// Sets the attribute in place of every casing of it, or only removes those where it does not fit.
pub(in super::super) fn set<R: Request>(request: &mut R, name: &str, value: &str) {
    remove(request, name);
    if !can_set(request, name, value) {
        return;
    }
    if let Some(attribute) = R::Attribute::text(value) {
        let mut attributes = request.attributes().cloned().unwrap_or_default();
        attributes.insert(name.to_owned(), attribute);
        request.set_attributes(Some(attributes));
    }
}

/// Removes the attribute in every casing.
pub(in super::super) fn remove<R: Request>(request: &mut R, name: &str) {
    let is_it = |known: &String| known.eq_ignore_ascii_case(name);
    let Some(attributes) = request.attributes().filter(|them| them.keys().any(is_it)) else {
        return;
    };
    let mut attributes = attributes.clone();
    attributes.retain(|known, _| !is_it(known));
    request.set_attributes(Some(attributes).filter(|them| !them.is_empty()));
}

/// Whether name and value have only characters that the services take.
fn is_allowed(name: &str, value: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let is_reserved = ["aws.", "amazon."].iter().any(|prefix| name.starts_with(prefix));
    let is_refused = |letter: char| matches!(letter, '\0'..'\t' | '\x0b' | '\x0c' | '\x0e'..' ' | '\u{fffe}' | '\u{ffff}');
    (1..=256).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.split('.').any(str::is_empty)
        && !is_reserved
        && !value.is_empty()
        && !value.contains(is_refused)
}

/// Has a request written through [`Request`].
macro_rules! written_as_a_request {
    ($($request:ty),+ $(,)?) => {$(
        impl MessageMut for $request {
            fn set_header(&mut self, name: &str, value: &str) {
                request::set(self, name, value);
            }

            fn remove_header(&mut self, name: &str) {
                request::remove(self, name);
            }

            fn can_set_header(&self, name: &str, value: &str) -> bool {
                request::can_set(self, name, value)
            }

            fn tells_when_it_was_sent(&self) -> bool {
                true
            }
        }
    )+};
}

/// The builder that also sends is what its input is.
macro_rules! sends_its_input {
    ($builder:ty, $input:ty) => {
        impl Message for $builder {
            fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
                self.as_input().headers(reader);
            }

            fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
                self.as_input().describe(facts);
            }
        }

        impl Request for $builder {
            type Attribute = <$input as Request>::Attribute;
            const SENT_TOGETHER: usize = <$input as Request>::SENT_TOGETHER;
            const LARGEST: usize = <$input as Request>::LARGEST;

            fn attributes(&self) -> Option<&HashMap<String, Self::Attribute>> {
                self.as_input().attributes()
            }

            fn set_attributes(&mut self, attributes: Option<HashMap<String, Self::Attribute>>) {
                // Its setters take it by value, and nothing can stand in its place meanwhile.
                *self = self.clone().set_message_attributes(attributes);
            }

            fn body_size(&self) -> usize {
                self.as_input().body_size()
            }
        }
    };
}

/// Each SDK has a type of its own for the same thing.
macro_rules! value_of_an_attribute {
    ($value:ty) => {
        impl Attribute for $value {
            fn header_value(&self) -> Option<HeaderValue<'_>> {
                let bytes = || self.binary_value().map(|bytes| bytes.as_ref().into());
                self.string_value().map(Into::into).or_else(bytes)
            }
        }

        impl WritableAttribute for $value {
            fn text(value: &str) -> Option<Self> {
                Self::builder().data_type("String").string_value(value).build().ok()
            }

            fn size(&self) -> usize {
                let bytes = self.binary_value().map_or(0, |bytes| bytes.as_ref().len());
                self.data_type().len() + self.string_value().map_or(0, str::len) + bytes
            }
        }
    };
}

pub(in super::super) use {sends_its_input, value_of_an_attribute, written_as_a_request};
