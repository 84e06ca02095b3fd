//! A context as a JSON object of its headers.

use std::collections::BTreeMap;

use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::TraceContext;

impl Serialize for TraceContext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut headers = BTreeMap::<String, String>::new();
        self.write_to(&mut headers);
        headers.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TraceContext {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let headers = BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(Self::read_from(&headers))
    }
}
