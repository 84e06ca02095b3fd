//! What listens to `tracing` on a thread.

/// An OpenTelemetry layer, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "then nobody listens"))]
pub(crate) enum Listener {
    /// There is no subscriber, or one that wants nothing.
    Nobody,
    /// A subscriber in which no layer answers that we know.
    NoLayer,
    Layer,
    /// A layer whose tracer makes no spans.
    LayerWithoutTracer,
    /// A layer that makes spans and answers nothing.
    LayerOutOfReach,
}

impl Listener {
    /// What listens on this thread.
    pub(crate) fn here() -> Self {
        #[cfg(feature = "tracing")]
        return super::bridge::listening::listener();
        #[cfg(not(feature = "tracing"))]
        Self::Nobody
    }

    pub(crate) fn is_a_layer(self) -> bool {
        !matches!(self, Self::Nobody | Self::NoLayer)
    }
}
