//! One pass over a message's headers, keeping what bears on tracing.

use std::borrow::Cow;

use opentelemetry::KeyValue;
use opentelemetry::propagation::Extractor;

use super::TraceContext;
use super::captured::Captured;
use super::notes;
use crate::propagation::{BAGGAGE, TRACEPARENT, TRACESTATE};

/// A header's value as the protocol has it: text or bytes.
///
/// ```
/// use throughline::HeaderValue;
///
/// let text: HeaderValue<'_> = "00-..".into();
/// let bytes: HeaderValue<'_> = vec![0x30, 0x30].into();
/// # let _ = (text, bytes);
/// ```
#[derive(Debug, Clone)]
pub struct HeaderValue<'m>(Cow<'m, [u8]>);

impl<'m> HeaderValue<'m> {
    /// The value as text; bytes that are not UTF-8 are none.
    fn into_text(self) -> Option<Cow<'m, str>> {
        match self.0 {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        }
    }
}

macro_rules! header_value_from {
    ($($from:ty => $into:expr),+ $(,)?) => {$(
        impl<'m> From<$from> for HeaderValue<'m> {
            fn from(value: $from) -> Self {
                Self($into(value))
            }
        }
    )+};
}

header_value_from! {
    &'m str => |value: &'m str| Cow::Borrowed(value.as_bytes()),
    &'m String => |value: &'m String| Cow::Borrowed(value.as_bytes()),
    &'m [u8] => Cow::Borrowed,
    &'m Vec<u8> => |value: &'m Vec<u8>| Cow::Borrowed(value.as_slice()),
    String => |value: String| Cow::Owned(value.into_bytes()),
    Vec<u8> => Cow::Owned,
}

/// What to make of a header that a message has more than once with different values.
///
/// ```
/// use throughline::{HeaderReader, Message, Repeats};
///
/// struct Record(Vec<(String, Vec<u8>)>);
///
/// impl Message for Record {
///     fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
///         reader.repeats(Repeats::LastCounts); // as Kafka's own clients have it
///         for (name, value) in &self.0 {
///             reader.header(name, value);
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Repeats {
    /// Nobody can say which is true, so none is. The default.
    #[default]
    NoneCounts,
    /// The protocol's rule is that the last one stands.
    LastCounts,
}

/// Takes a message's headers and keeps those that bear on tracing.
///
/// Names are matched exactly first, then without regard to ASCII case. Of a header that is there
/// several times, identical values count once; different ones count as [`Repeats`] says, except
/// that `tracestate` and `baggage` are lists and are joined.
///
/// ```
/// use throughline::{HeaderReader, Message, TraceContext};
///
/// /// Keeps text and bytes, and its names under a prefix.
/// struct Prefixed(Vec<(String, Vec<u8>)>);
///
/// impl Message for Prefixed {
///     fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
///         for (name, value) in &self.0 {
///             if let Some(name) = name.strip_prefix("x-trace-") {
///                 reader.header(name, value);
///             }
///         }
///     }
/// }
///
/// let sent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// let message = Prefixed(vec![("x-trace-traceparent".to_owned(), sent.as_bytes().to_vec())]);
/// assert_eq!(TraceContext::read_from(&message).traceparent().as_deref(), Some(sent));
/// ```
#[derive(Debug)]
pub struct HeaderReader<'m> {
    kept: Kept<'m>,
    repeats: Repeats,
    context: Option<&'m TraceContext>,
    captured: Captured<'m>,
}

/// A value that is not text is none, but its header is there.
type Text<'m> = Option<Cow<'m, str>>;

#[derive(Debug)]
enum Kept<'m> {
    /// The headers of Trace Context and Baggage, and our own. Each has its place, so that nothing has to
    /// be allocated for them.
    Known(Known<'m>),
    /// All, for a propagator that may look for any name.
    All(Vec<(Cow<'m, str>, Text<'m>)>),
}

