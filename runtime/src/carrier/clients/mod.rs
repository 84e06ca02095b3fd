//! The message types of brokers' clients. Each has a cargo feature, named after the client's crate and
//! its breaking version, and a module with a page on it and a complete example.

/// A client's module, under the feature of its name.
macro_rules! clients {
    ($($feature:literal: $module:ident,)+) => {$(
        #[cfg(feature = $feature)]
        #[cfg_attr(docsrs, doc(cfg(feature = $feature)))]
        pub mod $module;
    )+};
}

clients! {
    "async-nats-0_51": async_nats_0_51,
    "aws-sdk-sns-1": aws_sdk_sns_1,
    "aws-sdk-sqs-1": aws_sdk_sqs_1,
    "aws_lambda_events-1": aws_lambda_events_1,
    "cloudevents-sdk-0_9": cloudevents_sdk_0_9,
    "google-cloud-pubsub-1": google_cloud_pubsub_1,
    "http-1": http_1,
    "pulsar-6": pulsar_6,
    "rdkafka-0_39": rdkafka_0_39,
    "rumqttc-0_25": rumqttc_0_25,
    "sqlx-0_9": sqlx_0_9,
    "tonic-0_14": tonic_0_14,
}

/// What the messages of Amazon's services have in common.
#[cfg(any(feature = "aws-sdk-sns-1", feature = "aws-sdk-sqs-1", feature = "aws_lambda_events-1"))]
mod aws;
