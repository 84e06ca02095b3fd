//! Every client's messages, sent and received by a real server. A server that can't be reached leaves
//! its tests ignored, with the reason; under `THROUGHLINE_REQUIRE_BROKERS=1` they fail.

#[cfg(feature = "kafka")]
mod python;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Each feature with the module that tests its client; of a feature that is off, the tests are told as
/// not built.
macro_rules! clients {
    ($($feature:literal: $module:ident,)+) => {
        $(#[cfg(feature = $feature)] mod $module;)+

        fn trials() -> Vec<Trial> {
            let mut trials = Vec::new();
            $(
                #[cfg(feature = $feature)]
                trials.extend($module::trials());
                #[cfg(not(feature = $feature))]
                trials.push(throughline_test_brokers::not_built(stringify!($module), $feature));
            )+
            trials
        }
    };
}

clients! {
    "aws": sqs,
    "kafka": kafka,
    "mqtt": mosquitto,
    "nats": nats,
    "postgresql": postgresql,
}

fn main() -> ExitCode {
    libtest_mimic::run(&Arguments::from_args(), trials()).exit_code()
}
