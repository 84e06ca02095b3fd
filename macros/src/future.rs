//! Functions that are no `async fn` and return a future all the same.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    AssocType, GenericArgument, PathArguments, PathSegment, ReturnType, Signature, Token, Type,
    TypeParamBound, punctuated::Punctuated,
};

use crate::{
    item::{Body, Function},
    message::bare,
};

/// A future that a function returns.
pub(crate) struct Returns {
    /// What the future yields, where the signature says it.
    pub(crate) output: Option<Type>,
    pub(crate) allocation: Allocation,
}

/// What the future stands in.
#[derive(Clone, Copy)]
pub(crate) enum Allocation {
    /// `impl Future`
    None,
    /// `Pin<Box<dyn Future>>`
    Pinned,
    /// `Box<dyn Future + Unpin>`
    Boxed,
}

impl Returns {
    /// By the names in the return type, or by a body that ends in `Box::pin(async ..)`. A future by any other name is a
    /// value like any other.
    pub(crate) fn of(function: &Function) -> Option<Self> {
        if function.signature.asyncness.is_some() {
            return None;
        }
        let ReturnType::Type(_, ty) = &function.signature.output else { return None };
        by_type(ty).or_else(|| match &function.body {
            Body::Block { block, .. } if ends_in_a_pinned_async_block(block) => {
                Some(Self { output: None, allocation: Allocation::Pinned })
            }
            _ => None,
        })
    }
}

fn by_type(ty: &Type) -> Option<Returns> {
    match bare(ty) {
        Type::ImplTrait(opaque) => {
            let future = future_among(&opaque.bounds)?;
            // An `async` block is not `Unpin`; a pinned box is.
            let allocation = if opaque.bounds.iter().any(|bound| is_named(bound, "Unpin")) {
                Allocation::Pinned
            } else {
                Allocation::None
            };
            Some(Returns { output: output(future), allocation })
        }
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            let types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            });
            let inner = types.last()?;
            match last.ident.to_string().as_str() {
                "Pin" => Some(Returns { allocation: Allocation::Pinned, ..boxed(inner)? }),
                "Box" => boxed(ty),
                // As `futures` calls them.
                "BoxFuture" | "LocalBoxFuture" => {
                    Some(Returns { output: Some(inner.clone()), allocation: Allocation::Pinned })
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// `Box<dyn Future>`
fn boxed(ty: &Type) -> Option<Returns> {
    let Type::Path(path) = bare(ty) else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Box")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    let bounds = match arguments.args.first()? {
        GenericArgument::Type(inner) => match bare(inner) {
            Type::TraitObject(object) => &object.bounds,
            Type::ImplTrait(opaque) => &opaque.bounds,
            _ => return None,
        },
        _ => return None,
    };
    Some(Returns { output: output(future_among(bounds)?), allocation: Allocation::Boxed })
}

/// `Future<Output = R>`
fn future_among(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<&PathSegment> {
    bounds.iter().find(|bound| is_named(bound, "Future")).and_then(last_segment)
}

fn output(future: &PathSegment) -> Option<Type> {
    let PathArguments::AngleBracketed(arguments) = &future.arguments else { return None };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Output" => {
            Some(ty.clone())
        }
        _ => None,
    })
}

fn is_named(bound: &TypeParamBound, name: &str) -> bool {
    last_segment(bound).is_some_and(|last| last.ident == name)
}

fn last_segment(bound: &TypeParamBound) -> Option<&PathSegment> {
    match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last(),
        _ => None,
    }
}

/// `{ ..; Box::pin(async move { .. }) }`
fn ends_in_a_pinned_async_block(block: &Group) -> bool {
    let mut tokens: Vec<TokenTree> = block.stream().into_iter().collect();
    let Some(TokenTree::Group(argument)) = tokens.pop() else { return false };
    let mut inside = argument.stream().into_iter();
    argument.delimiter() == Delimiter::Parenthesis
        && matches!(inside.next(), Some(TokenTree::Ident(first)) if first == "async")
        && ends_in_box_pin(&tokens)
}

fn ends_in_box_pin(tokens: &[TokenTree]) -> bool {
    let last: Vec<String> = tokens.iter().rev().take(4).map(ToString::to_string).collect();
    last == ["pin", ":", ":", "Box"]
}

/// Whether the future may hold what the function is only lent: if nothing is lent, or the return type names a lifetime.
/// Else the message has to be read when the function is called.
pub(crate) fn may_hold_the_arguments(signature: &Signature) -> bool {
    let lent = any_token(signature.inputs.to_token_stream(), &['&', '\'']);
    !lent || any_token(signature.output.to_token_stream(), &['\''])
}

fn any_token(tokens: TokenStream, wanted: &[char]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Punct(punct) => wanted.contains(&punct.as_char()),
        TokenTree::Group(group) => any_token(group.stream(), wanted),
        _ => false,
    })
}

/// A body that is an `async move` block and nothing else: an `async fn` in another spelling, as `#[async_trait]` writes
/// it.
pub(crate) struct OnlyAsyncBlock {
    /// `Box::pin`, or nothing.
    pin: TokenStream,
    keywords: [TokenTree; 2],
    /// What is to run.
    pub(crate) block: Group,
}

/// `{ async move { .. } }` or `{ Box::pin(async move { .. }) }`
pub(crate) fn only_async_block(body: &Group) -> Option<OnlyAsyncBlock> {
    let mut tokens: Vec<TokenTree> = body.stream().into_iter().collect();
    if let [TokenTree::Ident(first), TokenTree::Ident(second), TokenTree::Group(block)] =
        tokens.as_slice()
    {
        let is_one = first == "async" && second == "move" && block.delimiter() == Delimiter::Brace;
        return is_one.then(|| OnlyAsyncBlock {
            pin: TokenStream::new(),
            keywords: [tokens[0].clone(), tokens[1].clone()],
            block: block.clone(),
        });
    }
    let Some(TokenTree::Group(argument)) = tokens.pop() else { return None };
    let is_path = tokens.iter().all(|token| match token {
        TokenTree::Ident(_) => true,
        TokenTree::Punct(punct) => punct.as_char() == ':',
        _ => false,
    });
    if !is_path || !ends_in_box_pin(&tokens) || argument.delimiter() != Delimiter::Parenthesis {
        return None;
    }
    let inner = only_async_block(&argument).filter(|inner| inner.pin.is_empty())?;
    Some(OnlyAsyncBlock { pin: tokens.into_iter().collect(), ..inner })
}

impl OnlyAsyncBlock {
    /// The same with another block.
    pub(crate) fn with_block(&self, content: &TokenStream) -> TokenStream {
        let Self { pin, keywords: [r_async, r_move], block } = self;
        let mut content = Group::new(Delimiter::Brace, content.clone());
        content.set_span(block.span());
        let whole = quote!(#r_async #r_move #content);
        if pin.is_empty() { whole } else { quote!(#pin(#whole)) }
    }
}
