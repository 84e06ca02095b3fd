//! Every client's messages, sent and received by a real server. A server that can't be reached leaves
//! its tests ignored, with the reason; under `THROUGHLINE_REQUIRE_BROKERS=1` they fail.

#[cfg(feature = "postgresql")]
mod postgresql;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
#[cfg(not(feature = "postgresql"))]
use throughline_test_brokers::not_built;

fn main() -> ExitCode {
    let mut trials: Vec<Trial> = Vec::new();
    #[cfg(feature = "postgresql")]
    trials.extend(postgresql::trials());
    #[cfg(not(feature = "postgresql"))]
    trials.push(not_built("postgresql", "postgresql"));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
