//! The message types of brokers' clients. Each has a cargo feature, named after the client's crate and
//! its breaking version, and a module with a page on it and a complete example.

#[cfg(any(feature = "aws-sdk-sns-1", feature = "aws-sdk-sqs-1", feature = "aws_lambda_events-1"))]
mod aws;
#[cfg(feature = "aws_lambda_events-1")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws_lambda_events-1")))]
pub mod aws_lambda_events_1;
#[cfg(feature = "aws-sdk-sns-1")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-sdk-sns-1")))]
pub mod aws_sdk_sns_1;
#[cfg(feature = "aws-sdk-sqs-1")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-sdk-sqs-1")))]
pub mod aws_sdk_sqs_1;