/// What we read and write where the application has set no propagator, in the order of its worth: where
/// a message has no room for all, the last are left out.
pub(super) const NAMES: [&str; 6] =
    [TRACEPARENT, notes::BREAK, notes::ATTEMPT, TRACESTATE, BAGGAGE, notes::SENT];

#[derive(Debug, Default)]
struct Known<'m> {
    first: [Option<Found<'m>>; NAMES.len()],
    /// What was found at a place that has one already. Rare.
    repeated: Vec<(usize, Found<'m>)>,
}

#[derive(Debug)]
struct Found<'m> {
    /// By its very name, not by another casing of it.
    is_exact: bool,
    value: Text<'m>,
}

impl<'m> HeaderReader<'m> {
    /// For the headers of the W3C and our own.
    pub(super) fn of_known(capture: &'m [&'m str]) -> Self {
        Self::new(Kept::Known(Known::default()), capture)
    }

    /// For an application's propagator, which may look for any name.
    pub(super) fn of_all(capture: &'m [&'m str]) -> Self {
        Self::new(Kept::All(Vec::new()), capture)
    }

    fn new(kept: Kept<'m>, capture: &'m [&'m str]) -> Self {
        let (repeats, captured) = (Repeats::default(), Captured::of(capture));
        Self { kept, repeats, context: None, captured }
    }

    /// Takes one header.
    pub fn header(&mut self, name: &'m str, value: impl Into<HeaderValue<'m>>) {
        self.take(Cow::Borrowed(name), value);
    }

    /// Takes one header whose name the message does not hold as text, but makes.
    pub fn header_named(&mut self, name: String, value: impl Into<HeaderValue<'m>>) {
        self.take(Cow::Owned(name), value);
    }

    fn take(&mut self, name: Cow<'m, str>, value: impl Into<HeaderValue<'m>>) {
        let captured = self.captured.place_of(&name);
        let place = match &self.kept {
            Kept::Known(_) => place_of(&name),
            Kept::All(_) => None,
        };
        if place.is_none() && captured.is_none() && matches!(self.kept, Kept::Known(_)) {
            return;
        }
        let value = value.into().into_text();
        if let (Some(captured), Some(value)) = (captured, &value) {
            self.captured.add(captured, value.clone());
        }
        match (&mut self.kept, place) {
            (Kept::Known(known), Some(place)) => {
                known.add(place, Found { is_exact: name == NAMES[place], value });
            }
            (Kept::Known(_), None) => {}
            (Kept::All(all), _) => all.push((name, value)),
        }
    }

    /// Takes a whole context, where the message holds one as it is; it goes before any header.
    pub fn context(&mut self, context: &'m TraceContext) {
        self.context = Some(context);
    }

    /// Says what a repeated header means in the message's protocol.
    pub fn repeats(&mut self, repeats: Repeats) {
        self.repeats = repeats;
    }

    /// A whole context if there is one, else the headers; and the headers to be captured.
    pub(super) fn finish(self) -> (Result<&'m TraceContext, Headers<'m>>, Captured<'m>) {
        let carried = match (self.context, self.kept) {
            (Some(context), _) => Ok(context),
            (None, Kept::Known(known)) => Err(Headers::Known(known.settled(self.repeats))),
            (None, Kept::All(all)) => Err(Headers::All(AllHeaders::new(all, self.repeats))),
        };
        (carried, self.captured)
    }
}

/// Every name is of another length, so that most headers cost a look at theirs.
pub(super) fn place_of(name: &str) -> Option<usize> {
    let place = NAMES.iter().position(|known| known.len() == name.len())?;
    let known = NAMES[place];
    (known == name || known.eq_ignore_ascii_case(name)).then_some(place)
}

impl<'m> Known<'m> {
    fn add(&mut self, place: usize, found: Found<'m>) {
        match &mut self.first[place] {
            nothing @ None => *nothing = Some(found),
            Some(_) => self.repeated.push((place, found)),
        }
    }

