//! What stands in `#[message(..)]`, before a field, a variant or the type: parse.

use syn::{
    Attribute, Expr, ExprLit, Ident, Lit, Meta, Path, ext::IdentExt as _, parse::ParseStream,
};

use super::facts::{self, Fact, ToldBy};
use crate::{
    args::{self, Given, Options, Parsed, Read, Text, set_once, stands_alone},
    nearest::nearest,
};

/// What is said of a field.
#[derive(Default)]
pub(crate) struct OfField {
    pub(crate) headers: Option<Given<()>>,
    pub(crate) display: Option<Given<()>>,
    pub(crate) facts: Vec<Given<&'static Fact>>,
}

/// What is said of a type, or of a variant.
#[derive(Default)]
pub(crate) struct OfWhole {
    pub(crate) no_context: Option<Given<()>>,
    pub(crate) facts: Vec<Constant>,
    pub(crate) runtime: Option<Given<Path>>,
}

/// `system = "kafka"`
pub(crate) type Constant = Given<(&'static Fact, Text)>;

/// Everything in the `#[message(..)]`s among these attributes.
///
/// `alone` is what to say of `#[message]` without parentheses.
pub(crate) fn read<O: Options>(attributes: &[Attribute], alone: &str) -> Parsed<O> {
    let mut parsed = Parsed::default();
    for attribute in attributes {
        if !attribute.path().is_ident("message") {
            // The compiler has words for an attribute that nobody knows.
            parsed.misread |= attribute
                .path()
                .get_ident()
                .is_some_and(|name| nearest(&name.to_string(), &["message"]).is_some());
            continue;
        }
        match &attribute.meta {
            Meta::List(list) if list.tokens.is_empty() => {
                parsed.misread(syn::Error::new_spanned(attribute, alone));
            }
            Meta::List(list) => {
                let read = list
                    .parse_args_with(|input: ParseStream<'_>| args::read_all(&mut parsed, input));
                if let Err(mistake) = read {
                    parsed.misread(mistake);
                }
            }
            Meta::Path(_) => parsed.misread(syn::Error::new_spanned(attribute, alone)),
            Meta::NameValue(assigned) => {
                let inside = match &assigned.value {
                    Expr::Lit(ExprLit { lit: Lit::Str(words), .. }) => words.value(),
                    _ => "..".to_owned(),
                };
                parsed.misread(syn::Error::new_spanned(
                    attribute,
                    format!("nothing is assigned to this mark: write `#[message({inside})]`"),
                ));
            }
        }
    }
    parsed
}

impl Options for OfField {
    const MACRO: &'static str = "message";
    const KNOWN: &'static [&'static str] = facts::WORDS_OF_A_FIELD;

    fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> Read {
        let word = key.unraw().to_string();
        let read = match word.as_str() {
            "headers" => {
                stands_alone(key, input).and_then(|()| set_once(&mut self.headers, key, ()))
            }
            "display" => {
                stands_alone(key, input).and_then(|()| set_once(&mut self.display, key, ()))
            }
            "no_context" => elsewhere(key, "the struct or variant in which no field carries one"),
            "crate" => elsewhere(key, "the type"),
            word => {
                let fact = facts::named(word)?;
                stands_alone(key, input).and_then(|()| push_once(&mut self.facts, key, fact))
            }
        };
        Some(read)
    }

    fn advice(key: &str) -> Option<&'static str> {
        advice(key)
    }
}

impl Options for OfWhole {
    const MACRO: &'static str = "message";
    const KNOWN: &'static [&'static str] = facts::WORDS_OF_A_WHOLE;

    fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> Read {
        let word = key.unraw().to_string();
        let read = match word.as_str() {
            "no_context" => {
                stands_alone(key, input).and_then(|()| set_once(&mut self.no_context, key, ()))
            }
            "crate" => {
                args::runtime(key, input).and_then(|path| set_once(&mut self.runtime, key, path))
            }
            "headers" => elsewhere(key, "the field that carries the trace context"),
            "display" => elsewhere(key, "a field, beside the fact that it tells"),
            word => {
                let fact = facts::named(word)?;
                match fact.told_by {
                    ToldBy::Text(example) => args::text(key, input, example)
                        .and_then(|text| push_once(&mut self.facts, key, (fact, text))),
                    _ => elsewhere(key, "the field that tells it"),
                }
            }
        };
        Some(read)
    }

    fn advice(key: &str) -> Option<&'static str> {
        advice(key)
    }
}

fn elsewhere(key: &Ident, place: &str) -> syn::Result<()> {
    Err(syn::Error::new(key.span(), format!("`{key}` doesn't go here, but before {place}")))
}

/// Keeps a fact, if its word isn't there yet.
fn push_once<T>(facts: &mut Vec<Given<T>>, key: &Ident, value: T) -> syn::Result<()> {
    let mut slot = facts.iter().position(|known| known.key == *key).map(|at| facts.remove(at));
    let kept = set_once(&mut slot, key, value);
    facts.extend(slot);
    kept
}

/// Words of other systems, and of other parts of this one.
fn advice(key: &str) -> Option<&'static str> {
    Some(match key {
        "context" | "trace_context" | "carrier" | "propagation" | "traceparent" | "metadata"
        | "message" | "inner" | "flatten" => {
            "the field that carries the trace context is marked `#[message(headers)]`"
        }
        "topic" | "queue" | "subject" | "channel" | "stream" | "routing_key" => {
            "where a message was sent is its `destination`"
        }
        "message_id" => "the message's own id is its `id`",
        "correlation_id" | "correlation" | "conversation" => {
            "the id of the conversation is the `conversation_id`"
        }
        "size" | "len" | "payload" | "data" => {
            "write `body` before the body itself, or `body_size` before its number of bytes"
        }
        "time" | "timestamp" | "sent" | "created_at" | "published_at" => {
            "when it was sent is `sent_at`, or `sent_at_unix_ms` for a number of milliseconds"
        }
        "attempts" | "retry" | "retries" | "delivery" | "delivery_count" => {
            "which delivery it is, counted from 1, is the `attempt`"
        }
        "skip" | "ignore" => "a field that tells nothing has no mark: leave it out",
        _ => return None,
    })
}
