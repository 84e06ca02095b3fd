//! A context as a JSON object of its headers.

use std::collections::BTreeMap;

use ::serde::de::IgnoredAny;
use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::TraceContext;

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut headers = BTreeMap::<String, String>::new();
        self.write_to(&mut headers);
        headers.serialize(serializer)
    }
}

/// What is no object of headers is no context: it must not cost the payload around it. Binary
/// formats do not say what comes next, so they can only be told to expect headers.
impl<'de> Deserialize<'de> for TraceContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let headers = if deserializer.is_human_readable() {
            Lenient::<BTreeMap<String, Lenient<String>>>::deserialize(deserializer)?.into_headers()
        } else {
            BTreeMap::deserialize(deserializer)?
        };
        Ok(Self::read_from(&headers))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Expected(T),
    Other(IgnoredAny),
}

impl Lenient<BTreeMap<String, Lenient<String>>> {
    fn into_headers(self) -> BTreeMap<String, String> {
        let Self::Expected(headers) = self else { return BTreeMap::new() };
        let text = |(name, value)| match value {
            Lenient::Expected(value) => Some((name, value)),
            Lenient::Other(_) => None,
        };
        headers.into_iter().filter_map(text).collect()
    }
}
