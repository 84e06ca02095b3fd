//! A message that came through an SQS queue.

use std::collections::HashMap;

use super::super::super::{Facts, HeaderReader, fact_values as fact};
use super::{Attribute, notification, xray};
use crate::semconv::system;

/// The header that X-Ray's own propagators look for.
const XRAY: &str = "x-amzn-trace-id";
const TRACEPARENT: &str = "traceparent";

/// Takes the message's attributes as its headers. Where it has none it may have come by SNS, with the
/// attributes in its body; where nobody wrote a `traceparent`, X-Ray may have written its own header.
pub(in super::super) fn read<'m, A: Attribute>(
    attributes: Option<&'m HashMap<String, A>>,
    body: Option<&'m str>,
    xray_header: Option<&'m str>,
    reader: &mut HeaderReader<'m>,
) {
    let has_traceparent = match (attributes.filter(|them| !them.is_empty()), body) {
        (Some(attributes), _) => {
            super::read(attributes, reader);
            attributes.keys().any(|name| name.eq_ignore_ascii_case(TRACEPARENT))
        }
        (None, Some(body)) => notification::read(body, reader, TRACEPARENT),
        (None, None) => false,
    };
    let Some(header) = xray_header.filter(|_| !has_traceparent) else { return };
    reader.header(XRAY, header);
    if let Some(traceparent) = xray::traceparent(header) {
        reader.header(TRACEPARENT, traceparent);
    }
}

/// Tells what every queued message knows of itself.
pub(in super::super) fn describe<'m>(
    facts: &mut Facts<'m>,
    id: Option<&'m str>,
    sent_at_ms: Option<&str>,
    receive_count: Option<&str>,
) {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok());
    facts.own_system(system::AWS_SQS);
    if let Some(id) = id {
        facts.id(id);
    }
    if let Some(sent) = number(sent_at_ms).and_then(|sent| fact::unix_ms(&sent)) {
        facts.sent_at(sent);
    }
    if let Some(attempt) = number(receive_count) {
        facts.attempt(attempt);
    }
}
