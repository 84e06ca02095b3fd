//! The headers that a handler wants to see on its span.

use std::borrow::Cow;

use opentelemetry::{Array, KeyValue, StringValue, Value};

use super::HeaderValue;
use crate::semconv;

/// The values of the wanted headers, gathered in the pass that reads the context.
#[derive(Debug)]
pub(super) struct Captured<'m> {
    names: &'m [&'m str],
    values: Vec<(usize, Cow<'m, str>)>,
}

impl<'m> Captured<'m> {
    pub(super) fn of(names: &'m [&'m str]) -> Self {
        Self { names, values: Vec::new() }
    }

    /// Takes a header, if it is wanted, in whatever casing.
    pub(super) fn look_at(&mut self, name: &str, value: &HeaderValue<'m>) {
        let place = self.names.iter().position(|wanted| wanted.eq_ignore_ascii_case(name));
        if let Some((place, value)) = place.zip(value.clone().into_text()) {
            self.values.push((place, value));
        }
    }

    /// Each header that is there as one attribute, with all its values: the form that the
    /// conventions give to captured headers of requests ("HTTP", `http.request.header.<key>`).
    pub(super) fn into_attributes(self) -> Vec<KeyValue> {
        let Self { names, values } = self;
        let attribute = |(place, name): (usize, &&str)| {
            let values: Vec<StringValue> = values
                .iter()
                .filter(|(of, _)| *of == place)
                .map(|(_, value)| value.clone().into_owned().into())
                .collect();
            let present = !values.is_empty();
            present.then(|| {
                KeyValue::new(semconv::header_key(name), Value::Array(Array::String(values)))
            })
        };
        names.iter().enumerate().filter_map(attribute).collect()
    }
}
