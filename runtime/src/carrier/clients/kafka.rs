//! What the records of Kafka have in common, whichever crate they come from.

/// A key as text. A number in bytes is UTF-8 too, now and then; its zeros give it away.
pub(super) fn printable(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok().filter(|text| !text.contains(char::is_control))
}
