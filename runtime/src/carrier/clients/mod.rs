//! The message types of brokers' clients. Each has a cargo feature, named after the client's crate and
//! its breaking version, and a module with a page on it and a complete example.

#[cfg(feature = "async-nats-0_51")]
#[cfg_attr(docsrs, doc(cfg(feature = "async-nats-0_51")))]
pub mod async_nats_0_51;
/// What the messages of Amazon's services have in common.
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
#[cfg(feature = "cloudevents-sdk-0_9")]
#[cfg_attr(docsrs, doc(cfg(feature = "cloudevents-sdk-0_9")))]
pub mod cloudevents_sdk_0_9;
#[cfg(feature = "google-cloud-pubsub-1")]
#[cfg_attr(docsrs, doc(cfg(feature = "google-cloud-pubsub-1")))]
pub mod google_cloud_pubsub_1;
#[cfg(feature = "http-1")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-1")))]
pub mod http_1;
#[cfg(any(feature = "aws_lambda_events-1", feature = "rdkafka-0_39"))]
mod kafka;
#[cfg(feature = "lapin-4")]
#[cfg_attr(docsrs, doc(cfg(feature = "lapin-4")))]
pub mod lapin_4;
#[cfg(feature = "pulsar-6")]
#[cfg_attr(docsrs, doc(cfg(feature = "pulsar-6")))]
pub mod pulsar_6;
#[cfg(feature = "rdkafka-0_39")]
#[cfg_attr(docsrs, doc(cfg(feature = "rdkafka-0_39")))]
pub mod rdkafka_0_39;
#[cfg(feature = "redis-1")]
#[cfg_attr(docsrs, doc(cfg(feature = "redis-1")))]
pub mod redis_1;
#[cfg(feature = "rumqttc-0_25")]
#[cfg_attr(docsrs, doc(cfg(feature = "rumqttc-0_25")))]
pub mod rumqttc_0_25;
#[cfg(feature = "sqlx-0_9")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlx-0_9")))]
pub mod sqlx_0_9;
#[cfg(feature = "tonic-0_14")]
#[cfg_attr(docsrs, doc(cfg(feature = "tonic-0_14")))]
pub mod tonic_0_14;
