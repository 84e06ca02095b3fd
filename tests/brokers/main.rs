//! Every client's messages, sent and received by a real server. A server that can't be reached leaves
//! its tests ignored, with the reason; under `THROUGHLINE_REQUIRE_BROKERS=1` they fail.

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "mqtt")]
mod mosquitto;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "orders")]
mod orders;
#[cfg(feature = "postgresql")]
mod postgresql;
#[cfg(any(feature = "kafka", feature = "orders", feature = "rabbitmq"))]
mod python;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "aws")]
mod sqs;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// The tests of each module whose feature is on; those of the others are told as not built.
macro_rules! trials_of {
    ($($module:ident: $feature:literal,)+) => {{
        let mut trials: Vec<Trial> = Vec::new();
        $(
            #[cfg(feature = $feature)]
            trials.extend($module::trials());
            #[cfg(not(feature = $feature))]
            trials.push(throughline_test_brokers::not_built(stringify!($module), $feature));
        )+
        trials
    }};
}

fn main() -> ExitCode {
    let trials = trials_of! {
        kafka: "kafka",
        mosquitto: "mqtt",
        nats: "nats",
        orders: "orders",
        postgresql: "postgresql",
        rabbitmq: "rabbitmq",
        redis: "redis",
        sqs: "aws",
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
