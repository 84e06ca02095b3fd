//! `baggage`: Baggage, section "Baggage HTTP Header Format".

use std::borrow::Cow;

use opentelemetry::baggage::Baggage;

/// What a header may have at most: section "Limits".
const MAX_BYTES: usize = 8192;
const MAX_MEMBERS: usize = 64;

/// Reads a list; a header that is there several times is one list, joined by commas. A member that is
/// not valid is left out, and what comes after as much as has to be read; of a key that is there
/// several times the last counts.
pub(crate) fn parse(list: &str) -> Baggage {
    let mut baggage = Baggage::new();
    // A list that is too long is read as far as whole members go.
    let mut read = 0;
    for member in list.split(',').take(MAX_MEMBERS) {
        read += member.len() + 1;
        if read > MAX_BYTES + 1 {
            break;
        }
        if let Some((key, value, properties)) = parse_member(member) {
            baggage.insert_with_metadata(key.to_owned(), value.into_owned(), properties.as_ref());
        }
    }
    baggage
}

/// Key, value and the properties behind them.
fn parse_member(member: &str) -> Option<(&str, Cow<'_, str>, Cow<'_, str>)> {
    let (pair, properties) = member.split_once(';').unwrap_or((member, ""));
    let (key, value) = pair.split_once('=')?;
    let (key, value) = (trim(key), trim(value));
    let is_valid = is_token(key) && is_value(value);
    is_valid.then(|| (key, decoded(value), valid_properties(properties)))
}

/// The list to send; `None` where there is nothing to be sent. What can't be written as the document
/// asks is left out, and so is what would make the list too long.
pub(crate) fn print(baggage: &Baggage) -> Option<String> {
    let mut list = String::new();
    for (key, (value, properties)) in baggage {
        if !is_token(key.as_str()) {
            continue;
        }
        let before = list.len();
        if before > 0 {
            list.push(',');
        }
        list.push_str(key.as_str());
        list.push('=');
        push_encoded(&mut list, value.as_str());
        let properties = valid_properties(properties.as_str());
        if !properties.is_empty() {
            list.push(';');
            list.push_str(&properties);
        }
        if list.len() > MAX_BYTES {
            list.truncate(before);
        }
    }
    (!list.is_empty()).then_some(list)
}

/// The properties that are as the document asks.
fn valid_properties(properties: &str) -> Cow<'_, str> {
    let is_valid = |property: &str| match property.split_once('=') {
        Some((key, value)) => is_token(trim(key)) && is_value(trim(value)),
        None => is_token(property),
    };
    let properties = trim(properties);
    if properties.is_empty() || !properties.contains(';') && is_valid(properties) {
        return Cow::Borrowed(properties);
    }
    let valid = properties.split(';').map(trim).filter(|property| is_valid(property));
    Cow::Owned(valid.collect::<Vec<_>>().join(";"))
}

fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// A `token` of RFC 7230, section 3.2.6.
fn is_token(key: &str) -> bool {
    let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !key.is_empty() && key.bytes().all(is_tchar)
}

fn is_value(value: &str) -> bool {
    value.bytes().all(is_baggage_octet)
}

fn is_baggage_octet(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\",;\\".contains(&byte)
}

/// The text behind escapes such as `%41`. What is no UTF-8 then is shown as such, by U+FFFD.
fn decoded(value: &str) -> Cow<'_, str> {
    if !value.contains('%') {
        return Cow::Borrowed(value);
    }
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.extend(hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low));
                rest = tail;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => Cow::Owned(text),
        Err(not_text) => Cow::Owned(String::from_utf8_lossy(not_text.as_bytes()).into_owned()),
    }
}

fn hex(letter: u8) -> Option<u8> {
    char::from(letter).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// `%` is escaped as well, or it would be read as an escape.
fn push_encoded(list: &mut String, value: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if is_baggage_octet(byte) && byte != b'%' {
            list.push(char::from(byte));
        } else {
            list.push('%');
            list.push(char::from(DIGITS[usize::from(byte >> 4)]));
            list.push(char::from(DIGITS[usize::from(byte & 0xf)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'b>(baggage: &'b Baggage, key: &str) -> Option<(&'b str, &'b str)> {
        baggage
            .get_with_metadata(key)
            .map(|(value, properties)| (value.as_str(), properties.as_str()))
    }

    #[test]
    fn members_are_read_with_their_properties() {
        let baggage = parse("key1=value1;property1;property2, key2 = value2, key3=value3; p = v");
        assert_eq!(get(&baggage, "key1"), Some(("value1", "property1;property2")));
        assert_eq!(get(&baggage, "key2"), Some(("value2", "")));
        assert_eq!(get(&baggage, "key3"), Some(("value3", "p = v")));
        assert_eq!(baggage.len(), 3);
    }

    #[test]
    fn a_value_is_any_text_and_may_hold_equals_signs() {
        let baggage = parse("node=DF%2028,sum=1=1,e=%C3%A9,empty=,odd=100%,half=%4");
        assert_eq!(get(&baggage, "node"), Some(("DF 28", "")));
        assert_eq!(get(&baggage, "sum"), Some(("1=1", "")));
        assert_eq!(get(&baggage, "e"), Some(("\u{e9}", "")));
        assert_eq!(get(&baggage, "empty"), Some(("", "")));
        assert_eq!(get(&baggage, "odd"), Some(("100%", "")));
        assert_eq!(get(&baggage, "half"), Some(("%4", "")));
        assert_eq!(get(&parse("k=%FFa"), "k"), Some(("\u{fffd}a", "")));
    }

    #[test]
    fn a_member_that_is_wrong_is_left_out_alone() {
        let baggage = parse("k ey=1,=2,novalue,a=b\"c,b=c\\d,e=\u{e9},s p=1,ok=1;bad key;p=1;=x");
        assert_eq!(get(&baggage, "ok"), Some(("1", "p=1")));
        assert_eq!(baggage.len(), 1);
    }

    #[test]
    fn no_more_is_read_or_sent_than_the_limits_allow() {
        let many: Vec<_> = (0..100).map(|n| format!("k{n}=1")).collect();
        assert_eq!(parse(&many.join(",")).len(), 64);
        let long = format!("a=1,b={},c=1", "x".repeat(9000));
        assert_eq!(parse(&long).len(), 1);
        let mut baggage = Baggage::new();
        baggage.insert("long", " ".repeat(8000)); // three times as long as an escape
        baggage.insert("short", "1");
        assert_eq!(print(&baggage).as_deref(), Some("short=1"));
    }

    #[test]
    fn what_is_sent_can_be_read_again() {
        let mut baggage = Baggage::new();
        baggage.insert_with_metadata("key", "100% \u{e9};,\"\\", "p;q=1");
        assert_eq!(print(&baggage).as_deref(), Some("key=100%25%20%C3%A9%3B%2C%22%5C;p;q=1"));
        assert_eq!(
            get(&parse(&print(&baggage).expect("one")), "key"),
            Some(("100% \u{e9};,\"\\", "p;q=1")),
        );
        assert_eq!(print(&Baggage::new()), None);
    }
}
