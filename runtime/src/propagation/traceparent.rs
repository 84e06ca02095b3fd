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
    let (known, rest) = trim_whitespace(header).split_first_chunk::<LENGTH>()?;
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
    let [high, low, span_id] = words(known)?;
    if high | low == 0 || span_id == 0 {
        return None;
    }
    let trace_id = TraceId::from(u128::from(high) << 64 | u128::from(low));
    let flags = TraceFlags::new(byte(known[53], known[54])?) & KNOWN_FLAGS;
    Some(Traceparent { trace_id, span_id: SpanId::from(span_id), flags })
}

/// The header of a context, in version 00; `None` where it names no span.
pub(crate) fn print(context: &SpanContext) -> Option<String> {
    print_with(context, context.trace_flags())
}

/// The same with other flags.
pub(crate) fn print_with(context: &SpanContext, flags: TraceFlags) -> Option<String> {
    if !context.is_valid() {
        return None;
    }
    let mut header = String::with_capacity(LENGTH);
    push_hex(&mut header, &[0]);
    header.push('-');
    push_hex(&mut header, &context.trace_id().to_bytes());
    header.push('-');
    push_hex(&mut header, &context.span_id().to_bytes());
    header.push('-');
    push_hex(&mut header, &[(flags & KNOWN_FLAGS).to_u8()]);
    Some(header)
}

fn push_hex(to: &mut String, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        to.push(char::from(DIGITS[usize::from(byte >> 4)]));
        to.push(char::from(DIGITS[usize::from(byte & 0xf)]));
    }
}

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

/// The numbers that the digits of both ids stand for, in words of sixteen digits.
#[inline]
fn words(header: &[u8; LENGTH]) -> Option<[u64; 3]> {
    let digits = |at: usize| header[at..].first_chunk().copied().map(u64::from_be_bytes);
    let (high, wrong_in_high) = word(digits(3)?, digits(11)?);
    let (low, wrong_in_low) = word(digits(19)?, digits(27)?);
    let (span_id, wrong_in_span_id) = word(digits(36)?, digits(44)?);
    (wrong_in_high | wrong_in_low | wrong_in_span_id == 0).then_some([high, low, span_id])
}

/// The number that two times eight digits stand for, and zero if they are digits.
// Called rather than written out three times: code that is run through but once for a message has to be
// fetched for it.
#[inline(never)]
fn word(high: u64, low: u64) -> (u64, u64) {
    let (high, wrong_in_high) = half_word(high);
    let (low, wrong_in_low) = half_word(low);
    (high << 32 | low, wrong_in_high | wrong_in_low)
}

/// The number that eight digits stand for, and zero if they are digits: looked at all at once, one byte of
/// a word is one digit.
#[inline]
fn half_word(digits: u64) -> (u64, u64) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Whatever stands there, each is less than 25, so that nothing is carried from one to the next.
    let values = (digits & (0x0f * ONES)) + ((digits >> 6) & ONES) * 9;
    // Printed anew they are what they were, if they are digits. Some letters past `f` are as well, as more
    // than 15.
    let are_letters = ((values + 6 * ONES) >> 4) & ONES;
    let printed = values + u64::from(b'0') * ONES + are_letters * u64::from(b'a' - b'0' - 10);
    let wrong = (printed ^ digits) | (values & (0xf0 * ONES));
    // Pairs of digits are put together, then pairs of those.
    let values = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let values = (values | values >> 8) & 0x0000_ffff_0000_ffff;
    ((values | values >> 16) & 0xffff_ffff, wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str) -> Option<SpanContext> {
        super::parse(header.as_bytes()).map(|it| it.with_state(TraceState::NONE))
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
