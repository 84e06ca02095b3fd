//! `traceparent`: Trace Context, section "Traceparent Header".

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The trace id was made at random: section "Random Trace ID Flag".
pub(crate) const RANDOM: TraceFlags = TraceFlags::new(0b10);

/// The flags that level 2 of the document defines: sampled and random. The others are sent as zero.
const KNOWN_FLAGS: TraceFlags = TraceFlags::new(0b11);

/// A header of version 00, and of a higher version the part that is known.
const LENGTH: usize = 55;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Traceparent {
    trace_id: TraceId,
    span_id: SpanId,
    flags: TraceFlags,
}

impl Traceparent {
    #[inline]
    pub(crate) fn with_state(self, state: TraceState) -> SpanContext {
        SpanContext::new(self.trace_id, self.span_id, self.flags, true, state)
    }
}

/// Reads a header; `None` where it is to be ignored, and a new trace to begin.
pub(crate) fn parse(header: &[u8]) -> Option<Traceparent> {
    // Most are of that length, and have no room for whitespace.
    let header = if header.len() == LENGTH { header } else { trim_whitespace(header) };
    let (known, rest) = header.split_first_chunk::<LENGTH>()?;
    // A later version may go on after a dash, this one may not: section "Versioning of traceparent".
    let may_end_so = match [known[0], known[1]] {
        [b'0', b'0'] => rest.is_empty(),
        [b'f', b'f'] => false,
        [high, low] => {
            byte(high, low)?;
            matches!(rest, [] | [b'-', ..]) && std::str::from_utf8(rest).is_ok()
        }
    };
    if !may_end_so || [known[2], known[35], known[52]] != *b"---" {
        return None;
    }
    let mut digits = [0; 48];
    digits[..32].copy_from_slice(&known[3..35]);
    digits[32..].copy_from_slice(&known[36..52]);
    let ids = bytes(&digits)?;
    let (trace_id, span_id) = ids.split_first_chunk()?;
    let trace_id = TraceId::from_bytes(*trace_id);
    let span_id = SpanId::from_bytes(*span_id.first_chunk()?);
    if trace_id == TraceId::INVALID || span_id == SpanId::INVALID {
        return None;
    }
    let flags = TraceFlags::new(byte(known[53], known[54])?) & KNOWN_FLAGS;
    Some(Traceparent { trace_id, span_id, flags })
}

/// A header that is to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printed([u8; LENGTH]);

