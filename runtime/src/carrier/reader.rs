//! One pass over a message's headers, keeping what bears on tracing.

use std::borrow::Cow;

use opentelemetry::KeyValue;
use opentelemetry::propagation::Extractor;

use super::captured::Captured;
use super::propagator::Propagator;
use super::{TraceContext, notes};
use crate::propagation::{BAGGAGE, TRACEPARENT, TRACESTATE};
use crate::rare::Rare;

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
    pub(super) fn into_text(self) -> Option<Cow<'m, str>> {
        match self.0 {
            Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        }
    }

    fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    fn of_text(text: Cow<'m, str>) -> Self {
        Self(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        })
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
    held: Held<'m>,
    context: Option<&'m TraceContext>,
    repeats: Repeats,
    /// What few messages have and few handlers want.
    more: Rare<Box<More<'m>>>,
}

/// What is there once, and what the message holds as bytes, each at the place of its name: there is
/// nothing to allocate or to drop.
#[derive(Debug, Default)]
struct Held<'m> {
    bytes: [Option<&'m [u8]>; Known::ALL.len()],
    /// Those that are there, also where they are found in place of being held.
    which: AnyKnown,
    /// Those that go by their very name, not by another casing of it.
    exact: AnyKnown,
}

/// Some of the known headers: a bit for each, so that to look for several is to look once.
#[derive(Debug, Clone, Copy, Default)]
struct AnyKnown(u8);

#[derive(Debug, Default)]
struct More<'m> {
    /// All headers that there are, in place of those that are known: for a propagator that may look for any
    /// name.
    all: Option<All<'m>>,
    captured: Option<Captured<'m>>,
    /// In place of those that are held, as soon as there is something that can't be.
    found: Option<AnyFound<'m>>,
}

/// A header and its value as it came; none where repeats of it contradict each other.
type Header<'m> = (Cow<'m, str>, Option<HeaderValue<'m>>);

#[derive(Debug, Default)]
struct All<'m> {
    headers: Vec<Header<'m>>,
    may_have_notes: bool,
}

/// Also what is made for its reader, and what was found at a place that has one already.
#[derive(Debug, Default)]
struct AnyFound<'m> {
    first: [Option<Found<'m>>; Known::ALL.len()],
    repeated: Vec<(Known, Found<'m>)>,
}

#[derive(Debug)]
struct Found<'m> {
    is_exact: bool,
    value: Option<HeaderValue<'m>>,
}

/// What we read and write where the application has set no propagator, in the order of its worth: where
/// a message has no room for all, the last are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Traceparent,
    Break,
    Attempt,
    Tracestate,
    Baggage,
    Sent,
}

impl Known {
    pub(super) const ALL: [Self; 6] = [
        Self::Traceparent,
        Self::Break,
        Self::Attempt,
        Self::Tracestate,
        Self::Baggage,
        Self::Sent,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Traceparent => TRACEPARENT,
            Self::Break => notes::BREAK,
            Self::Attempt => notes::ATTEMPT,
            Self::Tracestate => TRACESTATE,
            Self::Baggage => BAGGAGE,
            Self::Sent => notes::SENT,
        }
    }

    /// Which one it is, in whatever casing, and whether in the very casing.
    #[inline]
    pub(super) fn of(name: &str) -> Option<(Self, bool)> {
        match name {
            // Those that most messages have, and by that name: letter by letter costs more.
            TRACEPARENT => Some((Self::Traceparent, true)),
            TRACESTATE => Some((Self::Tracestate, true)),
            BAGGAGE => Some((Self::Baggage, true)),
            _ => {
                let known = Self::of_length(name.len())?;
                let is_it = known.name().eq_ignore_ascii_case(name);
                is_it.then(|| (known, known.name() == name))
            }
        }
    }

    /// Every name is of another length, so that most headers cost a look at theirs.
    const fn of_length(length: usize) -> Option<Self> {
        Some(match length {
            11 => Self::Traceparent,
            17 => Self::Break,
            19 => Self::Attempt,
            10 => Self::Tracestate,
            7 => Self::Baggage,
            16 => Self::Sent,
            _ => return None,
        })
    }
}

