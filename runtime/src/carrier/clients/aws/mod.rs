//! What the messages of Amazon's services have in common, whichever crate they come from.

#[cfg(any(feature = "aws-sdk-sqs-1", feature = "aws_lambda_events-1"))]
mod notification;
#[cfg(any(feature = "aws-sdk-sqs-1", feature = "aws_lambda_events-1"))]
pub(super) mod queued;
#[cfg(any(feature = "aws-sdk-sns-1", feature = "aws-sdk-sqs-1"))]
pub(super) mod request;
#[cfg(any(feature = "aws-sdk-sqs-1", feature = "aws_lambda_events-1"))]
mod xray;

use super::super::{HeaderReader, HeaderValue};

/// The value of a message attribute.
pub(super) trait Attribute {
    /// Its text or its bytes.
    fn header_value(&self) -> Option<HeaderValue<'_>>;
}

/// Takes the attributes of a message as its headers.
pub(super) fn read<'m, A: Attribute + 'm>(
    attributes: impl IntoIterator<Item = (&'m String, &'m A)>,
    reader: &mut HeaderReader<'m>,
) {
    for (name, attribute) in attributes {
        if let Some(value) = attribute.header_value() {
            reader.header(name, value);
        }
    }
}

/// The queue or the topic of an ARN: `arn:aws:sns:eu-central-1:123456789012:orders`.
#[cfg(any(feature = "aws-sdk-sns-1", feature = "aws_lambda_events-1"))]
pub(super) fn name_in_arn(arn: &str) -> &str {
    arn.split(':').nth(5).unwrap_or_default()
}

#[cfg(all(test, any(feature = "aws-sdk-sns-1", feature = "aws_lambda_events-1")))]
mod tests {
    #[test]
    fn an_arn_has_the_name_in_the_sixth_place() {
        let name_in = super::name_in_arn;
        assert_eq!(name_in("arn:aws:sqs:eu-central-1:123456789012:orders"), "orders");
        assert_eq!(name_in("arn:aws:sns:eu-central-1:123456789012:orders:2bcf-61"), "orders");
        assert_eq!(name_in("orders"), "");
    }
}
