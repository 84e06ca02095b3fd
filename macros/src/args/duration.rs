//! `within = "15m"`: a time span, read when the handler is compiled.

use std::time::Duration;

/// What is accepted, as an error shows it.
pub(super) const ACCEPTED: &str =
    "numbers with the units `ms`, `s`, `m`, `h` and `d`, as in \"15m\", \"1h30m\" or \"500ms\"";

/// The time span that `text` names.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let number: u64 = match number.parse() {
            Ok(number) => number,
            Err(_) if number.is_empty() => return Err(refused(rest)),
            Err(_) => return Err("this time span is too long".to_owned()),
        };
        let one = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(60 * 60),
            "d" => Duration::from_secs(24 * 60 * 60),
            _ => return Err(refused(&rest[digits..])),
        };
        total = u32::try_from(number)
            .ok()
            .and_then(|number| one.checked_mul(number))
            .and_then(|part| total.checked_add(part))
            .ok_or("this time span is too long")?;
        rest = tail.trim_start();
    }
    if total.is_zero() {
        return Err(format!("this is no time at all: write {ACCEPTED}"));
    }
    Ok(total)
}

fn refused(from: &str) -> String {
    let from = from.trim();
    if from.is_empty() {
        format!("this time span has no unit: write {ACCEPTED}")
    } else {
        format!("`{from}` is no unit of time: write {ACCEPTED}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_and_their_sums() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("15m"), Ok(Duration::from_secs(900)));
        assert_eq!(parse("2d"), Ok(Duration::from_secs(172_800)));
        assert_eq!(parse("1h30m"), parse("90m"));
        assert_eq!(parse(" 1h 30m "), parse("90m"));
    }

    #[test]
    fn what_is_no_time_span_is_refused_in_words_that_show_the_units() {
        for text in ["", "15", "m", "15 minutes", "15min", "-1s", "1.5h", "0s"] {
            let words = parse(text).expect_err(text);
            assert!(words.contains("`ms`, `s`, `m`, `h` and `d`"), "{text}: {words}");
        }
        assert!(parse("99999999999999999999s").is_err());
        assert!(parse("9999999999d").is_err());
    }
}