impl<'m> HeaderReader<'m> {
    #[inline]
    pub(super) fn new(propagator: Propagator, capture: &'m [&'m str]) -> Self {
        let wants_all = propagator == Propagator::Applications;
        let wants_more = wants_all || !capture.is_empty();
        Self {
            held: Held::default(),
            context: None,
            repeats: Repeats::default(),
            more: wants_more.then(|| More::wanted(wants_all, capture)).into(),
        }
    }

    /// Takes one header.
    #[inline]
    pub fn header(&mut self, name: &'m str, value: impl Into<HeaderValue<'m>>) {
        if self.may_want(name) {
            self.take(Cow::Borrowed(name), value.into());
        }
    }

    /// Takes one header whose name the message does not hold as text, but makes.
    pub fn header_named(&mut self, name: String, value: impl Into<HeaderValue<'m>>) {
        if self.may_want(&name) {
            self.take(Cow::Owned(name), value.into());
        }
    }

    /// Most headers are none of ours, and cost no more than this.
    #[inline]
    fn may_want(&self, name: &str) -> bool {
        self.more.is_some() || Known::of_length(name.len()).is_some()
    }

    #[inline]
    fn take(&mut self, name: Cow<'m, str>, value: HeaderValue<'m>) {
        let is_held = match &value {
            HeaderValue(Cow::Borrowed(bytes)) => {
                self.more.is_none() && self.held.take(&name, bytes)
            }
            HeaderValue(Cow::Owned(_)) => false,
        };
        if !is_held {
            self.take_with_more(name, value);
        }
    }

    #[cold]
    fn take_with_more(&mut self, name: Cow<'m, str>, value: HeaderValue<'m>) {
        let More { all, captured, found } = &mut **self.more.get_or_insert_default();
        if let Some(captured) = captured {
            captured.look_at(&name, &value);
        }
        if let Some(all) = all {
            all.push(name, value);
        } else if let Some((known, is_exact)) = Known::of(&name) {
            let found = found.get_or_insert_with(|| AnyFound::of(&self.held));
            found.add(known, Found { is_exact, value: Some(value) });
            self.held.which.add(known);
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

    /// The headers, where that is all there is to it.
    #[inline]
    pub(super) fn only_held(&self) -> Option<KnownHeaders<'_, 'm>> {
        let is_all = self.more.is_none() && self.context.is_none();
        is_all.then_some(KnownHeaders { held: &self.held, found: None })
    }

    /// A whole context if there is one.
    #[inline]
    pub(super) fn whole_context(&self) -> Option<&'m TraceContext> {
        self.context
    }

    /// The headers to be captured, as attributes.
    #[inline]
    pub(super) fn take_captured(&mut self) -> Option<Vec<KeyValue>> {
        self.more.as_mut()?.take_captured()
    }

    /// All headers, with repeats settled.
    #[inline]
    pub(super) fn headers(&mut self) -> Headers<'_, 'm> {
        match &mut *self.more {
            None => Headers::Known(KnownHeaders { held: &self.held, found: None }),
            Some(more) => more.headers(&self.held, self.repeats),
        }
    }
}

impl<'m> Held<'m> {
    /// Takes a header, if it is one of ours; not where there is one of that name already.
    fn take(&mut self, name: &str, bytes: &'m [u8]) -> bool {
        // What most messages have, and no other.
        if name == TRACEPARENT {
            self.take_known(Known::Traceparent, true, bytes)
        } else {
            self.take_any(name, bytes)
        }
    }

    #[inline(never)]
    fn take_any(&mut self, name: &str, bytes: &'m [u8]) -> bool {
        let Some((known, is_exact)) = Known::of(name) else { return true };
        self.take_known(known, is_exact, bytes)
    }

    #[inline]
    fn take_known(&mut self, known: Known, is_exact: bool, bytes: &'m [u8]) -> bool {
        if self.which.has(known) {
            return false;
        }
        self.which.add(known);
        if is_exact {
            self.exact.add(known);
        }
        self.bytes[known as usize] = Some(bytes);
        true
    }

    fn found(&self, known: Known) -> Option<Found<'m>> {
        let bytes = self.bytes[known as usize]?;
        Some(Found { is_exact: self.exact.has(known), value: Some(bytes.into()) })
    }
}

impl AnyKnown {
    /// Those of our own.
    const NOTES: Self =
        Self(Self::of(Known::Break).0 | Self::of(Known::Attempt).0 | Self::of(Known::Sent).0);

    #[inline]
    const fn of(known: Known) -> Self {
        Self(1 << known as u8)
    }

    #[inline]
    fn add(&mut self, known: Known) {
        self.0 |= Self::of(known).0;
    }

    #[inline]
    fn has(self, known: Known) -> bool {
        self.has_any(Self::of(known))
    }

    #[inline]
    fn has_any(self, of_these: Self) -> bool {
        self.0 & of_these.0 != 0
    }

    #[inline]
    fn has_others_than(self, known: Known) -> bool {
        self.0 & !Self::of(known).0 != 0
    }
}

impl<'m> More<'m> {
    #[cold]
    fn wanted(wants_all: bool, capture: &'m [&'m str]) -> Box<Self> {
        Box::new(Self {
            all: wants_all.then(All::default),
            captured: (!capture.is_empty()).then(|| Captured::of(capture)),
            found: None,
        })
    }

    #[cold]
    fn take_captured(&mut self) -> Option<Vec<KeyValue>> {
        self.captured.take().map(Captured::into_attributes)
    }

    #[cold]
    fn headers<'r>(&'r mut self, held: &'r Held<'m>, repeats: Repeats) -> Headers<'r, 'm> {
        if let Some(All { headers, may_have_notes }) = self.all.take() {
            let headers = AllHeaders::new(headers, repeats);
            return Headers::All { headers, may_have_notes };
        }
        if let Some(found) = &mut self.found {
            found.settle(repeats);
        }
        Headers::Known(KnownHeaders { held, found: self.found.as_ref() })
    }
}

