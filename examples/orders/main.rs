//! An order service whose traces tell the whole story. The part worth reading first is
//! `handlers.rs`.
//!
//!     cargo run --example orders
//!     cargo run --example orders -- --listen 127.0.0.1:8080
//!     cargo run --example orders -- --broker nats://127.0.0.1 --role worker
//!     cargo run --example orders -- --broker nats://127.0.0.1 --role web

// The modules of one program have no outside to be reached from: `pub` means their neighbours.
#![allow(unreachable_pub)]

mod arguments;
mod brokers;
mod consumers;
mod customers;
mod handlers;
mod order;
mod received;
mod service;
mod telemetry;
#[cfg(test)]
mod tests;
mod topic;
mod web;

use std::env;
use std::error::Error;
use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::ctrl_c;

use crate::arguments::{Arguments, USAGE};
use crate::brokers::Place;
use crate::brokers::in_process::InProcess;
use crate::handlers::Stock;
use crate::service::Service;
use crate::telemetry::Telemetry;
use crate::topic::Topic;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match Arguments::parse(env::args_os().skip(1)) {
        Ok(Arguments::Demonstrate) => demonstrate().await,
        Ok(Arguments::Serve { broker, web, is_worker }) => serve(broker, web, is_worker).await,
        Ok(Arguments::Help) => {
            println!("{USAGE}");
            Ok(())
        }
        Err(mistake) => {
            eprintln!("orders: {mistake}\n\n{USAGE}");
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
    let listener = Some(listen("127.0.0.1:0").await?);
    let service = Service::start(listener, InProcess::new(), Some(Arc::default())).await?;
    let visit = match service.address() {
        Some(address) => customers::visit(address).await,
        None => Ok(()),
    };
    finish(service, &telemetry).await?;
    Ok(visit?)
}

/// Does its part on a broker, until it is told to stop.
async fn serve(
    broker: Option<Place>,
    web: Option<String>,
    is_worker: bool,
) -> Result<(), Box<dyn Error>> {
    let telemetry = install_telemetry()?;
    let parts = Parts { web, stock: is_worker.then(Arc::default), telemetry };
    let Some(place) = broker else { return parts.serve(InProcess::new()).await };
    match place.url.split("://").next().unwrap_or_default() {
        #[cfg(feature = "nats")]
        "nats" => parts.serve(brokers::nats::Nats::new(place).await?).await,
        #[cfg(feature = "rabbitmq")]
        "amqp" => parts.serve(brokers::rabbitmq::RabbitMq::new(place)).await,
        #[cfg(feature = "redis")]
        "redis" => parts.serve(brokers::redis::Redis::new(place)?).await,
        #[cfg(feature = "kafka")]
        "kafka" => parts.serve(brokers::kafka::Kafka::new(place)?).await,
        #[cfg(feature = "mqtt")]
        "mqtt" => parts.serve(brokers::mqtt::Mqtt::new(place)?).await,
        #[cfg(not(feature = "kafka"))]
        "kafka" => Err("this was built without Kafka's client: add `--features kafka`".into()),
        _ => {
            Err(format!("no broker that this was built with has the address `{}`", place.url)
                .into())
        }
    }
}

/// What this process does, and with what.
struct Parts {
    web: Option<String>,
    stock: Option<Arc<Stock>>,
    telemetry: Telemetry,
}

impl Parts {
    async fn serve(self, topic: impl Topic) -> Result<(), Box<dyn Error>> {
        let listener = match &self.web {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let mut told_to_stop = pin!(told_to_stop());
        let service = tokio::select! {
            started = Service::start(listener, topic, self.stock) => started?,
            told = &mut told_to_stop => return Ok(told?),
        };
        match service.address() {
            Some(address) => println!("listening on http://{address}/orders, until ctrl-c"),
            None => println!("handling orders, until ctrl-c"),
        }
        told_to_stop.await?;
        tokio::select! {
            finished = finish(service, &self.telemetry) => finished,
            // A client that keeps its connection open must not keep us from going.
            _ = ctrl_c() => Err("stopped before everything was handled".into()),
        }
    }
}

fn install_telemetry() -> Result<Telemetry, Box<dyn Error>> {
    let telemetry = Telemetry::from_environment("orders")?;
    tracing::subscriber::set_global_default(telemetry.subscriber())?;
    Ok(telemetry)
}

async fn listen(address: &str) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("can't listen on `{address}`: {error}"))
}

/// Ctrl-c, or what a process manager sends.
async fn told_to_stop() -> io::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            told = ctrl_c() => told,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    ctrl_c().await
}

/// Waits until all that was ordered is handled, and shows the traces.
async fn finish<T: Topic>(
    service: Service<T>,
    telemetry: &Telemetry,
) -> Result<(), Box<dyn Error>> {
    let stopped = service.stop().await;
    println!("\n{}", telemetry.traces().with_times());
    telemetry.flush()?;
    Ok(stopped?)
}
