//! Runs a command, and holds what it sends by OTLP against the conventions.

use std::error::Error;
use std::process::ExitCode;

use throughline_test_linter::{Findings, Level, Receiver, Registry, lint_metrics, lint_spans};
use tokio::process::Command;

const USAGE: &str = "\
usage: throughline-test-linter [--all] [--registry FILE].. COMMAND [ARGUMENT]..

Runs COMMAND with OTEL_EXPORTER_OTLP_ENDPOINT set, and holds the spans and metrics that it sends against
OpenTelemetry's semantic conventions. Fails if they break them, if there are none, or if COMMAND fails.

  --all            tell what is only good to know as well
  --registry FILE  what else is declared, in the form of the conventions' own registry";

/// What the command line says.
struct Options {
    tell_all: bool,
    registries: Vec<String>,
    program: String,
    arguments: Vec<String>,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let (mut tell_all, mut registries) = (false, Vec::new());
        let program = loop {
            match words.next()? {
                option if option == "--all" => tell_all = true,
                option if option == "--registry" => registries.push(words.next()?),
                option if option.starts_with('-') => return None,
                program => break program,
            }
        };
        Some(Self { tell_all, registries, program, arguments: words.collect() })
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(&options).await {
        Ok(findings) if findings.all(Level::Violation).next().is_none() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("linter: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(
    Options { tell_all, registries, program, arguments }: &Options,
) -> Result<Findings, Box<dyn Error>> {
    let mut registry = Registry::conventions();
    for file in registries {
        let yaml = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        registry.add(&yaml).map_err(|error| format!("{file}: {error}"))?;
    }
    let receiver = Receiver::start().await?;
    let status = Command::new(program)
        .args(arguments)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint())
        .status()
        .await
        .map_err(|error| format!("{program}: {error}"))?;
    let sent = receiver.stop().await?;
    if !status.success() {
        return Err(format!("{program}: {status}").into());
    }

    let (spans, metrics) = (sent.spans_in_all(), sent.metrics_in_all());
    if spans == 0 || metrics == 0 {
        return Err(format!("{spans} spans and {metrics} metrics came: nothing to lint").into());
    }
    let mut findings = lint_spans(&registry, &sent.spans);
    findings.extend(lint_metrics(&registry, &sent.metrics));
    let count = |level| findings.all(level).count();
    for level in [Level::Violation, Level::Improvement, Level::Information] {
        if level != Level::Information || *tell_all {
            findings.all(level).for_each(|finding| println!("{finding}"));
        }
    }
    println!(
        "\n{spans} spans, {metrics} metrics: {} violations, {} improvements, {} informations",
        count(Level::Violation),
        count(Level::Improvement),
        count(Level::Information),
    );
    Ok(findings)
}
