//! Where spans go: into memory, to be printed at the end, and to an OTLP endpoint if one is named. Metrics go there too.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::trace::TracerProvider;
use opentelemetry::{InstrumentationScope, global};
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter as OtlpExporter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use throughline::fmt::WithTraceIds;
use throughline::testing::Traces;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::{format, layer};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry;

/// The variable by which OpenTelemetry's tools are told where to send telemetry.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// And whether to send metrics: `none` where whatever listens takes only spans, as Jaeger does.
const METRICS: &str = "OTEL_METRICS_EXPORTER";

/// The release of OpenTelemetry's conventions that the spans follow: throughline's, and so those that are made here.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.44.0";

pub struct Telemetry {
    service: &'static str,
    provider: SdkTracerProvider,
    recent: Recent,
    meters: Option<SdkMeterProvider>,
}

impl Telemetry {
    /// Keeps spans in memory, and sends them and metrics to the OTLP endpoint of the environment as well.
    pub fn from_environment(service: &'static str) -> Result<Self, Failure> {
        let Some(endpoint) = std::env::var(ENDPOINT).ok().filter(|endpoint| !endpoint.is_empty())
        else {
            return Ok(Self::in_memory(service));
        };
        // Otherwise this would only show when the first spans are lost.
        if !endpoint.starts_with("http://") {
            return Err(Failure::Endpoint(endpoint));
        }
        // The exporters read the endpoint, and OpenTelemetry's other variables, by themselves.
        let spans = OtlpExporter::builder().with_http().build()?;
        if std::env::var_os(METRICS).is_some_and(|exporter| exporter == "none") {
            return Ok(Self::with_otlp(service, Some(spans)));
        }
        let metrics = MetricExporter::builder().with_http().build()?;
        let meters = SdkMeterProvider::builder()
            .with_resource(resource(service))
            .with_periodic_exporter(metrics)
            .build();
        // throughline measures with the global one.
        global::set_meter_provider(meters.clone());
        Ok(Self { meters: Some(meters), ..Self::with_otlp(service, Some(spans)) })
    }

    /// Keeps spans in memory only.
    pub fn in_memory(service: &'static str) -> Self {
        Self::with_otlp(service, None)
    }

    fn with_otlp(service: &'static str, otlp: Option<OtlpExporter>) -> Self {
        let recent = Recent::default();
        let mut provider = SdkTracerProvider::builder()
            .with_resource(resource(service))
            .with_simple_exporter(recent.clone());
        if let Some(otlp) = otlp {
            provider = provider.with_batch_exporter(otlp);
        }
        Self { service, provider: provider.build(), recent, meters: None }
    }

    /// Turns `tracing` spans into OpenTelemetry spans. throughline needs no more than this.
    pub fn subscriber(&self) -> impl Subscriber + Send + Sync + use<> {
        let scope = InstrumentationScope::builder(self.service).with_schema_url(SCHEMA).build();
        let spans = tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer_with_scope(scope))
            // What stands on the spans is what was put there on purpose, under names of the conventions.
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            // Events are for the log, whose lines lead to their spans; on spans the conventions want none. And a broker's
            // client may have spans of its own, which are no part of an order's story.
            .with_filter(filter_fn(|metadata| !metadata.is_event() && !is_of_a_client(metadata)));
        registry()
            // Below this level the HTTP libraries tell of themselves.
            .with(LevelFilter::INFO)
            .with(spans)
            // Each line has the ids of the trace and the span that it belongs to.
            .with(layer().with_writer(std::io::stderr).event_format(WithTraceIds::text(format())))
    }

    /// The spans that have ended, as traces.
    pub fn traces(&self) -> Traces {
        Traces::from_spans(self.recent.spans())
    }

    /// Sends off what has not been sent yet.
    pub fn flush(&self) -> Result<(), Failure> {
        self.provider.force_flush()?;
        self.meters.iter().try_for_each(SdkMeterProvider::force_flush).map_err(Failure::Metrics)
    }
}

fn is_of_a_client(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("lapin")
}

/// What the telemetry is about.
fn resource(service: &'static str) -> Resource {
    Resource::builder().with_service_name(service).build()
}

/// The newest spans. There is a limit, for with `--listen` the service may stay up for long.
#[derive(Debug, Clone, Default)]
struct Recent(Arc<Mutex<VecDeque<SpanData>>>);

impl Recent {
    const LIMIT: usize = 10_000;

    fn spans(&self) -> Vec<SpanData> {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.iter().cloned().collect()
    }
}

impl SpanExporter for Recent {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let mut spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        spans.extend(batch);
        let surplus = spans.len().saturating_sub(Self::LIMIT);
        spans.drain(..surplus);
        Ok(())
    }
}

/// Why nothing can be sent to the OTLP endpoint.
#[derive(Debug)]
pub enum Failure {
    Endpoint(String),
    Exporter(ExporterBuildError),
    Export(OTelSdkError),
    Metrics(OTelSdkError),
}

impl From<ExporterBuildError> for Failure {
    fn from(error: ExporterBuildError) -> Self {
        Failure::Exporter(error)
    }
}

impl From<OTelSdkError> for Failure {
    fn from(error: OTelSdkError) -> Self {
        Failure::Export(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Endpoint(endpoint) => write!(
                f,
                "{ENDPOINT} is `{endpoint}`; built without TLS, this example needs http://.."
            ),
            Failure::Exporter(error) => write!(f, "nothing can be sent by OTLP: {error}"),
            Failure::Export(error) => write!(f, "spans could not be sent to {ENDPOINT}: {error}"),
            Failure::Metrics(error) => write!(
                f,
                "metrics could not be sent to {ENDPOINT}: {error}. Where it takes none, set {METRICS} to none"
            ),
        }
    }
}

impl std::error::Error for Failure {}
