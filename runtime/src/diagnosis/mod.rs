//! What can be known of how telemetry is set up, in words.

mod contexts;
mod words;

use std::borrow::Cow;

pub(crate) use contexts::Contexts;

use crate::carrier::{self, GlobalPropagator};
use crate::fault::Fault;
use crate::span::{Listener, Noted, Way, a_provider_is_in_use, a_provider_is_installed};

/// Looks at how telemetry is set up, and at what became of the spans and messages so far; the answer
/// says it in words, with the line of code that mends what is wrong.
///
/// Ask where handlers run, after the set-up, and again after the first messages: the propagator, the
/// subscriber of this thread and the global provider are looked at now, everything else is what
/// handlers, producers and tasks have seen until now.
///
/// The log is told once of a fault that can only be a mistake ([`Fault::is_certain`]): an event
/// `throughline.fault` at WARN with the target `throughline`, when the first message shows it. That
/// nothing records may be meant, as in a service without tracing or in tests, and is told at DEBUG.
/// The rest is told to those who ask. Messages without a context, and those whose context can't be
/// read, are told at DEBUG too, in events `throughline.context.missing`.
///
/// Some things can't be known. A layer of another version than tracing-opentelemetry 0.34 looks like
/// none at all, unless it shares our version of `opentelemetry`; so does one behind `reload` that is
/// without context activation too. A provider that was shut down looks like a filter where a layer
/// listens, and like none elsewhere.
///
/// To find out what listens, it makes a span called `throughline probe` that is not exported. (A
/// layer of another version does export it, and a formatter that logs the beginnings and ends of
/// spans shows it.)
///
/// ```
/// let diagnosis = throughline::diagnose();
/// println!("{diagnosis}");
/// // For a health report:
/// let broken = diagnosis.faults().iter().any(|fault| fault.is_certain());
/// assert!(!broken);
/// ```
pub fn diagnose() -> Diagnosis {
    let (fields, global_propagator) = carrier::carried();
    let mut diagnosis = Diagnosis {
        fields,
        global_propagator,
        listener: Listener::here(),
        provider_is_in_use: a_provider_is_in_use(),
        provider_is_installed: a_provider_is_installed(),
        spans: Noted::until_now(),
        contexts: Contexts::until_now(),
        faults: Vec::new(),
    };
    diagnosis.faults = diagnosis.find_faults();
    diagnosis
}

/// What [`diagnose`] has found. Displayed, it says so in words.
///
/// ```
/// use throughline::{Fault, Traced};
///
/// throughline::consume("charge_card").run_sync(&Traced::new(7), || ());
/// let diagnosis = throughline::diagnose();
/// assert!(diagnosis.carries("traceparent"));
/// assert_eq!(diagnosis.messages_without_context(), 1); // nothing was active where it was made
/// assert_eq!((diagnosis.messages_with_context(), diagnosis.messages_unreadable()), (0, 0));
/// assert_eq!((diagnosis.spans_made(), diagnosis.spans_sampled()), (0, 0)); // there is no provider
/// assert!(diagnosis.faults().contains(&Fault::NothingRecords));
/// ```
#[derive(Debug, Clone)]
#[must_use = "it only tells"]
pub struct Diagnosis {
    /// The headers by which contexts travel.
    fields: Vec<Cow<'static, str>>,
    global_propagator: GlobalPropagator,
    listener: Listener,
    /// Whether one was handed over.
    provider_is_in_use: bool,
    /// Whether that or the global one makes spans.
    provider_is_installed: bool,
    spans: Noted,
    contexts: Contexts,
    faults: Vec<Fault>,
}

impl Diagnosis {
    /// What is wrong, or may be.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whether contexts travel in a header of this name, without regard to case.
    pub fn carries(&self, header: &str) -> bool {
        self.fields.iter().any(|field| field.eq_ignore_ascii_case(header))
    }

    /// How many spans were made for handlers, producers and tasks, in either world.
    pub fn spans_made(&self) -> usize {
        self.spans.made()
    }

    /// How many of them were sampled.
    pub fn spans_sampled(&self) -> usize {
        self.spans.sampled()
    }

    /// How many of the messages handled had a context. Those under `ignore` are not counted, here and
    /// below.
    pub fn messages_with_context(&self) -> usize {
        self.contexts.readable
    }

    /// How many had none.
    pub fn messages_without_context(&self) -> usize {
        self.contexts.none
    }

    /// How many had one that can't be read.
    pub fn messages_unreadable(&self) -> usize {
        self.contexts.unreadable
    }

    fn find_faults(&self) -> Vec<Fault> {
        let Self { spans, contexts, listener, .. } = self;
        let is_carried = self.fields.iter().any(|field| carrier::names_an_origin(field));
        let any = |which: Way| spans.last.iter().any(|(way, _)| *way == which);
        let all = |which: fn(Way) -> bool| spans.last.iter().all(|(way, _)| which(*way));
        let may_record = self.provider_is_installed || listener.is_a_layer();
        let were_asked_for = !spans.last.is_empty();
        let have_no_context = contexts.none > 0 && contexts.readable + contexts.unreadable == 0;
        [
            (
                Fault::LayerWithoutTracer,
                *listener == Listener::LayerWithoutTracer || any(Way::WithoutTracer),
            ),
            (
                Fault::LayerOutOfReach,
                *listener == Listener::LayerOutOfReach || any(Way::LayerOutOfReach),
            ),
            (Fault::ContextNotCarried, !is_carried),
            (Fault::NothingRecords, !may_record && all(|way| !way.makes_a_span())),
            (Fault::AllFilteredOut, were_asked_for && all(|way| way == Way::FilteredOut)),
            (Fault::NothingSampled, spans.made() > 0 && spans.sampled() == 0),
            (Fault::NoMessageHasContext, is_carried && have_no_context),
            (Fault::UnreadableContexts, contexts.unreadable > 0),
        ]
        .into_iter()
        .filter_map(|(fault, is_there)| is_there.then_some(fault))
        .collect()
    }
}
