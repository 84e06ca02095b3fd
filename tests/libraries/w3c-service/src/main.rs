//! A small service for the W3C's own tests of Trace Context: each `POST /test` has a list of calls,
//! which the service makes, with the trace context that came with the list.

mod call;
mod handlers;
mod propagators;

use std::{env, io, process};

use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let router = match env::args().nth(1).as_deref() {
        Some("propagators") => propagators::router(),
        Some("handlers") => handlers::router(),
        _ => {
            eprintln!("say in which mode: propagators or handlers");
            process::exit(2);
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    // For whoever started it, and waits for this line.
    println!("http://{}/test", listener.local_addr()?);
    axum::serve(listener, router).await
}
