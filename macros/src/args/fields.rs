//! `fields(..)`, in the syntax of `tracing::instrument`.

use std::collections::HashSet;

use proc_macro2::Span;
use quote::ToTokens;
use syn::{
    Expr, Ident, LitStr, Token,
    ext::IdentExt as _,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    token::Paren,
};

use super::{attempt, bare};

/// One field of the handler's span.
pub(crate) struct Field {
    pub(crate) name: LitStr,
    /// The first and the last word of a name that is not in quotes.
    pub(crate) unquoted: Option<(Span, Span)>,
    pub(crate) recorded: Recorded,
}

/// What a field holds when the span starts.
pub(crate) enum Recorded {
    Value(Expr),
    Display(Expr),
    Debug(Expr),
    Empty,
}

pub(super) fn parse(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<Field>> {
    if !input.peek(Paren) {
        return Err(syn::Error::new(
            key.span(),
            "`fields` takes a list in parentheses: write `fields(order.id = %msg.id)`",
        ));
    }
    let fields = attempt(input, |input| {
        let content;
        parenthesized!(content in input);
        content.parse_terminated(Field::parse, Token![,])
    })?;
    let fields: Vec<_> = fields.into_iter().collect();
    let mut names = HashSet::new();
    match fields.iter().find(|field| !names.insert(field.name.value())) {
        Some(twice) => Err(syn::Error::new(
            twice.name.span(),
            format!("the field `{}` is given twice: keep one", twice.name.value()),
        )),
        None => Ok(fields),
    }
}

/// How a value is turned into a field: `%` by `Display`, `?` by `Debug`, else as it is.
enum Sigil {
    None,
    Display,
    Debug,
}

impl Sigil {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.parse::<Option<Token![%]>>()?.is_some() {
            Ok(Self::Display)
        } else if input.parse::<Option<Token![?]>>()?.is_some() {
            Ok(Self::Debug)
        } else {
            Ok(Self::None)
        }
    }

    fn of(self, value: Expr) -> Recorded {
        match self {
            Self::Display => Recorded::Display(value),
            Self::Debug => Recorded::Debug(value),
            Self::None if is_empty(&value) => Recorded::Empty,
            Self::None => Recorded::Value(value),
        }
    }
}

impl Parse for Field {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let before = Sigil::parse(input)?;
        let Name { text: name, unquoted, shorthand } = name(input)?;
        if input.parse::<Option<Token![=]>>()?.is_none() {
            let Some(value) = shorthand else {
                return Err(syn::Error::new(
                    name.span(),
                    "this field needs a value: write `name = value`, or `name = Empty` to fill it later",
                ));
            };
            return Ok(Self { name, unquoted, recorded: before.of(value) });
        }
        if input.is_empty() || input.peek(Token![,]) {
            return Err(syn::Error::new(
                name.span(),
                format!("the field `{}` needs a value after `=`", name.value()),
            ));
        }
        let sigil = match Sigil::parse(input)? {
            Sigil::None => before,
            after => after,
        };
        Ok(Self { name, unquoted, recorded: sigil.of(input.parse()?) })
    }
}

struct Name {
    text: LitStr,
    unquoted: Option<(Span, Span)>,
    /// The expression that it stands for by itself, where it isn't quoted or a keyword.
    shorthand: Option<Expr>,
}

fn name(input: ParseStream<'_>) -> syn::Result<Name> {
    if input.peek(LitStr) {
        return Ok(Name { text: input.parse()?, unquoted: None, shorthand: None });
    }
    if !input.peek(Ident::peek_any) {
        return Err(input.error(
            "expected a field: `order.id = %msg.id`, `\"a key\" = 1` or the name of an argument",
        ));
    }
    let parts: Punctuated<Ident, Token![.]> =
        Punctuated::parse_separated_nonempty_with(input, Ident::parse_any).map_err(|mistake| {
            syn::Error::new(
                mistake.span(),
                "a field's name is words and dots: give this value one, `name = ..`",
            )
        })?;
    let name = parts.iter().map(|part| part.unraw().to_string()).collect::<Vec<_>>().join(".");
    let unquoted = parts.first().zip(parts.last()).map(|(first, last)| (first.span(), last.span()));
    let span = unquoted.map_or_else(Span::call_site, |(first, _)| first);
    // A keyword (`type = ..`) is a fine name, but stands for nothing by itself.
    let shorthand = syn::parse2(parts.to_token_stream()).ok();
    Ok(Name { text: LitStr::new(&name, span), unquoted, shorthand })
}

/// `Empty`, however it is reached.
fn is_empty(value: &Expr) -> bool {
    matches!(bare(value), Expr::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Empty"))
}
