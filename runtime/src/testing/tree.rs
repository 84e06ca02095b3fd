//! The printed tree. Everything here is under semver: people compare it as text.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Link, SpanId, SpanKind, Status};
use opentelemetry_sdk::trace::SpanData;

use super::traces::{Span, Traces};
use crate::semconv::key;

/// Where the kinds start at the least, so that a longer name rarely moves every line.
const NAMES: usize = 34;
const KINDS: usize = 8;
/// As many links a span may have before some are only counted.
const LINKS: usize = 4;
const GAP: &str = "   ";

impl fmt::Display for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, None, f)
    }
}

impl Traces {
    /// The same tree with a column of times: when each span started, counted from the first start,
    /// and how long it took.
    ///
    /// ```
    /// # use throughline::testing;
    /// let traces = testing::capture_sync(|| {
    ///     tracing::info_span!("publish orders").in_scope(|| {});
    /// });
    /// println!("{}", traces.with_times());
    /// ```
    pub fn with_times(&self) -> WithTimes<'_> {
        WithTimes { traces: self }
    }
}

/// Prints [`Traces`] with times; made by [`Traces::with_times`].
#[derive(Clone, Copy, Debug)]
pub struct WithTimes<'t> {
    traces: &'t Traces,
}

impl fmt::Display for WithTimes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let starts = self.traces.all().into_iter();
        let first = starts.map(|span| span.data().start_time).min();
        write(self.traces, first, f)
    }
}

fn write(traces: &Traces, from: Option<SystemTime>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if traces.is_empty() {
        return f.write_str("no spans");
    }
    let numbered = numbered(traces);
    let lines: Vec<_> = traces
        .all()
        .into_iter()
        .map(|span| Line {
            trace: span.place().trace,
            name: name(span, &numbered),
            kind: span.kind(),
            times: from.map(|from| times(span.data(), from)),
            notes: notes(span).join("; "),
        })
        .collect();
    let names = lines.iter().map(|line| line.name.chars().count()).max();
    let names = names.unwrap_or(0).max(NAMES);
    let cells = || lines.iter().filter_map(|line| line.times.as_ref());
    let offsets = cells().map(|(offset, _)| offset.len()).max().unwrap_or(0);
    let durations = cells().map(|(_, took)| took.len()).max().unwrap_or(0);

    let mut trace = None;
    for line in &lines {
        if trace != Some(line.trace) {
            let gap = if trace.is_none() { "" } else { "\n" };
            write!(f, "{gap}trace {}", letters(line.trace))?;
            trace = Some(line.trace);
        }
        let times = match &line.times {
            Some((offset, took)) => format!("{GAP}{offset:>offsets$}  {took:>durations$}"),
            None => String::new(),
        };
        let (name, kind, notes) = (&line.name, line.kind, &line.notes);
        let text = format!("{name:names$}{GAP}{kind:KINDS$}{times}{GAP}{notes}");
        write!(f, "\n{}", text.trim_end())?;
    }
    Ok(())
}

struct Line {
    trace: usize,
    name: String,
    kind: &'static str,
    times: Option<(String, String)>,
    notes: String,
}

/// The names, each with its trace, whose lines need a number because something speaks of them.
fn numbered(traces: &Traces) -> HashSet<(usize, &str)> {
    let linked = traces.all().into_iter().flat_map(Span::linked).flatten();
    linked.map(|span| (span.place().trace, span.name())).collect()
}

fn name(span: Span<'_>, numbered: &HashSet<(usize, &str)>) -> String {
    let place = span.place();
    let mut name = "  ".repeat(place.depth + 1);
    name += &one_line(span.name());
    if numbered.contains(&(place.trace, span.name())) {
        name += &number(span);
    }
    name
}

/// What others call a span: `A/publish orders #2`.
pub(super) fn label(span: Span<'_>) -> String {
    let letters = letters(span.place().trace);
    format!("{letters}/{}{}", one_line(span.name()), number(span))
}

fn number(span: Span<'_>) -> String {
    let number = span.place().number;
    number.map_or(String::new(), |number| format!(" #{number}"))
}

/// A, B, .. Z, AA, AB, ..
fn letters(mut trace: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"[trace % 26]));
        trace /= 26;
        if trace == 0 {
            return letters.into_iter().rev().collect();
        }
        trace -= 1;
    }
}

