//! The message types of brokers' clients. Each has a cargo feature, named after the client's crate and
//! its breaking version, and a module with a page on it and a complete example.

#[cfg(feature = "cloudevents-sdk-0_9")]
#[cfg_attr(docsrs, doc(cfg(feature = "cloudevents-sdk-0_9")))]
pub mod cloudevents_sdk_0_9;
#[cfg(feature = "google-cloud-pubsub-1")]
#[cfg_attr(docsrs, doc(cfg(feature = "google-cloud-pubsub-1")))]
pub mod google_cloud_pubsub_1;
#[cfg(feature = "http-1")]
#[cfg_attr(docsrs, doc(cfg(feature = "http-1")))]
pub mod http_1;
#[cfg(feature = "pulsar-6")]
#[cfg_attr(docsrs, doc(cfg(feature = "pulsar-6")))]
pub mod pulsar_6;
#[cfg(feature = "sqlx-0_9")]
#[cfg_attr(docsrs, doc(cfg(feature = "sqlx-0_9")))]
pub mod sqlx_0_9;
#[cfg(feature = "tonic-0_14")]
#[cfg_attr(docsrs, doc(cfg(feature = "tonic-0_14")))]
pub mod tonic_0_14;