impl<'m> All<'m> {
    fn push(&mut self, name: Cow<'m, str>, value: HeaderValue<'m>) {
        self.may_have_notes |=
            Known::of_length(name.len()).is_some_and(|known| AnyKnown::NOTES.has(known));
        self.headers.push((name, Some(value)));
    }
}

/// The headers of Trace Context and Baggage, and our own.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownHeaders<'r, 'm> {
    held: &'r Held<'m>,
    found: Option<&'r AnyFound<'m>>,
}

impl<'r> KnownHeaders<'r, '_> {
    /// The value as it came.
    #[inline]
    pub(super) fn bytes(self, known: Known) -> Option<&'r [u8]> {
        match self.found {
            None => self.held.bytes[known as usize],
            Some(found) => found.bytes(known),
        }
    }

    #[inline]
    pub(super) fn text(self, known: Known) -> Option<&'r str> {
        std::str::from_utf8(self.bytes(known)?).ok()
    }

    /// Whether the header is there at all, readable or not.
    #[inline]
    pub(super) fn has(self, known: Known) -> bool {
        self.held.which.has(known)
    }

    /// Whether there is any but this one.
    #[inline]
    pub(super) fn has_others_than(self, known: Known) -> bool {
        self.held.which.has_others_than(known)
    }

    /// Whether there are any of our own.
    pub(super) fn has_notes(self) -> bool {
        self.held.which.has_any(AnyKnown::NOTES)
    }
}

impl<'m> AnyFound<'m> {
    fn of(held: &Held<'m>) -> Self {
        Self { first: Known::ALL.map(|known| held.found(known)), repeated: Vec::new() }
    }

    fn add(&mut self, known: Known, found: Found<'m>) {
        match &mut self.first[known as usize] {
            nothing @ None => *nothing = Some(found),
            Some(_) => self.repeated.push((known, found)),
        }
    }

    fn settle(&mut self, repeats: Repeats) {
        for (known, again) in self.repeated.drain(..) {
            let Some(first) = &mut self.first[known as usize] else { continue };
            match (first.is_exact, again.is_exact) {
                (true, false) => {}
                (false, true) => *first = again,
                _ => {
                    first.value = settle(known.name(), first.value.take(), again.value, repeats);
                }
            }
        }
    }

    #[inline(never)]
    fn bytes(&self, known: Known) -> Option<&[u8]> {
        let value = self.first[known as usize].as_ref()?.value.as_ref()?;
        Some(&value.0)
    }
}

/// The headers of one message with repeats settled.
pub(super) enum Headers<'r, 'm> {
    Known(KnownHeaders<'r, 'm>),
    All { headers: AllHeaders<'m>, may_have_notes: bool },
}

/// Each casing of a name once.
pub(super) struct AllHeaders<'m> {
    settled: Vec<Header<'m>>,
    repeats: Repeats,
}

impl<'m> AllHeaders<'m> {
    fn new(mut settled: Vec<Header<'m>>, repeats: Repeats) -> Self {
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

    /// The value under `name`, exactly or else without regard to case.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        if let Some((_, value)) = self.settled.iter().find(|(known, _)| known == name) {
            return value.as_ref()?.text();
        }
        // Of several casings none is nearer than another, and a hash map has them in any order.
        let mut casings = self.casings(name).map(|(_, value)| value.as_ref()?.text());
        match self.repeats {
            Repeats::LastCounts => casings.last().flatten(),
            Repeats::NoneCounts => {
                let first = casings.next().flatten();
                casings.all(|other| other == first).then_some(first).flatten()
            }
        }
    }

    /// Whether a header of that name is there at all, readable or not.
    pub(super) fn has(&self, name: &str) -> bool {
        self.casings(name).next().is_some()
    }

    fn casings(&self, name: &str) -> impl Iterator<Item = &Header<'m>> {
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

/// What two headers of one name come to. A value that is not text is none, but its header is there.
fn settle<'m>(
    name: &str,
    first: Option<HeaderValue<'m>>,
    second: Option<HeaderValue<'m>>,
    repeats: Repeats,
) -> Option<HeaderValue<'m>> {
    if repeats == Repeats::LastCounts {
        return second;
    }
    let is_list = [TRACESTATE, BAGGAGE].iter().any(|list| list.eq_ignore_ascii_case(name));
    let settled = match [first, second].map(|value| value.and_then(HeaderValue::into_text)) {
        [Some(first), Some(second)] if is_list => Some(Cow::Owned(format!("{first},{second}"))),
        [first, None] | [None, first] if is_list => first,
        [first, second] if first == second => first,
        _ => None,
    };
    settled.map(HeaderValue::of_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_known_in_any_casing() {
        for known in Known::ALL {
            let name = known.name();
            assert_eq!(Known::of(name), Some((known, true)));
            assert_eq!(Known::of(&name.to_uppercase()), Some((known, false)));
            let is_other = name.contains('t');
            assert_eq!(Known::of(&name.replace('t', "u")), (!is_other).then_some((known, true)));
        }
    }
}
