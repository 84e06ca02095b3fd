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
    topic: Arc<T>,
    web: Option<Web>,
    consumers: JoinSet<()>,
}

struct Web {
    address: SocketAddr,
    server: JoinHandle<io::Result<()>>,
    stop: oneshot::Sender<()>,
}

impl<T: Topic> Service<T> {
    /// Starts the consumers if there is a `stock`, then answers requests if there is a `listener`: the
    /// first order finds them all.
    pub async fn start(
        listener: Option<TcpListener>,
        topic: T,
        stock: Option<Arc<Stock>>,
    ) -> Result<Self, Failure> {
        let topic = Arc::new(topic);
        let consumers = match stock {
            Some(stock) => consumers::start(&*topic, stock).await?,
            None => JoinSet::new(),
        };
        let web = listener.map(|listener| Web::start(listener, &topic)).transpose();
        Ok(Self { web: web.map_err(Failure::Server)?, topic, consumers })
    }

    /// Where it answers requests, if it does.
    pub fn address(&self) -> Option<SocketAddr> {
        self.web.as_ref().map(|web| web.address)
    }

    /// Answers the requests that are under way, lets every handler finish, and then returns.
    pub async fn stop(mut self) -> Result<(), Failure> {
        if let Some(web) = self.web {
            web.stop().await.map_err(Failure::Server)?;
        }
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

impl Web {
    fn start<T: Topic>(listener: TcpListener, topic: &Arc<T>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let server = axum::serve(listener, web::router(Arc::clone(topic)))
            .with_graceful_shutdown(async {
                // A sender that was dropped stops the server as well.
                let _ = stopped.await;
            })
            .into_future();
        Ok(Self { address, server: tokio::spawn(server), stop })
    }

    async fn stop(self) -> io::Result<()> {
        let _ = self.stop.send(());
        self.server.await.unwrap_or_else(|error| Err(error.into()))
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
