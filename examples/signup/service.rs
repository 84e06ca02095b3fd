//! The service as a whole: the web server and the queue of mails, started together and stopped in
//! that order.

use std::error::Error;
use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::mail::{self, Mailbox};
use crate::store::Store;
use crate::web::{self, Shared};

pub struct Service {
    address: SocketAddr,
    server: JoinHandle<io::Result<()>>,
    mails: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Service {
    /// Opens the database and serves at a port that nobody else uses.
    pub async fn start(database: &Path, mailbox: Mailbox) -> Result<Self, Box<dyn Error>> {
        let store = Store::open(database)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (mails, queue) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let server = axum::serve(listener, web::router(Shared { store, mails }))
            .with_graceful_shutdown(async {
                // A sender that was dropped stops the server as well.
                let _ = stopped.await;
            })
            .into_future();
        let server = tokio::spawn(server);
        let mails = tokio::spawn(mail::send_all(queue, mailbox));
        Ok(Self { address, server, mails, stop })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the requests that are under way, sends every mail, and closes the database.
    pub async fn stop(self) -> Result<(), Box<dyn Error>> {
        let _ = self.stop.send(());
        self.server.await??;
        self.mails.await?;
        Ok(())
    }
}
