//! What can be wrong with a set-up of telemetry: in words, with the line that mends it, and told to
//! the log once.

use std::fmt;
#[cfg(feature = "tracing")]
use std::sync::atomic::{AtomicU32, Ordering};

#[cfg(feature = "tracing")]
use crate::semconv::event;

/// What is wrong with a set-up, as [`diagnose`](crate::diagnose) finds it. Displayed, it says so in
/// words.
///
/// ```
/// use throughline::Fault;
///
/// let fault = Fault::LayerWithoutTracer;
/// println!("{fault}. Mend it with {}", fault.mend());
/// assert!(fault.is_certain());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The OpenTelemetry layer of `tracing` has no tracer that makes spans.
    LayerWithoutTracer,
    /// The OpenTelemetry layer of `tracing` can't be told a span's links before that begins.
    LayerOutOfReach,
    /// The application's propagator reads no header that names a span.
    ContextNotCarried,
    /// No layer answers, and no provider makes spans. So is a service set up that does no tracing.
    NothingRecords,
    /// Each of the last spans was hidden from the layer.
    AllFilteredOut,
    /// None of the spans made so far was sampled.
    NothingSampled,
    /// Of the messages handled so far none had a context.
    NoMessageHasContext,
    /// Some of the messages handled so far had a context that can't be read.
    UnreadableContexts,
}

/// What there is to say of a fault.
struct Said {
    name: &'static str,
    words: &'static str,
    mend: &'static str,
}

impl Fault {
    /// Whether it can only be a mistake. The others may be meant: see [`diagnose`](crate::diagnose).
    ///
    /// ```
    /// use throughline::Fault;
    /// assert!(!Fault::NothingSampled.is_certain()); // a sampler may keep one trace in a million
    /// ```
    pub fn is_certain(self) -> bool {
        matches!(self, Self::LayerWithoutTracer | Self::LayerOutOfReach | Self::ContextNotCarried)
    }

    /// A name for it, for a health report or an alert. These names are under semver.
    ///
    /// ```
    /// assert_eq!(throughline::Fault::NothingSampled.name(), "nothing_sampled");
    /// ```
    pub fn name(self) -> &'static str {
        self.said().name
    }

    /// The line of code that mends it, or the command that finds it.
    ///
    /// ```
    /// assert!(throughline::Fault::LayerOutOfReach.mend().contains("cargo tree -i"));
    /// ```
    pub fn mend(self) -> &'static str {
        self.said().mend
    }

    fn said(self) -> Said {
        match self {
            Self::LayerWithoutTracer => Said {
                name: "layer_without_tracer",
                words: "the OpenTelemetry layer of `tracing` has no tracer, or one that was made \
                        before a provider was installed: no span is made",
                mend: "`tracing_opentelemetry::layer().with_tracer(provider.tracer(\"shop\"))`",
            },
            Self::LayerOutOfReach => Said {
                name: "layer_out_of_reach",
                words: "the OpenTelemetry layer of `tracing` is behind `reload`, or of another \
                        version than tracing-opentelemetry 0.34: samplers don't see the links and \
                        attributes of a span",
                mend: "`layer.with_filter(reloadable_filter)`, with only the filter behind \
                       `reload`; or see `cargo tree -i tracing-opentelemetry`, which has to show \
                       0.34 and no other",
            },
            Self::ContextNotCarried => Said {
                name: "context_not_carried",
                words: "the application's propagator reads no header that names a span: no message \
                        has a context",
                mend: "`throughline::propagation::set_global()`, or with none at all: then throughline \
                       has one of its own",
            },
            Self::NothingRecords => Said {
                name: "nothing_records",
                words: "no OpenTelemetry layer of tracing-opentelemetry 0.34 answers, and no \
                        global provider of opentelemetry 0.33 makes spans: nothing is recorded",
                mend: "`opentelemetry::global::set_tracer_provider(provider)`, or \
                       `registry().with(tracing_opentelemetry::layer().with_tracer(provider.tracer(\"shop\")))`. \
                       If one of them is there, it is of another version: see \
                       `cargo tree -i tracing-opentelemetry` and `cargo tree -i opentelemetry`",
            },
            Self::AllFilteredOut => Said {
                name: "all_filtered_out",
                words: "a filter hides the last spans from the OpenTelemetry layer, or the layer's \
                        provider is shut down",
                mend: "`EnvFilter::new(\"info\")`, or what else lets the handlers' level and target \
                       through; `level` and `target` on a handler change them",
            },
            Self::NothingSampled => Said {
                name: "nothing_sampled",
                words: "the sampler has kept none of the spans so far",
                mend: "`.with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))` on the \
                       provider; under `continue` the sender has decided",
            },
            Self::NoMessageHasContext => Said {
                name: "no_message_has_context",
                words: "no message so far had a context: its sender writes none, or its headers are \
                        lost on the way",
                mend: "`#[async_producer]` on the function that sends. \
                       `EnvFilter::new(\"info,throughline=debug\")` logs the handlers that miss it",
            },
            Self::UnreadableContexts => Said {
                name: "unreadable_contexts",
                words: "some messages so far had a context that can't be read",
                mend: "`EnvFilter::new(\"info,throughline=debug\")`, which logs the handlers that \
                       get such",
            },
        }
    }

    /// Tells the log of it, once in the life of the process: at WARN what can only be a mistake, at
    /// DEBUG what may be meant. Outside of any span: it is not the work of a handler, and a bridge
    /// copies onto a span what is told in it.
    #[cfg(feature = "tracing")]
    pub(crate) fn tell(self) {
        static TOLD: AtomicU32 = AtomicU32::new(0);
        let bit = 1 << self as u32;
        // What the event leads to may show the fault again, so it counts as told before it is.
        let is_first = || TOLD.fetch_or(bit, Ordering::Relaxed) & bit == 0;
        macro_rules! tell_at {
            ($level:ident) => {
                if tracing::enabled!(target: "throughline", tracing::Level::$level) && is_first() {
                    tracing::event!(
                        name: event::FAULT,
                        target: "throughline",
                        parent: None,
                        tracing::Level::$level,
                        { event::FAULT_NAME } = self.name(),
                        "{self}. Mend it with {}",
                        self.mend()
                    );
                }
            };
        }
        match (TOLD.load(Ordering::Relaxed) & bit, self.is_certain()) {
            (0, true) => tell_at!(WARN),
            (0, false) => tell_at!(DEBUG),
            _ => {}
        }
    }

    #[cfg(not(feature = "tracing"))]
    #[expect(clippy::unused_self, reason = "without `tracing` there is no log")]
    pub(crate) fn tell(self) {}
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.said().words)
    }
}
