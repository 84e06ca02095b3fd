//! The message types of brokers' clients. Each has a cargo feature, named after the client's crate and
//! its breaking version, and a module with a page on it and a complete example.

#[cfg(feature = "async-nats-0_51")]
#[cfg_attr(docsrs, doc(cfg(feature = "async-nats-0_51")))]
pub mod async_nats_0_51;
#[cfg(feature = "rdkafka-0_39")]
#[cfg_attr(docsrs, doc(cfg(feature = "rdkafka-0_39")))]
pub mod rdkafka_0_39;
#[cfg(feature = "rumqttc-0_25")]
#[cfg_attr(docsrs, doc(cfg(feature = "rumqttc-0_25")))]
pub mod rumqttc_0_25;
