//! What SNS makes of a message on its way to a queue, where raw delivery is off: a JSON document that
//! holds the message and its attributes.
//!
//! Source: <https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html>.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Deserialize;

use super::super::super::HeaderReader;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Notification<'m> {
    #[serde(borrow)]
    r#type: Cow<'m, str>,
    #[serde(borrow)]
    message_attributes: HashMap<Cow<'m, str>, Attribute<'m>>,
}

#[derive(Deserialize)]
struct Attribute<'m> {
    #[serde(borrow, rename = "Value")]
    value: Cow<'m, str>,
}

/// Takes the attributes in `body` as headers, if it is a notification; tells whether `name` is one.
pub(super) fn read<'m>(body: &'m str, reader: &mut HeaderReader<'m>, name: &str) -> bool {
    let mut has = false;
    for (known, Attribute { value }) in attributes(body) {
        has |= known.eq_ignore_ascii_case(name);
        match value {
            Cow::Borrowed(value) => reader.header_named(known.into_owned(), value),
            Cow::Owned(value) => reader.header_named(known.into_owned(), value),
        }
    }
    has
}

fn attributes(body: &str) -> HashMap<Cow<'_, str>, Attribute<'_>> {
    // Most bodies are no notification, and a search costs less than reading the whole of them.
    let may_be_one = body.trim_start().starts_with('{') && body.contains("\"MessageAttributes\"");
    let notification = may_be_one.then(|| serde_json::from_str::<Notification<'_>>(body).ok());
    match notification.flatten() {
        Some(it) if it.r#type == "Notification" => it.message_attributes,
        _ => HashMap::new(),
    }
}