    fn settled(mut self, repeats: Repeats) -> [Option<Text<'m>>; NAMES.len()] {
        for (place, again) in std::mem::take(&mut self.repeated) {
            let Some(known) = &mut self.first[place] else { continue };
            match (known.is_exact, again.is_exact) {
                (true, false) => {}
                (false, true) => *known = again,
                _ => known.value = settle(NAMES[place], known.value.take(), again.value, repeats),
            }
        }
        self.first.map(|found| found.map(|found| found.value))
    }
}

/// The headers of one message with repeats settled.
pub(super) enum Headers<'m> {
    Known([Option<Text<'m>>; NAMES.len()]),
    All(AllHeaders<'m>),
}

impl Headers<'_> {
    /// The value under `name`, exactly or else without regard to case.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        match self {
            Self::Known(known) => known[place_of(name)?].as_ref()?.as_deref(),
            Self::All(all) => all.value(name),
        }
    }

    /// Whether a header of that name is there at all, readable or not.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Known(known) => place_of(name).is_some_and(|place| known[place].is_some()),
            Self::All(all) => all.casings(name).next().is_some(),
        }
    }
}

/// Each casing of a name once.
pub(super) struct AllHeaders<'m> {
    settled: Vec<(Cow<'m, str>, Text<'m>)>,
    repeats: Repeats,
}

impl<'m> AllHeaders<'m> {
    fn new(mut settled: Vec<(Cow<'m, str>, Text<'m>)>, repeats: Repeats) -> Self {
        // Most messages repeat no header, and theirs stay where they are.
        let is_a_repeat =
            |at: &usize| settled[..*at].iter().any(|(name, _)| *name == settled[*at].0);
        let first_repeat = (1..settled.len()).find(is_a_repeat).unwrap_or(settled.len());
        for (name, value) in settled.split_off(first_repeat) {
            match settled.iter_mut().find(|(known, _)| *known == name) {
                None => settled.push((name, value)),
                Some((name, known)) => *known = settle(name, known.take(), value, repeats),
            }
        }
        Self { settled, repeats }
    }

    fn value(&self, name: &str) -> Option<&str> {
        if let Some((_, value)) = self.settled.iter().find(|(known, _)| known == name) {
            return value.as_deref();
        }
        // Of several casings none is nearer than another, and a hash map has them in any order.
        let mut casings = self.casings(name).map(|(_, value)| value.as_deref());
        match self.repeats {
            Repeats::LastCounts => casings.last().flatten(),
            Repeats::NoneCounts => {
                let first = casings.next().flatten();
                casings.all(|other| other == first).then_some(first).flatten()
            }
        }
    }

    fn casings(&self, name: &str) -> impl Iterator<Item = &(Cow<'m, str>, Text<'m>)> {
        self.settled.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name))
    }
}

impl Extractor for AllHeaders<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.value(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.settled.iter().map(|(name, _)| name.as_ref()).collect()
    }
}

fn settle<'m>(name: &str, first: Text<'m>, second: Text<'m>, repeats: Repeats) -> Text<'m> {
    let is_list = [TRACESTATE, BAGGAGE].iter().any(|list| list.eq_ignore_ascii_case(name));
    match (first, second, repeats) {
        (_, last, Repeats::LastCounts) => last,
        (Some(first), Some(second), _) if is_list => Some(Cow::Owned(format!("{first},{second}"))),
        (first, None, _) | (None, first, _) if is_list => first,
        (first, second, _) if first == second => first,
        _ => None,
    }
}

/// What reading one message's context came to.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) context: TraceContext,
    /// A context was there and could not be read.
    pub(crate) unreadable: bool,
    /// None could be read: the application's propagator knows no header that names a span.
    pub(crate) not_carried: bool,
    /// The headers that were to be captured, as attributes.
    pub(crate) captured: Vec<KeyValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_of_another_length() {
        for (place, name) in NAMES.into_iter().enumerate() {
            assert_eq!(place_of(name), Some(place));
            assert_eq!(place_of(&name.to_uppercase()), Some(place));
            assert_eq!(
                place_of(&name.replace('t', "u")),
                if name.contains('t') { None } else { Some(place) }
            );
        }
    }
}
