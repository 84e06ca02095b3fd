//! The options of `#[async_consumer(..)]`.

use std::collections::HashSet;
use std::time::Duration;

use proc_macro2::TokenTree;
use quote::quote;
use syn::{Expr, Ident, Lit, Token, parse::ParseStream};

use super::{
    Common, Given, Options, Read, SpanOptions, bare, duration, literal, place, set_once,
    stands_alone, truth, value, wrong_kind,
};

/// What `#[async_consumer(..)]` was told.
#[derive(Default)]
pub(crate) struct ConsumerOptions {
    pub(crate) common: Common,
    /// In the order they were written; one is right.
    pub(crate) relations: Vec<Given<Relation>>,
    pub(crate) nested: Option<Given<()>>,
    pub(crate) limits: Limits,
    pub(crate) from: Option<Given<Expr>>,
    pub(crate) max_links: Option<Given<Expr>>,
    pub(crate) capture_headers: Option<Given<Expr>>,
}

/// How the handler's span relates to the message's sender.
pub(crate) enum Relation {
    Link,
    Continue,
    Ignore,
    /// `mode = EXPR`: decided for each call.
    Chosen(Expr),
}

/// What ends a trace under `continue`.
#[derive(Default)]
pub(crate) struct Limits {
    pub(crate) within: Option<Given<Within>>,
    pub(crate) max_hops: Option<Given<Expr>>,
    pub(crate) heed_break: Option<Given<Expr>>,
}

/// A time span that is known when the handler is compiled, or an expression that yields one.
pub(crate) enum Within {
    Literal(Duration),
    Computed(Expr),
}

impl Limits {
    /// Those that were given.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Ident> {
        let within = self.within.iter().map(|given| &given.key);
        within.chain([&self.max_hops, &self.heed_break].into_iter().flatten().map(|it| &it.key))
    }

    /// Reads the option `key` if it is one of these.
    pub(super) fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> Read {
        let read = match key.to_string().as_str() {
            "within" => within(key, input).and_then(|value| set_once(&mut self.within, key, value)),
            "max_hops" => {
                max_hops(key, input).and_then(|value| set_once(&mut self.max_hops, key, value))
            }
            "heed_break" => truth(key, input, "false")
                .and_then(|value| set_once(&mut self.heed_break, key, value)),
            _ => return None,
        };
        Some(read)
    }
}

fn within(key: &Ident, input: ParseStream<'_>) -> syn::Result<Within> {
    let value = value(key, input, "\"15m\"")?;
    match literal(&value) {
        None => Ok(Within::Computed(value)),
        Some(Lit::Str(text)) => duration::parse(&text.value())
            .map(Within::Literal)
            .map_err(|words| syn::Error::new_spanned(text, words)),
        Some(other) => Err(syn::Error::new_spanned(
            other,
            format!("`within` is a time span in quotes: {}", duration::ACCEPTED),
        )),
    }
}

fn max_hops(key: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    let value = value(key, input, "64")?;
    match (literal(&value), bare(&value)) {
        (Some(Lit::Int(zero)), _) if zero.base10_digits() == "0" => Err(syn::Error::new_spanned(
            zero,
            "without any hop the trace is never continued: write `link`",
        )),
        (None | Some(Lit::Int(_)), written) if !matches!(written, Expr::Unary(_)) => Ok(value),
        _ => Err(wrong_kind(key, &value, "a number of hops", "64")),
    }
}

impl Options for ConsumerOptions {
    const MACRO: &'static str = "async_consumer";
    const KNOWN: &'static [&'static str] = &[
        "link",
        "nested",
        "continue",
        "ignore",
        "mode",
        "within",
        "max_hops",
        "heed_break",
        "from",
        "name",
        "system",
        "destination",
        "destination_template",
        "operation",
        "consumer_group",
        "client_id",
        "server",
        "fields",
        "capture_headers",
        "max_links",
        "err",
        "enabled",
        "level",
        "target",
        "crate",
    ];

    fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> Read {
        let read = match key.to_string().as_str() {
            "link" => self.relation(key, input, Relation::Link),
            "continue" => self.relation(key, input, Relation::Continue),
            "ignore" => self.relation(key, input, Relation::Ignore),
            "nested" => stands_alone(key, input).and_then(|()| set_once(&mut self.nested, key, ())),
            "mode" => mode(key, input).map(|chosen| self.push(key, Relation::Chosen(chosen))),
            "from" => place(key, input).and_then(|value| set_once(&mut self.from, key, value)),
            "max_links" => {
                max_links(key, input).and_then(|value| set_once(&mut self.max_links, key, value))
            }
            "capture_headers" => headers(key, input)
                .and_then(|value| set_once(&mut self.capture_headers, key, value)),
            "relation" => Err(not_assigned::<Self>(key, input)),
            _ => {
                return self.limits.read(key, input).or_else(|| self.common.read(key, input));
            }
        };
        Some(read)
    }

    fn advice(key: &str) -> Option<&'static str> {
        match key {
            "into" => {
                Some("`into` is where a producer writes; a consumer reads: write `from = ..`")
            }
            "headers" => {
                Some("to record headers of the message write `capture_headers = [\"tenant\"]`")
            }
            "new_trace" | "retry" => {
                Some("this is for `#[async_producer(..)]`, which sends messages: leave it out")
            }
            "existing" => Some(
                "`existing` is for `#[async_producer(..)]`; a consumer leaves its message as it is",
            ),
            _ => None,
        }
    }
}

