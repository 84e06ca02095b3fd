//! The options of `#[async_producer(..)]`.

use syn::{Expr, Ident, parse::ParseStream};

use super::{
    Common, Given, Options, Read, SpanOptions, bare, place, set_once, stands_alone, value,
    wrong_kind,
};

/// What `#[async_producer(..)]` was told.
#[derive(Default)]
pub(crate) struct ProducerOptions {
    pub(crate) common: Common,
    pub(crate) into: Option<Given<Expr>>,
    pub(crate) existing: Option<Given<Existing>>,
    pub(crate) new_trace: Option<Given<()>>,
    pub(crate) retry: Option<Given<()>>,
}

/// What becomes of a context that the message already carries.
#[derive(Clone, Copy)]
pub(crate) enum Existing {
    Keep,
    Replace,
}

impl Options for ProducerOptions {
    const MACRO: &'static str = "async_producer";
    const KNOWN: &'static [&'static str] = &[
        "into",
        "existing",
        "new_trace",
        "retry",
        "name",
        "system",
        "destination",
        "destination_template",
        "operation",
        "client_id",
        "server",
        "fields",
        "err",
        "enabled",
        "level",
        "target",
        "crate",
    ];

    fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> Read {
        let read = match key.to_string().as_str() {
            "into" => place(key, input).and_then(|value| set_once(&mut self.into, key, value)),
            "existing" => {
                existing(key, input).and_then(|value| set_once(&mut self.existing, key, value))
            }
            "new_trace" => {
                stands_alone(key, input).and_then(|()| set_once(&mut self.new_trace, key, ()))
            }
            "retry" => stands_alone(key, input).and_then(|()| set_once(&mut self.retry, key, ())),
            // Of those who consume, and so unknown here.
            "consumer_group" => return None,
            _ => return self.common.read(key, input),
        };
        Some(read)
    }

    fn advice(key: &str) -> Option<&'static str> {
        match key {
            "link" | "continue" | "ignore" | "nested" | "mode" | "relation" => Some(
                "a relation is for `#[async_consumer(..)]`; a producer's span is always a child of the active one: leave it out",
            ),
            "consumer_group" => Some(
                "a group of consumers is for `#[async_consumer(..)]`; a producer has none: leave it out",
            ),
            "max_links" | "capture_headers" | "within" | "max_hops" | "heed_break" => {
                Some("this is for `#[async_consumer(..)]`, which reads messages: leave it out")
            }
            "from" => {
                Some("`from` is where a consumer reads; a producer writes: write `into = ..`")
            }
            _ => None,
        }
    }
}

impl SpanOptions for ProducerOptions {
    fn common(&self) -> &Common {
        &self.common
    }
}

fn existing(key: &Ident, input: ParseStream<'_>) -> syn::Result<Existing> {
    let value = value(key, input, "keep")?;
    let word = match bare(&value) {
        Expr::Path(path) => path.path.get_ident().map(Ident::to_string),
        _ => None,
    };
    match word.as_deref() {
        Some("keep") => Ok(Existing::Keep),
        Some("replace") => Ok(Existing::Replace),
        _ => Err(wrong_kind(key, &value, "`keep` or `replace`", "keep")),
    }
}
