//! The message types of brokers' clients. Each has a cargo feature, named after the client's crate and
//! its breaking version, and a module with a page on it and a complete example.

#[cfg(feature = "rdkafka-0_39")]
#[cfg_attr(docsrs, doc(cfg(feature = "rdkafka-0_39")))]
pub mod rdkafka_0_39;
