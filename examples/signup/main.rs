//! A sign-up that takes three requests and, in life, some days: each request and each mail has a
//! trace of its own, and all of them link to the one that tells of the sign-up as a whole. The
//! parts worth reading first are `store.rs`, which keeps the context, and `web.rs`, which uses it.
//!
//!     cargo run --example signup

// The modules of one program have no outside to be reached from: `pub` means their neighbours.
#![allow(unreachable_pub)]

mod folder;
mod mail;
mod service;
mod store;
// Spans leave this service as they leave the other one.
#[path = "../orders/telemetry.rs"]
mod telemetry;
#[cfg(test)]
mod tests;
mod visitor;
mod web;

use std::error::Error;
use std::process::ExitCode;

use crate::folder::Folder;
use crate::mail::Mailbox;
use crate::service::Service;
use crate::telemetry::Telemetry;
use crate::visitor::Visitor;

#[tokio::main]
async fn main() -> ExitCode {
    match demonstrate().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("signup: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Lets one visitor sign up, and shows the traces.
async fn demonstrate() -> Result<(), Box<dyn Error>> {
    let telemetry = Telemetry::from_environment("signup")?;
    tracing::subscriber::set_global_default(telemetry.subscriber())?;
    sign_up().await?;
    println!("\n{}", telemetry.traces().with_times());
    telemetry.flush()?;
    Ok(())
}

/// Each request finds a service that was started anew: what it knows of the sign-up is in the
/// database, and so is the way to its top-level trace.
async fn sign_up() -> Result<(), Box<dyn Error>> {
    let folder = Folder::new()?;
    let database = folder.file("signups.db");
    let mailbox = Mailbox::default();
    let visitor = Visitor::new("ada@example.org")?;

    let monday = Service::start(&database, mailbox.clone()).await?;
    visitor.sign_up(monday.address()).await?;
    monday.stop().await?;

    let tuesday = Service::start(&database, mailbox.clone()).await?;
    let token = mailbox.token_for(visitor.email()).ok_or("no mail came")?;
    visitor.confirm(tuesday.address(), &token).await?;
    tuesday.stop().await?;

    let friday = Service::start(&database, mailbox).await?;
    visitor.give_profile(friday.address(), &token, "Ada Lovelace").await?;
    friday.stop().await?;
    Ok(())
}
