//! The service as a whole: the web server, the topic and the consumers, started together and
//! stopped in that order.

use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

use crate::handlers::Stock;
use crate::topic::{Topic, Unavailable};
use crate::{consumers, web};

pub struct Service<T> {
    address: SocketAddr,
    topic: Arc<T>,
    consumers: JoinSet<()>,
    server: JoinHandle<io::Result<()>>,
    stop: oneshot::Sender<()>,
}

impl<T: Topic> Service<T> {
    /// Starts the consumers, then answers requests on `listener`: the first order finds them all.
    pub async fn start(
        listener: TcpListener,
        topic: T,
        stock: Arc<Stock>,
    ) -> Result<Self, Failure> {
        let address = listener.local_addr().map_err(Failure::Server)?;
        let topic = Arc::new(topic);
        let consumers = consumers::start(&*topic, stock).await?;
        let (stop, stopped) = oneshot::channel();
        let server = axum::serve(listener, web::router(Arc::clone(&topic)))
            .with_graceful_shutdown(async {
                // A sender that was dropped stops the server as well.
                let _ = stopped.await;
            })
            .into_future();
        Ok(Self { address, topic, consumers, server: tokio::spawn(server), stop })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the requests that are under way, lets every handler finish, and then returns.
    pub async fn stop(mut self) -> Result<(), Failure> {
        let _ = self.stop.send(());
        self.server.await.unwrap_or_else(|error| Err(error.into())).map_err(Failure::Server)?;
        self.topic.close();
        while let Some(ended) = self.consumers.join_next().await {
            ended.map_err(Failure::Consumer)?;
        }
        match self.topic.unacknowledged() {
            0 => Ok(()),
            count => Err(Failure::Unacknowledged(count)),
        }
    }
}

/// Why the service could not start, or did not end well.
#[derive(Debug)]
pub enum Failure {
    Server(io::Error),
    Topic(Unavailable),
    Consumer(tokio::task::JoinError),
    Unacknowledged(usize),
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        Failure::Topic(unavailable)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Server(error) => write!(f, "the web server failed: {error}"),
            Failure::Topic(error) => error.fmt(f),
            Failure::Consumer(error) => write!(f, "a consumer failed: {error}"),
            Failure::Unacknowledged(count) => {
                write!(f, "{count} deliveries were never acknowledged")
            }
        }
    }
}

impl std::error::Error for Failure {}
