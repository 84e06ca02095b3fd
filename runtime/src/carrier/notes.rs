//! What the sending side notes beside the context, in headers of our own. Their names and forms are
//! under semver.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{SpanContext, TraceState};

use super::reader::Known;
use crate::propagation::traceparent;
use crate::rare::Rare;

/// When the message was sent, in milliseconds since 1970: where a protocol has no time of its own.
pub(super) const SENT: &str = "throughline-sent";
/// `1`: the sender asks for a new trace.
pub(super) const BREAK: &str = "throughline-break";
/// The `traceparent` of an attempt to handle the message that failed.
pub(super) const ATTEMPT: &str = "throughline-attempt";

pub(super) const NAMES: [&str; 3] = [SENT, BREAK, ATTEMPT];

/// The notes of one message.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Notes {
    pub(crate) sent: Option<SystemTime>,
    pub(crate) asks_for_new_trace: bool,
    /// Boxed, for it is rare, and a payload with its context is to stay small.
    pub(crate) failed_attempt: Rare<Box<SpanContext>>,
}

impl Notes {
    /// A note that can't be read is none.
    #[cold]
    pub(super) fn read<'h>(&mut self, header: impl Fn(Known) -> Option<&'h str>) {
        if let Some(sent) = header(Known::Sent) {
            let milliseconds = sent.trim().parse().ok().map(Duration::from_millis);
            self.sent = milliseconds.and_then(|since| UNIX_EPOCH.checked_add(since));
        }
        if let Some(text) = header(Known::Break) {
            self.asks_for_new_trace = text.trim() == "1";
        }
        if let Some(attempt) = header(Known::Attempt) {
            let attempt = traceparent::parse(attempt.as_bytes());
            *self.failed_attempt = attempt.map(|it| Box::new(it.with_state(TraceState::NONE)));
        }
    }

    /// What bears on the traces of whoever handles the message.
    pub(super) fn write_what_is_asked(&self, set_header: &mut dyn FnMut(&str, &str)) {
        if self.asks_for_new_trace {
            set_header(BREAK, "1");
        }
        if let Some(attempt) = self.failed_attempt.as_deref().and_then(traceparent::print) {
            set_header(ATTEMPT, attempt.as_str());
        }
    }

    pub(super) fn write_when_sent(&self, set_header: &mut dyn FnMut(&str, &str)) {
        let since_1970 = self.sent.and_then(|sent| sent.duration_since(UNIX_EPOCH).ok());
        let milliseconds = since_1970.and_then(|since| u64::try_from(since.as_millis()).ok());
        if let Some(milliseconds) = milliseconds {
            set_header(SENT, digits(milliseconds, &mut [0; MOST_DIGITS]));
        }
    }
}

/// Those of [`u64::MAX`].
const MOST_DIGITS: usize = 20;

/// A number as text, without an allocation and what formatting takes.
fn digits(mut number: u64, text: &mut [u8; MOST_DIGITS]) -> &str {
    let mut first = MOST_DIGITS;
    for digit in text.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        first -= 1;
        if number == 0 {
            break;
        }
    }
    std::str::from_utf8(&text[first..]).unwrap_or_default()
}

/// The time now, where there is a clock.
#[cfg(not(all(target_arch = "wasm32", not(target_os = "wasi"))))]
#[expect(clippy::unnecessary_wraps, reason = "on wasm32 without a host there is no clock")]
pub(crate) fn now() -> Option<SystemTime> {
    Some(SystemTime::now())
}

/// There is no clock to ask on wasm32 without a host.
#[cfg(all(target_arch = "wasm32", not(target_os = "wasi")))]
pub(crate) fn now() -> Option<SystemTime> {
    None
}

/// How long ago that was. Clocks differ: what is sent in the future is of age zero.
pub(crate) fn age(sent: SystemTime) -> Option<Duration> {
    now().map(|now| now.duration_since(sent).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_full() {
        for (number, text) in
            [(0, "0"), (1_732_000_000_123, "1732000000123"), (u64::MAX, "18446744073709551615")]
        {
            assert_eq!(digits(number, &mut [0; MOST_DIGITS]), text);
        }
    }
}
