//! `fields(..)`, in the syntax of `tracing::instrument`.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{
    Block, Expr, Ident, LitStr, Token,
    ext::IdentExt as _,
    parenthesized,
    parse::{Parse, ParseStream},
    punctuated::Punctuated,
    spanned::Spanned as _,
    token::{Brace, Paren},
};

use super::{attempt, bare};

/// One field of the handler's span.
pub(crate) struct Field {
    pub(crate) name: Name,
    pub(crate) recorded: Recorded,
    /// The argument that a field without a value stands for.
    pub(crate) shorthand: Option<Ident>,
}

/// What a field is called.
pub(crate) enum Name {
    Text {
        text: LitStr,
        /// The first and the last word of a name that is not in quotes.
        unquoted: Option<(Span, Span)>,
    },
    /// `{ ORDER_ID }`
    Constant(Block),
}

impl Name {
    pub(crate) fn span(&self) -> Span {
        match self {
            Self::Text { text, .. } => text.span(),
            Self::Constant(block) => block.span(),
        }
    }

    fn text(&self) -> Option<String> {
        match self {
            Self::Text { text, .. } => Some(text.value()),
            Self::Constant(_) => None,
        }
    }
}

impl ToTokens for Name {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match self {
            Self::Text { text, .. } => text.to_tokens(tokens),
            Self::Constant(block) => block.to_tokens(tokens),
        }
    }
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
        let mut fields = Vec::new();
        while !content.is_empty() {
            fields.push(content.call(Field::parse)?);
            if !content.is_empty() && content.parse::<Option<Token![,]>>()?.is_none() {
                return Err(after_a_field(&content));
            }
        }
        Ok(fields)
    })?;
    let mut names = HashSet::new();
    for field in &fields {
        let Some(name) = field.name.text() else { continue };
        if name.is_empty() {
            return Err(syn::Error::new(field.name.span(), "this field has no name: give it one"));
        }
        if !names.insert(name.clone()) {
            let words = format!("the field `{name}` is given twice: keep one");
            return Err(syn::Error::new(field.name.span(), words));
        }
    }
    Ok(fields)
}

/// What stands where a comma belongs.
fn after_a_field(input: ParseStream<'_>) -> syn::Error {
    input.error(if input.peek(Token![:]) && !input.peek(Token![::]) {
        "a field's value follows `=`: write `name = value`"
    } else if input.peek(Token![::]) || input.peek(Token![-]) {
        "a field's name is words and dots: put another name in quotes, `\"a-name\" = value`"
    } else if input.peek(Paren) || input.peek(Token![!]) {
        "give this value a name: write `name = value`"
    } else {
        "expected `,` before the next field"
    })
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
        let Named { name, alone } = Named::parse(input)?;
        if input.parse::<Option<Token![=]>>()?.is_none() {
            let Some((value, argument)) = alone else {
                return Err(syn::Error::new(
                    name.span(),
                    "this field needs a value: write `name = value`, or `name = Empty` to fill it later",
                ));
            };
            return Ok(Self { name, recorded: before.of(value), shorthand: Some(argument) });
        }
        if input.is_empty() || input.peek(Token![,]) {
            let name = name.to_token_stream();
            return Err(syn::Error::new_spanned(
                &name,
                format!(
                    "the field `{}` needs a value after `=`",
                    name.to_string().trim_matches('"')
                ),
            ));
        }
        let sigil = match Sigil::parse(input)? {
            Sigil::None => before,
            after => after,
        };
        Ok(Self { name, recorded: sigil.of(input.parse()?), shorthand: None })
    }
}

/// A name, and what it stands for by itself where it is neither quoted nor a keyword: `order.id`, of the argument
/// `order`.
struct Named {
    name: Name,
    alone: Option<(Expr, Ident)>,
}

impl Parse for Named {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(LitStr) {
            let text = input.parse()?;
            return Ok(Self { name: Name::Text { text, unquoted: None }, alone: None });
        }
        if input.peek(Brace) {
            return Ok(Self { name: Name::Constant(input.parse()?), alone: None });
        }
        if !input.peek(Ident::peek_any) {
            return Err(input.error(
                "expected a field: `order.id = %msg.id`, `\"a key\" = 1` or the name of an argument",
            ));
        }
        let parts: Punctuated<Ident, Token![.]> =
            Punctuated::parse_separated_nonempty_with(input, Ident::parse_any).map_err(
                |mistake| {
                    syn::Error::new(
                        mistake.span(),
                        "a field's name is words and dots: give this value one, `name = ..`",
                    )
                },
            )?;
        let text = parts.iter().map(|part| part.unraw().to_string()).collect::<Vec<_>>().join(".");
        let first = parts.first().cloned();
        let unquoted =
            first.as_ref().zip(parts.last()).map(|(first, last)| (first.span(), last.span()));
        let span = unquoted.map_or_else(Span::call_site, |(first, _)| first);
        // A keyword (`type = ..`) is a fine name, but stands for nothing by itself.
        let alone = syn::parse2(parts.to_token_stream()).ok().zip(first);
        Ok(Self { name: Name::Text { text: LitStr::new(&text, span), unquoted }, alone })
    }
}

/// `Empty`, however it is reached.
fn is_empty(value: &Expr) -> bool {
    matches!(bare(value), Expr::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Empty"))
}
