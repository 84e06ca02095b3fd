//! Receives what a service sends by OTLP over HTTP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::ResourceMetrics;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tower_http::decompression::RequestDecompressionLayer;

/// What was received.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// The spans.
    pub spans: Vec<ResourceSpans>,
    /// The metrics.
    pub metrics: Vec<ResourceMetrics>,
}

impl Received {
    /// How many spans.
    pub fn spans_in_all(&self) -> usize {
        let scopes = self.spans.iter().flat_map(|it| &it.scope_spans);
        scopes.map(|it| it.spans.len()).sum()
    }

    /// How many metrics, each as often as it was sent.
    pub fn metrics_in_all(&self) -> usize {
        let scopes = self.metrics.iter().flat_map(|it| &it.scope_metrics);
        scopes.map(|it| it.metrics.len()).sum()
    }
}

type Shared = Arc<watch::Sender<Received>>;

/// A receiver of OTLP in protobuf, compressed or not, at a port that nobody else uses.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let receiver = throughline_test_linter::Receiver::start().await?;
/// // Start a service with OTEL_EXPORTER_OTLP_ENDPOINT set to `receiver.endpoint()`, and wait for it.
/// let received = receiver.stop().await?;
/// assert!(received.spans.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    received: Shared,
    server: JoinHandle<io::Result<()>>,
    stop: oneshot::Sender<()>,
}

impl Receiver {
    /// Starts to receive.
    ///
    /// # Errors
    /// If there is no port to be had.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let received = Shared::default();
        let router = Router::new()
            .route("/v1/traces", post(receive_spans))
            .route("/v1/metrics", post(receive_metrics))
            .layer(RequestDecompressionLayer::new())
            .with_state(Arc::clone(&received));
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(async move {
            tokio::select! {
                served = axum::serve(listener, router) => served,
                _ = stopped => Ok(()),
            }
        });
        Ok(Self { address, received, server, stop })
    }

    /// What to put into `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends, and gives what was received. A sender that has flushed was answered by now.
    ///
    /// # Errors
    /// If it could not receive any longer.
    pub async fn stop(self) -> io::Result<Received> {
        let _ = self.stop.send(());
        self.server.await.map_err(io::Error::other)??;
        Ok(self.received.send_replace(Received::default()))
    }

    /// Waits until enough was received, and gives what was received by then.
    pub async fn until(&self, is_enough: impl FnMut(&Received) -> bool) -> Received {
        let mut received = self.received.subscribe();
        // The sender lives as long as we do.
        received.wait_for(is_enough).await.map_or_else(|_| Received::default(), |it| it.clone())
    }
}

async fn receive_spans(State(received): State<Shared>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    received.send_modify(|received| received.spans.extend(request.resource_spans));
    StatusCode::OK
}

async fn receive_metrics(State(received): State<Shared>, body: Bytes) -> StatusCode {
    let Ok(request) = ExportMetricsServiceRequest::decode(body) else {
        return StatusCode::BAD_REQUEST;
    };
    received.send_modify(|received| received.metrics.extend(request.resource_metrics));
    StatusCode::OK
}
