//! A diagnosis in words, for a person who looks for missing spans.

use std::fmt;

use super::Diagnosis;
use crate::carrier::GlobalPropagator;
use crate::span::{Listener, Noted, Way};

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fields, listener, spans, contexts, .. } = self;
        let propagator = match (self.global_propagator, self.carries("baggage")) {
            (GlobalPropagator::None, _) => {
                "throughline's own, for the application has set no propagator"
            }
            (GlobalPropagator::Ours, _) => "throughline's own, set as the global propagator",
            (GlobalPropagator::Applications, true) => "by the application's propagator",
            (GlobalPropagator::Applications, false) => {
                "by the application's propagator; baggage does not travel"
            }
        };
        writeln!(f, "contexts: in {}; {propagator}", fields.join(", "))?;
        writeln!(f, "tracing: {}", words_of_listener(*listener))?;
        let provider = match (self.provider_is_in_use, self.provider_is_installed) {
            (true, _) => "not looked at, as one was handed to `use_provider`",
            (false, true) => "one is installed",
            (false, false) => "none is installed",
        };
        writeln!(f, "global provider: {provider}")?;
        write_spans(f, spans)?;
        writeln!(
            f,
            "messages: {} with a context, {} without, {} with one that can't be read",
            contexts.readable, contexts.none, contexts.unreadable
        )?;
        for fault in &self.faults {
            let unless = if fault.is_certain() { "" } else { ", unless it is meant" };
            write!(f, "\nfault{unless}: {fault}\n  mend it with {}", fault.mend())?;
        }
        if self.faults.is_empty() {
            write!(f, "\nno fault can be seen")?;
        }
        Ok(())
    }
}

fn words_of_listener(listener: Listener) -> &'static str {
    match listener {
        Listener::Nobody if cfg!(feature = "tracing") => "no subscriber listens on this thread",
        Listener::Nobody => "the feature is off",
        Listener::NoLayer => {
            "a subscriber listens, and no OpenTelemetry layer of tracing-opentelemetry 0.34 answers. \
             If it has one, that is of another version: see `cargo tree -i tracing-opentelemetry`; \
             such a layer has exported a span `throughline probe`"
        }
        Listener::Layer => "an OpenTelemetry layer answers",
        Listener::LayerWithoutTracer => "an OpenTelemetry layer answers that makes no spans",
        Listener::LayerOutOfReach => "an OpenTelemetry layer listens that can't be reached",
    }
}

fn write_spans(f: &mut fmt::Formatter<'_>, spans: &Noted) -> fmt::Result {
    write!(f, "spans: {} made, {} of them sampled", spans.made(), spans.sampled())?;
    for way in Way::ALL.into_iter().filter(|way| spans.count(*way) > 0) {
        write!(f, "; {} {}", spans.count(way), words_of_way(way))?;
    }
    writeln!(f)?;
    let runs = spans.last.chunk_by(|one, other| one == other);
    for (place, run) in runs.enumerate() {
        let (way, is_sampled) = run[0];
        let before = if place == 0 { "the last: " } else { ", before that " };
        let sampled = match (way.makes_a_span(), is_sampled) {
            (false, _) => "",
            (true, true) => " and sampled",
            (true, false) => " and not sampled",
        };
        write!(f, "{before}{} {}{sampled}", run.len(), words_of_way(way))?;
    }
    if spans.last.is_empty() { Ok(()) } else { writeln!(f) }
}

fn words_of_way(way: Way) -> &'static str {
    match way {
        Way::Layer => "through the OpenTelemetry layer",
        Way::LayerOutOfReach => "through an OpenTelemetry layer that can't be reached",
        Way::Api => "by OpenTelemetry's API",
        Way::FilteredOut => "filtered out",
        Way::WithoutTracer => "lost in a layer that makes no spans",
        Way::WithoutProvider => "not made, as no provider makes any",
        Way::SwitchedOff => "switched off",
        Way::Suppressed => "suppressed",
    }
}
