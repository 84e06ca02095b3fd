//! Maps of strings, and lists of pairs, as messages.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash};

use super::{HeaderReader, Message, MessageMut};

fn push_all<'m, K, V>(pairs: impl Iterator<Item = (&'m K, &'m V)>, reader: &mut HeaderReader<'m>)
where
    K: AsRef<str> + 'm,
    V: AsRef<[u8]> + 'm,
{
    for (name, value) in pairs {
        reader.header(name.as_ref(), value.as_ref());
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>, S> Message for HashMap<K, V, S> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        push_all(self.iter(), reader);
    }
}

impl<K, V, S> MessageMut for HashMap<K, V, S>
where
    K: AsRef<str> + From<String> + Hash + Eq,
    V: AsRef<[u8]> + From<String>,
    S: BuildHasher,
{
    fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        self.insert(name.to_owned().into(), value.to_owned().into());
    }

    fn remove_header(&mut self, name: &str) {
        self.retain(|known, _| !known.as_ref().eq_ignore_ascii_case(name));
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> Message for BTreeMap<K, V> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        push_all(self.iter(), reader);
    }
}

impl<K, V> MessageMut for BTreeMap<K, V>
where
    K: AsRef<str> + From<String> + Ord,
    V: AsRef<[u8]> + From<String>,
{
    fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        self.insert(name.to_owned().into(), value.to_owned().into());
    }

    fn remove_header(&mut self, name: &str) {
        self.retain(|known, _| !known.as_ref().eq_ignore_ascii_case(name));
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> Message for [(K, V)] {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        push_all(self.iter().map(|(name, value)| (name, value)), reader);
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>, const N: usize> Message for [(K, V); N] {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.as_slice().headers(reader);
    }
}

impl<K: AsRef<str>, V: AsRef<[u8]>> Message for Vec<(K, V)> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.as_slice().headers(reader);
    }
}

impl<K, V> MessageMut for Vec<(K, V)>
where
    K: AsRef<str> + From<String>,
    V: AsRef<[u8]> + From<String>,
{
    fn set_header(&mut self, name: &str, value: &str) {
        self.remove_header(name);
        self.push((name.to_owned().into(), value.to_owned().into()));
    }

    fn remove_header(&mut self, name: &str) {
        self.retain(|(known, _)| !known.as_ref().eq_ignore_ascii_case(name));
    }
}