impl SpanOptions for ConsumerOptions {
    fn common(&self) -> &Common {
        &self.common
    }
}

impl ConsumerOptions {
    fn relation(
        &mut self,
        key: &Ident,
        input: ParseStream<'_>,
        relation: Relation,
    ) -> syn::Result<()> {
        if matches!(relation, Relation::Link) && names_nested(input) {
            return Err(syn::Error::new(key.span(), "these are two options: write `link, nested`"));
        }
        stands_alone(key, input)?;
        self.push(key, relation);
        Ok(())
    }

    fn push(&mut self, key: &Ident, value: Relation) {
        let key = key.clone();
        self.relations.push(Given { key, value });
    }
}

/// `link(nested)` or `link = nested`
fn names_nested(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let _ = ahead.parse::<Option<Token![=]>>();
    ahead.parse::<TokenTree>().is_ok_and(|next| match next {
        TokenTree::Group(group) => group.stream().to_string() == "nested",
        other => other.to_string() == "nested",
    })
}

pub(super) fn mode(key: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    let chosen = value(key, input, "self.relation()")?;
    match literal_relation(&chosen) {
        Some(relation) => Err(syn::Error::new_spanned(
            &chosen,
            format!(
                "`mode` is for a relation chosen while the program runs; for a fixed one write `{relation}` alone"
            ),
        )),
        None if literal(&chosen).is_some() => Err(syn::Error::new_spanned(
            &chosen,
            "`mode` is an expression that yields a `Relation`: write `mode = self.relation()`",
        )),
        None => Ok(chosen),
    }
}

fn max_links(key: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    let value = value(key, input, "32")?;
    match (literal(&value), bare(&value)) {
        (None | Some(Lit::Int(_)), written) if !matches!(written, Expr::Unary(_)) => Ok(value),
        _ => Err(wrong_kind(key, &value, "a number of links", "32")),
    }
}

/// A list of names, or an expression that yields one.
fn headers(key: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    let example = "[\"tenant\"]";
    let value = value(key, input, example)?;
    let Expr::Array(list) = bare(&value) else {
        return match literal(&value) {
            None => Ok(value),
            Some(_) => Err(wrong_kind(key, &value, "a list of header names", example)),
        };
    };
    let mut names = HashSet::new();
    for name in &list.elems {
        match literal(name) {
            Some(Lit::Str(name)) if name.value().is_empty() => {
                return Err(syn::Error::new_spanned(name, "this header has no name: leave it out"));
            }
            Some(Lit::Str(name)) if !names.insert(name.value().to_lowercase()) => {
                let words = format!("the header `{}` is listed twice: keep one", name.value());
                return Err(syn::Error::new_spanned(name, words));
            }
            None | Some(Lit::Str(_)) => {}
            Some(_) => return Err(wrong_kind(key, name, "a list of header names", example)),
        }
    }
    Ok(Expr::Array(list.clone()))
}

/// A relation written where an expression belongs.
fn literal_relation(expr: &Expr) -> Option<&'static str> {
    let written = match bare(expr) {
        Expr::Continue(_) => "continue".to_owned(),
        Expr::Lit(_) => match literal(expr)? {
            Lit::Str(text) => text.value(),
            _ => return None,
        },
        Expr::Path(path) => path.path.get_ident()?.to_string(),
        _ => return None,
    };
    ["link", "continue", "ignore"].into_iter().find(|known| *known == written)
}

/// `relation = "link"` and its like.
pub(super) fn not_assigned<O: Options>(key: &Ident, input: ParseStream<'_>) -> syn::Error {
    let meant = value(key, &input.fork(), "..").ok();
    let relation = meant.as_ref().and_then(literal_relation).filter(|it| O::KNOWN.contains(it));
    let relation = relation.unwrap_or("link");
    let written = meant.map_or_else(|| quote!(#key), |value| quote!(#key = #value));
    syn::Error::new_spanned(
        written,
        format!("a relation stands alone: write `#[{}({relation})]`", O::MACRO),
    )
}
