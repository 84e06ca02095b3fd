//! Log lines that carry trace id and span id, so that logs and traces meet (feature `fmt`).
//!
//! ```
//! use throughline::fmt::WithTraceIds;
//! use tracing_subscriber::fmt::format;
//! use tracing_subscriber::layer::SubscriberExt as _;
//!
//! let lines = tracing_subscriber::fmt::layer().event_format(WithTraceIds::text(format()));
//! let subscriber = tracing_subscriber::registry().with(lines); // and the OpenTelemetry layer
//! # let _ = subscriber;
//! ```

use std::fmt;

use opentelemetry::Context;
use opentelemetry::trace::{SpanId, TraceContextExt, TraceId};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// A formatter of `tracing` events that adds the trace id and the span id of what is active to each
/// line of another formatter: in front of a line of text, or as the first two members of a line of
/// JSON. Where nothing is active the line is as it was.
///
/// The ids are those of the span that OpenTelemetry holds for current when the event happens: a
/// handler's, or one that your code has opened inside it. Spans need no fields for them.
///
/// ```
/// use throughline::fmt::WithTraceIds;
/// use tracing_subscriber::fmt::format;
///
/// let text = WithTraceIds::text(format().compact());
/// let json = WithTraceIds::json(format().json());
/// # let _ = (text, json);
/// ```
#[derive(Debug, Clone)]
pub struct WithTraceIds<F> {
    lines: F,
    form: Form,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Json,
}

impl<F> WithTraceIds<F> {
    /// Adds `trace_id=.. span_id=..` in front of the lines of `lines`.
    pub fn text(lines: F) -> Self {
        Self { lines, form: Form::Text }
    }

    /// Adds the members `trace_id` and `span_id` to the objects that `lines` writes.
    pub fn json(lines: F) -> Self {
        Self { lines, form: Form::Json }
    }
}

impl<S, N, F> FormatEvent<S, N> for WithTraceIds<F>
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let Some((trace, span)) = active() else {
            return self.lines.format_event(context, writer, event);
        };
        match self.form {
            Form::Text => {
                write!(writer, "trace_id={trace} span_id={span} ")?;
                self.lines.format_event(context, writer, event)
            }
            Form::Json => {
                let mut object = String::new();
                self.lines.format_event(context, Writer::new(&mut object), event)?;
                match object.strip_prefix('{') {
                    Some(members) => {
                        write!(writer, r#"{{"trace_id":"{trace}","span_id":"{span}",{members}"#)
                    }
                    // No object after all: a line is never lost.
                    None => writer.write_str(&object),
                }
            }
        }
    }
}

fn active() -> Option<(TraceId, SpanId)> {
    Context::map_current(|current| {
        let span = current.span();
        let span = span.span_context();
        span.is_valid().then(|| (span.trace_id(), span.span_id()))
    })
}
