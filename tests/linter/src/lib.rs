//! A linter of OpenTelemetry's conventions: it holds the spans and the metrics that a service sends by OTLP against what
//! the conventions and other registries in their form declare.
//!
//! It finds what the live check of OpenTelemetry Weaver finds, by the same names and levels, and what that can't know of
//! messaging: kinds, names, and attributes that belong to another system.
//!
//! ```
//! use throughline_test_linter::{Level, Registry, lint_spans};
//! use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
//!
//! let span = Span { name: "work".into(), ..Span::default() };
//! let of_scope = ScopeSpans { spans: vec![span], ..ScopeSpans::default() };
//! let sent = ResourceSpans { scope_spans: vec![of_scope], ..ResourceSpans::default() };
//!
//! let findings = lint_spans(&Registry::conventions(), &[sent]);
//! let missing = findings.all(Level::Violation).find(|it| it.message.contains("service.name"));
//! assert_eq!(missing.map(|it| it.place.as_str()), Some("resource"));
//! ```

mod finding;
mod receiver;
mod registry;
mod rules;

pub use finding::{Finding, Findings, Level};
pub use receiver::{Received, Receiver};
pub use registry::{Attribute, Attributes, Metric, Registry, RequirementLevel, SpanType, Type};
pub use rules::{lint_metrics, lint_spans};
