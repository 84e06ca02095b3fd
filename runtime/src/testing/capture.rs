//! Running code inside a capture.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use opentelemetry_sdk::trace::ShouldSample;
use pin_project_lite::pin_project;

use super::claim::{self, Claim};
use super::traces::Traces;

/// How to capture: [`capture`](super::capture) with choices.
///
/// ```
/// # use throughline::testing::{self, Capture};
/// use opentelemetry::trace::{Tracer, TracerProvider};
///
/// // As in a program without a `tracing` subscriber.
/// let traces = Capture::new().without_tracing().run_sync(|| {
///     testing::provider().tracer("shop").start("POST /orders");
/// });
/// assert_eq!(traces.len(), 1);
/// ```
#[derive(Debug)]
#[must_use = "nothing is captured until `run` or `run_sync`"]
pub struct Capture {
    sampler: Arc<dyn ShouldSample>,
    #[cfg(feature = "tracing")]
    listener: Listener,
}

/// Who listens to `tracing` while the captured code runs.
#[cfg(feature = "tracing")]
#[derive(Debug)]
enum Listener {
    Bridge,
    Nobody,
    Given(tracing::Dispatch),
}

impl Default for Capture {
    fn default() -> Self {
        Self::new()
    }
}

impl Capture {
    /// A capture as [`capture`](super::capture) makes it: with a `tracing` subscriber and an
    /// OpenTelemetry layer in it, which sees spans and events of every level.
    ///
    /// The layer adds no source location, thread, target, level or timing to the spans, so that
    /// what stands on them was put there on purpose. Without the feature `tracing` this is the
    /// same as [`without_tracing`](Self::without_tracing).
    pub fn new() -> Self {
        Self {
            sampler: Arc::new(claim::default_sampler()),
            #[cfg(feature = "tracing")]
            listener: Listener::Bridge,
        }
    }

    /// OpenTelemetry alone: nobody listens to `tracing` while the captured code runs.
    #[cfg_attr(not(feature = "tracing"), allow(unused_mut))] // nothing to switch off
    pub fn without_tracing(mut self) -> Self {
        #[cfg(feature = "tracing")]
        {
            self.listener = Listener::Nobody;
        }
        self
    }

    /// The application's own `tracing` subscriber, with its filters and layers, in place of the
    /// plain one. `build` gets the tracer to give to the OpenTelemetry layer.
    ///
    /// ```
    /// # use throughline::testing::Capture;
    /// use tracing_subscriber::{filter::LevelFilter, layer::SubscriberExt as _};
    ///
    /// let capture = Capture::new().with_subscriber(|tracer| {
    ///     tracing_subscriber::registry()
    ///         .with(LevelFilter::INFO)
    ///         .with(tracing_opentelemetry::layer().with_tracer(tracer))
    /// });
    /// let traces = capture.run_sync(|| {
    ///     tracing::info_span!("kept").in_scope(|| {});
    ///     tracing::debug_span!("filtered out").in_scope(|| {});
    /// });
    /// assert_eq!(traces.len(), 1);
    /// ```
    #[cfg(feature = "tracing")]
    pub fn with_subscriber<S: Into<tracing::Dispatch>>(
        mut self,
        build: impl FnOnce(opentelemetry_sdk::trace::SdkTracer) -> S,
    ) -> Self {
        self.listener = Listener::Given(build(bridge_tracer()).into());
        self
    }

    /// Decides which spans are recorded. By default what applications have by default: as the
    /// parent says, and a root always.
    ///
    /// ```
    /// # use throughline::testing::{self, Capture};
    /// use opentelemetry::trace::{Tracer, TracerProvider};
    /// use opentelemetry_sdk::trace::Sampler;
    ///
    /// let traces = Capture::new().sampler(Sampler::AlwaysOff).run_sync(|| {
    ///     testing::provider().tracer("shop").start("POST /orders");
    /// });
    /// assert!(traces.is_empty());
    /// ```
    pub fn sampler(mut self, sampler: impl ShouldSample + 'static) -> Self {
        self.sampler = Arc::new(sampler);
        self
    }

    /// Runs a future and gives the spans that were made; its output is dropped.
    ///
    /// ```
    /// # use throughline::testing::Capture;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let traces = Capture::new().run(async { /* .. */ }).await;
    /// assert!(traces.is_empty());
    /// # }
    /// ```
    pub fn run<F: Future>(self, body: F) -> impl Future<Output = Traces> + use<F> {
        Capturing { body: Some(body), capture: Some(self), scope: None }
    }

    /// Runs a closure and gives the spans that were made; its result is dropped.
    ///
    /// ```
    /// # use throughline::testing::Capture;
    /// let traces = Capture::new().run_sync(|| { /* .. */ });
    /// assert!(traces.is_empty());
    /// ```
    pub fn run_sync<R>(self, body: impl FnOnce() -> R) -> Traces {
        let scope = self.open();
        scope.run(|| drop(body()));
        scope.claim.into_traces()
    }

    fn open(self) -> Scope {
        Scope {
            claim: Claim::new(self.sampler),
            #[cfg(feature = "tracing")]
            dispatch: match self.listener {
                Listener::Bridge => bridge(),
                Listener::Nobody => tracing::Dispatch::none(),
                Listener::Given(dispatch) => dispatch,
            },
        }
    }
}

#[cfg(feature = "tracing")]
fn bridge_tracer() -> opentelemetry_sdk::trace::SdkTracer {
    use opentelemetry::trace::TracerProvider as _;

    claim::provider().tracer("tracing")
}

#[cfg(feature = "tracing")]
fn bridge() -> tracing::Dispatch {
    use tracing_subscriber::layer::SubscriberExt as _;

    let layer = tracing_opentelemetry::layer()
        .with_tracer(bridge_tracer())
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_level(false)
        .with_tracked_inactivity(false);
    tracing_subscriber::registry().with(layer).into()
}

/// A living capture, and what has to be in place while its code runs.
#[derive(Debug)]
struct Scope {
    claim: Claim,
    #[cfg(feature = "tracing")]
    dispatch: tracing::Dispatch,
}

impl Scope {
    fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        let _polled = self.claim.enter();
        #[cfg(feature = "tracing")]
        let body = || tracing::dispatcher::with_default(&self.dispatch, body);
        body()
    }
}

pin_project! {
    /// A future whose every poll, and whose end, happens inside the capture.
    struct Capturing<F> {
        #[pin]
        body: Option<F>,
        // Until the first poll, then `scope`.
        capture: Option<Capture>,
        scope: Option<Scope>,
    }

    impl<F> PinnedDrop for Capturing<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(scope) = this.scope {
                scope.run(|| this.body.set(None));
            }
        }
    }
}

impl<F: Future> Future for Capturing<F> {
    type Output = Traces;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Traces> {
        let mut this = self.project();
        if let Some(capture) = this.capture.take() {
            *this.scope = Some(capture.open());
        }
        let Some(scope) = this.scope else {
            panic!("a capture was polled after it had ended");
        };
        let ended = scope.run(|| {
            let body = this.body.as_mut().as_pin_mut();
            let ended = body.is_none_or(|body| body.poll(context).is_ready());
            if ended {
                // The spans that the future still holds end here.
                this.body.set(None);
            }
            ended
        });
        match this.scope.take_if(|_| ended) {
            Some(scope) => Poll::Ready(scope.claim.into_traces()),
            None => Poll::Pending,
        }
    }
}
