//! The function under the attribute: its signature parsed, its body left alone, so that a half-written body still
//! expands and an editor can complete it.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::{
    Attribute, FnArg, Signature, Token, Visibility,
    parse::{Parse, ParseStream, Parser},
};

/// A function, free or in an `impl`.
#[derive(Clone)]
pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    visibility: Visibility,
    defaultness: Option<Token![default]>,
    pub(crate) signature: Signature,
    pub(crate) body: Body,
}

/// What stands between a function's braces.
#[derive(Clone)]
pub(crate) enum Body {
    Block {
        /// `#![allow(..)]` and its like: they hold for the whole function and may not move into a block of ours.
        inner: Vec<Attribute>,
        block: Group,
    },
    /// A trait's method without one.
    Missing(Token![;]),
}

impl Function {
    /// Takes the `#[message]` marks off, and what was meant for one, and says on which arguments they stood.
    pub(crate) fn take_marks(&mut self) -> Vec<(usize, Attribute)> {
        let mut marks = Vec::new();
        for (position, argument) in self.signature.inputs.iter_mut().enumerate() {
            let attributes = match argument {
                FnArg::Receiver(receiver) => &mut receiver.attrs,
                FnArg::Typed(typed) => &mut typed.attrs,
            };
            let (ours, others) =
                std::mem::take(attributes).into_iter().partition::<Vec<_>, _>(is_mark);
            *attributes = others;
            marks.extend(ours.into_iter().map(|mark| (position, mark)));
        }
        marks
    }

    /// The function's parts before its body.
    pub(crate) fn head(&self) -> TokenStream {
        let mut tokens = TokenStream::new();
        tokens.append_all(&self.attributes);
        self.visibility.to_tokens(&mut tokens);
        self.defaultness.to_tokens(&mut tokens);
        self.signature.to_tokens(&mut tokens);
        tokens
    }
}

/// `#[message]`, also where it is misspelt or conditional, for the compiler knows no such attribute.
fn is_mark(attribute: &Attribute) -> bool {
    let path = attribute.path();
    if path.is_ident("cfg_attr") {
        return attribute.meta.to_token_stream().to_string().contains("message");
    }
    path.segments.last().is_some_and(|last| {
        let name = last.ident.to_string().to_lowercase();
        ["message", "messages", "msg"].contains(&name.as_str())
    })
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let defaultness = input.parse()?;
        if !starts_function(input) {
            return Err(not_a_function(input));
        }
        Ok(Self {
            attributes,
            visibility,
            defaultness,
            signature: input.parse()?,
            body: input.parse()?,
        })
    }
}

impl Parse for Body {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        if input.peek(Token![;]) {
            return Ok(Self::Missing(input.parse()?));
        }
        let block = braces(input.parse()?)
            .ok_or_else(|| input.error("expected the function's body, `{ .. }`"))?;
        let open_and_close = block.span();
        let (inner, statements) = (|input: ParseStream<'_>| {
            Ok((input.call(Attribute::parse_inner)?, input.parse::<TokenStream>()?))
        })
        .parse2(block.stream())?;
        let block = if inner.is_empty() {
            block
        } else {
            let mut block = Group::new(Delimiter::Brace, statements);
            block.set_span(open_and_close);
            block
        };
        Ok(Self::Block { inner, block })
    }
}

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.head());
        match &self.body {
            Body::Missing(semicolon) => semicolon.to_tokens(tokens),
            Body::Block { inner, block } => {
                let mut content = TokenStream::new();
                content.append_all(inner);
                content.extend(block.stream());
                let mut whole = Group::new(Delimiter::Brace, content);
                whole.set_span(block.span());
                tokens.append(whole);
            }
        }
    }
}

/// The braces of a body; one that a `macro_rules!` passed as `$body:block` has invisible delimiters round it.
fn braces(tree: TokenTree) -> Option<Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut inside = group.stream().into_iter();
            let only = inside.next()?;
            inside.next().is_none().then(|| braces(only)).flatten()
        }
        _ => None,
    }
}

fn starts_function(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let skipped = ahead.parse::<Option<Token![const]>>().is_ok()
        && ahead.parse::<Option<Token![async]>>().is_ok()
        && ahead.parse::<Option<Token![unsafe]>>().is_ok()
        && ahead.parse::<Option<syn::Abi>>().is_ok();
    skipped && ahead.peek(Token![fn])
}

fn not_a_function(input: ParseStream<'_>) -> syn::Error {
    let advice = if input.peek(Token![impl]) || input.peek(Token![trait]) {
        "this attribute goes on a function: put it on each method that is to run in a span"
    } else if input.peek(Token![move]) || input.peek(Token![|]) || input.peek(Token![async]) {
        "this attribute goes on a function: give the closure's code a name, as an `async fn`, or use the builder"
    } else {
        "this attribute goes on a function, `async fn` or `fn`"
    };
    input.error(advice)
}