pub(super) fn kind(kind: &SpanKind) -> &'static str {
    match kind {
        SpanKind::Client => "client",
        SpanKind::Server => "server",
        SpanKind::Producer => "producer",
        SpanKind::Consumer => "consumer",
        SpanKind::Internal => "internal",
    }
}

fn notes(span: Span<'_>) -> Vec<String> {
    let data = span.data();
    let mut notes = Vec::new();
    let continued = continued(data);
    match (span.parent(), continued) {
        (Some(parent), Some(_)) => notes.push(format!("continues {}", label(parent))),
        (None, Some(_)) => notes.push("continues a span outside".to_owned()),
        (None, None) if span.parent_outside().is_some() => {
            notes.push("child of a span outside".to_owned());
        }
        _ => {}
    }

    let mut by_role: BTreeMap<Cow<'_, str>, (Vec<usize>, usize)> = BTreeMap::new();
    for (index, (link, target)) in data.links.iter().zip(&span.place().targets).enumerate() {
        if Some(index) != continued {
            let (inside, outside) = by_role.entry(role(link)).or_default();
            match target {
                Some(target) => inside.push(*target),
                None => *outside += 1,
            }
        }
    }
    for (role, (inside, outside)) in by_role {
        let role = match &*role {
            "" => String::new(),
            role => format!(" ({})", one_line(role)),
        };
        let links = links(span.traces, inside, outside);
        notes.push(format!("links to {links}{role}"));
    }

    match data.links.dropped_count {
        0 => {}
        1 => notes.push("1 link dropped".to_owned()),
        dropped => notes.push(format!("{dropped} links dropped")),
    }
    match data.status {
        Status::Unset => {}
        Status::Ok => notes.push("ok".to_owned()),
        Status::Error { .. } => notes.extend(error(data)),
    }
    notes
}

/// Which of the span's links leads to its own parent, and is not there for another reason.
pub(super) fn continued(span: &SpanData) -> Option<usize> {
    let is_root = span.parent_span_id == SpanId::INVALID;
    span.links.iter().position(|link| {
        !is_root
            && link.span_context.trace_id() == span.span_context.trace_id()
            && link.span_context.span_id() == span.parent_span_id
            && role(link).is_empty()
    })
}

/// What a link leads to, when not to an origin.
pub(super) fn role(link: &Link) -> Cow<'_, str> {
    let role = link.attributes.iter().find(|attribute| attribute.key.as_str() == key::LINK_ROLE);
    role.map_or(Cow::Borrowed(""), |role| role.value.as_str())
}

/// `A/publish orders, B/publish orders, C/publish orders and 97 more`.
fn links(traces: &Traces, mut inside: Vec<usize>, outside: usize) -> String {
    inside.sort_unstable();
    let all = inside.len() + outside;
    let counted = all > LINKS && !inside.is_empty();
    let shown = if counted { LINKS - 1 } else { LINKS };
    let labels = inside.iter().take(shown);
    let mut labels: Vec<_> = labels.map(|&target| label(traces.at(target))).collect();
    if counted {
        return format!("{} and {} more", labels.join(", "), all - labels.len());
    }
    match outside {
        0 => {}
        1 => labels.push("a span outside".to_owned()),
        outside => labels.push(format!("{outside} spans outside")),
    }
    labels.join(", ")
}

/// `error: PaymentError: card refused`.
pub(super) fn error(span: &SpanData) -> Option<String> {
    let Status::Error { description } = &span.status else {
        return None;
    };
    let kind = span.attributes.iter().find(|attribute| attribute.key.as_str() == key::ERROR_TYPE);
    let mut error = "error".to_owned();
    let kind = kind.map_or(Cow::Borrowed(""), |kind| kind.value.as_str());
    for part in [&*kind, description] {
        if !part.is_empty() {
            error += ": ";
            error += &one_line(part);
        }
    }
    Some(error)
}

/// One span is one line, whatever its name or its error holds.
fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() {
            line.extend(letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    Cow::Owned(line)
}

fn times(span: &SpanData, from: SystemTime) -> (String, String) {
    let since = |from, until: SystemTime| until.duration_since(from).unwrap_or_default();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
    let offset = milliseconds(since(from, span.start_time));
    let took = milliseconds(since(span.start_time, span.end_time));
    (format!("+{offset:.2} ms"), format!("{took:.2} ms"))
}