impl Printed {
    pub(crate) fn as_str(&self) -> &str {
        // There is nothing but digits and dashes in it.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// The header of a context, in version 00; `None` where it names no span.
pub(crate) fn print(context: &SpanContext) -> Option<Printed> {
    print_with(context, context.trace_flags())
}

/// The same with other flags.
pub(crate) fn print_with(context: &SpanContext, flags: TraceFlags) -> Option<Printed> {
    if !context.is_valid() {
        return None;
    }
    let mut ids = [0; 24];
    ids[..16].copy_from_slice(&context.trace_id().to_bytes());
    ids[16..].copy_from_slice(&context.span_id().to_bytes());
    let mut header = *b"00-................................-................-..";
    let digits = digits(&ids);
    header[3..35].copy_from_slice(&digits[..32]);
    header[36..52].copy_from_slice(&digits[32..]);
    let flags = (flags & KNOWN_FLAGS).to_u8();
    [header[53], header[54]] = [digit_of(flags >> 4), digit_of(flags & 0xf)];
    Some(Printed(header))
}

/// The digits of so many bytes: as [`bytes`], the other way round.
#[inline(never)]
fn digits(bytes: &[u8; 24]) -> [u8; 48] {
    let mut digits = [0; 48];
    for (byte, digits) in bytes.iter().zip(digits.chunks_exact_mut(2)) {
        digits[0] = digit_of(byte >> 4);
        digits[1] = digit_of(byte & 0xf);
    }
    digits
}

fn digit_of(value: u8) -> u8 {
    let letter = if value > 9 { b'a' - b'0' - 10 } else { 0 };
    b'0' + value + letter
}

#[inline(never)]
fn trim_whitespace(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

fn byte(high: u8, low: u8) -> Option<u8> {
    Some(digit(high)? << 4 | digit(low)?)
}

/// Lower case alone: the document allows no other.
fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

/// The bytes that so many digits stand for.
// Without a branch for any of them: so a compiler makes it sixteen at once. And called, so that it does.
#[inline(never)]
fn bytes(digits: &[u8; 48]) -> Option<[u8; 24]> {
    const FIGURES: u8 = 10; // `0` to `9`
    const LETTERS: u8 = 6; // `a` to `f`
    let mut values = [0; 48];
    let mut wrong = 0;
    for (digit, value) in digits.iter().zip(&mut values) {
        let is_letter: u8 = if *digit > b'`' { 0xff } else { 0 };
        let from_first = digit.wrapping_sub(b'0').wrapping_sub(is_letter & (b'a' - b'0'));
        wrong |=
            from_first.wrapping_add(is_letter & (FIGURES - LETTERS)).saturating_sub(FIGURES - 1);
        *value = from_first.wrapping_add(is_letter & FIGURES);
    }
    let mut bytes = [0; 24];
    for (byte, values) in bytes.iter_mut().zip(values.chunks_exact(2)) {
        *byte = values[0] << 4 | values[1];
    }
    (wrong == 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Option<SpanContext> {
        super::parse(header.as_bytes()).map(|it| it.with_state(TraceState::NONE))
    }

    fn print(context: &SpanContext) -> Option<String> {
        super::print(context).map(|printed| printed.as_str().to_owned())
    }

    const HEADER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03";

    #[test]
    fn a_header_is_read_and_written() {
        let context = parse(HEADER).expect("a context");
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.span_id().to_string(), "b7ad6b7169203331");
        assert_eq!(context.trace_flags().to_u8(), 3);
        assert!(context.is_remote());
        assert_eq!(print(&context).as_deref(), Some(HEADER));
        assert_eq!(print(&SpanContext::NONE), None);
    }

    #[test]
    fn every_byte_at_every_place_is_a_digit_or_refused() {
        for at in (3..35).chain(36..52).chain(53..55).chain(0..2) {
            for byte in 0..=255_u8 {
                let mut header = HEADER.as_bytes().to_vec();
                header[at] = byte;
                let is_digit = matches!(byte, b'0'..=b'9' | b'a'..=b'f');
                // At its beginning, another version.
                let read = super::parse(&header);
                assert_eq!(read.is_some(), is_digit, "{byte:x} at {at}");
                if let Some(read) = read {
                    let printed = print(&read.with_state(TraceState::NONE)).expect("it is valid");
                    assert_eq!(printed.as_bytes()[3..53], header[3..53]);
                }
            }
        }
    }

    #[test]
    fn what_is_longer_shorter_or_zero_is_refused() {
        let zeros = "0".repeat(32);
        for header in [
            "",
            "00-",
            &HEADER[..54],
            &format!("{HEADER}-"),
            &format!("{HEADER}."),
            &format!("{HEADER}-what-the-future-brings"),
            &format!("0{HEADER}"),
            &format!("cc{}.", &HEADER[2..]),
            &format!("ff{}", &HEADER[2..]),
            &format!("00-{zeros}-b7ad6b7169203331-01"),
            &format!("00-0af7651916cd43dd8448eb211c80319c-{}-01", &zeros[..16]),
            "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319cé-b7ad6b716920333-01",
        ] {
            assert_eq!(parse(header), None, "{header}");
        }
    }

    #[test]
    fn what_is_not_ascii_is_refused_and_ids_may_be_zero_by_half() {
        let with = |at: usize, bytes: &[u8]| {
            let mut header = HEADER.as_bytes().to_vec();
            header[at..at + bytes.len()].copy_from_slice(bytes);
            header
        };
        for at in 0..HEADER.len() {
            for byte in 128..=255 {
                assert_eq!(super::parse(&with(at, &[byte])), None, "{byte} at {at}");
            }
        }
        for dash in [2, 35, 52] {
            for other in [b"_", b"0", b" "] {
                assert_eq!(super::parse(&with(dash, other)), None, "{other:?} at {dash}");
            }
        }
        let zeros = [b'0'; 16];
        for half in [3, 19] {
            assert!(super::parse(&with(half, &zeros)).is_some(), "zero at {half}");
        }
        // What is to come is text as well.
        let later = |more: &[u8]| super::parse(&[&with(0, b"01"), more].concat()).is_some();
        assert_eq!([later("-é".as_bytes()), later(b"-\xff")], [true, false]);
    }

    #[test]
    fn a_later_version_may_say_more_and_what_is_unknown_is_sent_as_zero() {
        for header in [
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff",
            "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff-more",
        ] {
            let context = parse(header).expect("a context");
            assert_eq!(print(&context).as_deref(), Some(HEADER));
            assert_eq!(context.trace_flags().to_u8(), 3);
        }
    }

    #[test]
    fn whitespace_around_a_header_is_none_of_it() {
        assert!(parse(&format!(" \t{HEADER}\t ")).is_some());
        assert_eq!(parse(&format!("\n{HEADER}")), None);
    }
}
