//! An order service whose traces tell the whole story. The part worth reading first is
//! `handlers.rs`.
//!
//!     cargo run --example orders
//!     cargo run --example orders -- --listen 127.0.0.1:8080

// The modules of one program have no outside to be reached from: `pub` means their neighbours.
#![allow(unreachable_pub)]

mod consumers;
mod customers;
mod handlers;
mod order;
mod service;
mod telemetry;
#[cfg(test)]
mod tests;
mod topic;
mod web;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::ctrl_c;

use crate::handlers::Stock;
use crate::service::Service;
use crate::telemetry::Telemetry;
use crate::topic::InProcess;

const USAGE: &str = "\
usage: orders [--listen ADDR]

Without arguments, places a few orders with itself and prints the traces they leave.

  --listen ADDR  stay up at ADDR, for instance 127.0.0.1:8080, and print the traces at ctrl-c
  --help         print this

OTEL_EXPORTER_OTLP_ENDPOINT, if set, names where spans and metrics are sent as well; with
OTEL_METRICS_EXPORTER=none only spans.";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_str()).collect();
    let done = match arguments[..] {
        [] => demonstrate().await,
        [Some("--listen"), Some(address)] => listen(address).await,
        [Some("--help" | "-h")] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orders: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves a few customers at a port nobody else uses.
async fn demonstrate() -> Result<(), Box<dyn Error>> {
    let telemetry = install_telemetry()?;
    let service = start("127.0.0.1:0").await?;
    let visit = customers::visit(service.address()).await;
    finish(service, &telemetry).await?;
    Ok(visit?)
}

/// Serves whoever comes, until ctrl-c.
async fn listen(address: &str) -> Result<(), Box<dyn Error>> {
    let telemetry = install_telemetry()?;
    let service = start(address).await?;
    println!("listening on http://{}/orders, until ctrl-c", service.address());
    ctrl_c().await?;
    tokio::select! {
        finished = finish(service, &telemetry) => finished,
        // A client that keeps its connection open must not keep us from going.
        _ = ctrl_c() => Err("stopped before everything was handled".into()),
    }
}

fn install_telemetry() -> Result<Telemetry, Box<dyn Error>> {
    let telemetry = Telemetry::from_environment("orders")?;
    tracing::subscriber::set_global_default(telemetry.subscriber())?;
    Ok(telemetry)
}

async fn start(address: &str) -> Result<Service<InProcess>, Box<dyn Error>> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("can't listen on `{address}`: {error}"))?;
    Ok(Service::start(listener, InProcess::new(), Arc::new(Stock::default())).await?)
}

/// Waits until all that was ordered is handled, and shows the traces.
async fn finish(service: Service<InProcess>, telemetry: &Telemetry) -> Result<(), Box<dyn Error>> {
    let stopped = service.stop().await;
    println!("\n{}", telemetry.traces().with_times());
    telemetry.flush()?;
    Ok(stopped?)
}
