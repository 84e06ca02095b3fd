//! Every client's messages, sent and received by a real server. A server that can't be reached leaves
//! its tests ignored, with the reason; under `THROUGHLINE_REQUIRE_BROKERS=1` they fail.

#[cfg(feature = "kafka")]
mod kafka;
#[cfg(feature = "mqtt")]
mod mosquitto;
#[cfg(feature = "nats")]
mod nats;
#[cfg(any(feature = "kafka", feature = "rabbitmq"))]
mod python;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
#[cfg(feature = "redis")]
mod redis;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
#[cfg(not(all(
    feature = "kafka",
    feature = "mqtt",
    feature = "nats",
    feature = "rabbitmq",
    feature = "redis"
)))]
use throughline_test_brokers::not_built;

fn main() -> ExitCode {
    let mut trials: Vec<Trial> = Vec::new();
    #[cfg(feature = "kafka")]
    trials.extend(kafka::trials());
    #[cfg(not(feature = "kafka"))]
    trials.push(not_built("kafka", "kafka"));
    #[cfg(feature = "mqtt")]
    trials.extend(mosquitto::trials());
    #[cfg(not(feature = "mqtt"))]
    trials.push(not_built("mosquitto", "mqtt"));
    #[cfg(feature = "nats")]
    trials.extend(nats::trials());
    #[cfg(not(feature = "nats"))]
    trials.push(not_built("nats", "nats"));
    #[cfg(feature = "rabbitmq")]
    trials.extend(rabbitmq::trials());
    #[cfg(not(feature = "rabbitmq"))]
    trials.push(not_built("rabbitmq", "rabbitmq"));
    #[cfg(feature = "redis")]
    trials.extend(redis::trials());
    #[cfg(not(feature = "redis"))]
    trials.push(not_built("redis", "redis"));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
