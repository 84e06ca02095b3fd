//! `tracestate`: Trace Context, section "Tracestate Header".

use opentelemetry::trace::TraceState;

/// More members than this, and the whole list is discarded.
const MAX_MEMBERS: usize = 32;

/// What a header says, as OpenTelemetry can hold it, and in full where it can't.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parsed {
    pub(crate) held: TraceState,
    /// The whole list, if some of its members are valid and refused by OpenTelemetry.
    pub(crate) in_full: Option<String>,
}

/// Reads a list; a header that is there several times is one list, joined by commas. A list that is
/// not valid in every part counts as none. That a key is there once is the sender's duty and costs the
/// others nothing: its first member counts, which was written last.
pub(crate) fn parse(list: &str) -> Parsed {
    let mut members: Vec<(&str, &str)> = Vec::new();
    // Two headers that are joined, or an empty one, make empty members.
    let given = list.split(',').map(|member| member.trim_matches([' ', '\t']));
    for (count, member) in given.filter(|member| !member.is_empty()).enumerate() {
        let member = member.split_once('=').filter(|(key, value)| is_key(key) && is_value(value));
        let Some((key, value)) = member else { return Parsed::default() };
        if count == MAX_MEMBERS {
            return Parsed::default();
        }
        if !members.iter().any(|(known, _)| *known == key) {
            members.push((key, value));
        }
    }
    if let Ok(held) = TraceState::from_key_value(members.iter().copied()) {
        return Parsed { held, in_full: None };
    }
    let held = members.iter().copied().filter(|member| is_held(*member));
    let held = TraceState::from_key_value(held).unwrap_or_default();
    Parsed { held, in_full: Some(print_all(members.into_iter())) }
}

/// The list to send: the members of `state`, and of the list `in_full` that came with the trace those
/// which OpenTelemetry can't hold. What has not changed keeps its order behind what has.
pub(crate) fn print(state: &TraceState, in_full: Option<&str>) -> String {
    let Some(in_full) = in_full else { return state.header() };
    let came: Vec<(&str, &str)> =
        in_full.split(',').filter_map(|member| member.split_once('=')).collect();
    let changed = state.into_iter().filter(|member| !came.contains(member));
    // What OpenTelemetry could hold and does not any more was changed or taken out.
    let unchanged = came
        .iter()
        .copied()
        .filter(|&(key, value)| !is_held((key, value)) || state.get(key) == Some(value));
    print_all(changed.chain(unchanged).take(MAX_MEMBERS))
}

fn print_all<'m>(members: impl Iterator<Item = (&'m str, &'m str)>) -> String {
    let mut list = String::new();
    for (key, value) in members {
        if !list.is_empty() {
            list.push(',');
        }
        list.push_str(key);
        list.push('=');
        list.push_str(value);
    }
    list
}

/// Section "Key".
fn is_key(key: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let key = key.as_bytes();
    key.len() <= 256
        && key.first().is_some_and(|first| is_letter(*first))
        && key.iter().all(|byte| is_letter(*byte) || b"_-*/@".contains(byte))
}

/// Section "Value": the spaces at its end are none of it, and have been taken away.
fn is_value(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= 256
        && value.bytes().all(|byte| matches!(byte, 0x20..=0x7e) && byte != b'=')
}

fn is_held(member: (&str, &str)) -> bool {
    TraceState::from_key_value([member]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_through(list: &str) -> String {
        let Parsed { held, in_full } = parse(list);
        print(&held, in_full.as_deref())
    }

    #[test]
    fn a_list_comes_through_in_its_order() {
        for list in ["", "foo=1", "foo=1,bar=2", "0a=x", "t@v=1", "a_-*/@b= spaced out"] {
            assert_eq!(comes_through(list), list);
        }
        let full: Vec<_> = (0..32).map(|n| format!("k{n}={n}")).collect();
        assert_eq!(comes_through(&full.join(",")), full.join(","));
        let long = format!("{}={}", "k".repeat(256), "v".repeat(256));
        assert_eq!(comes_through(&long), long);
    }

    #[test]
    fn whitespace_and_empty_members_are_left_out() {
        assert_eq!(comes_through(" foo=1 \t, \t,, bar=2\t"), "foo=1,bar=2");
        assert_eq!(comes_through("foo=1,"), "foo=1");
        assert_eq!(comes_through(" , "), "");
    }

    #[test]
    fn of_a_key_that_is_there_twice_the_first_counts() {
        assert_eq!(comes_through("foo=1,bar=2,foo=1,foo=3"), "foo=1,bar=2");
        assert_eq!(comes_through("a@b@c=1,foo=1,a@b@c=2"), "a@b@c=1,foo=1");
        let full = format!("foo=1{}", ",foo=1".repeat(31));
        assert_eq!(comes_through(&full), "foo=1");
        assert_eq!(comes_through(&format!("{full},foo=1")), "", "one more than there may be");
    }

    #[test]
    fn a_list_that_is_wrong_in_one_part_counts_as_none() {
        let many: Vec<_> = (0..33).map(|n| format!("k{n}={n}")).collect();
        for list in [
            "foo",
            "foo=",
            "=1",
            "FOO=1",
            "foo =1",
            "foo.bar=1",
            "@foo=1",
            "foo=bar=baz",
            "foo=\u{e9}",
            "foo=a\tb",
            &format!("{}=1", "k".repeat(257)),
            &format!("k={}", "v".repeat(257)),
            &many.join(","),
        ] {
            assert_eq!(parse(&format!("fine=1,{list}")), Parsed::default(), "{list}");
        }
    }

    #[test]
    fn what_opentelemetry_refuses_comes_through_as_well() {
        let list = "first=1,foo@bar@baz=2,t@a-vendor-of-many-letters=3,last=4";
        let Parsed { held, in_full } = parse(list);
        assert_eq!(held.header(), "first=1,last=4");
        assert_eq!(print(&held, in_full.as_deref()), list);

        let changed = held.insert("last", "5").expect("a member");
        assert_eq!(
            print(&changed, in_full.as_deref()),
            "last=5,first=1,foo@bar@baz=2,t@a-vendor-of-many-letters=3",
        );
        let added = held.insert("new", "6").expect("a member");
        assert_eq!(print(&added, in_full.as_deref()), format!("new=6,{list}"));
        let removed = held.delete("first").expect("a key");
        assert_eq!(print(&removed, in_full.as_deref()), list.trim_start_matches("first=1,"));
    }

    #[test]
    fn no_more_members_are_sent_than_may_be() {
        let mut full: Vec<_> = (0..31).map(|n| format!("k{n}={n}")).collect();
        full.push("a@b@c=1".to_owned());
        let Parsed { held, in_full } = parse(&full.join(","));
        let added = held.insert("new", "1").expect("a member");
        let sent = print(&added, in_full.as_deref());
        assert_eq!(sent.split(',').count(), 32);
        assert!(sent.starts_with("new=1,k0=0,") && sent.ends_with(",k30=30"));
    }
}
