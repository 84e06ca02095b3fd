//! `#[tracing::instrument]` below one of our attributes, and what else has to be expanded before it.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::{
    Attribute,
    parse::{ParseStream, Parser},
};

use crate::args::{self, SpanOptions};

/// Ends the options of an attribute that stands below `instrument` because we put it there.
const MOVED: &str = "__below_instrument";

// Input:
//     #[async_consumer(link)]
//     #[instrument(skip_all)]
//     async fn charge_card(msg: OrderPlaced) { .. }
//
// Output:
//     #[instrument(skip_all)]
//     #[::throughline::async_consumer(link __below_instrument)]
//     async fn charge_card(msg: OrderPlaced) { .. }
//
/// Puts our attribute below `instrument`, or whatever else `before` names.
///
/// An attribute wraps what those above it have left. Expanded after ours, `instrument` would put its span round the
/// handler's, where the handler's has to be a root: two traces for one call. The attribute that stands first is to make
/// the outer span, so `instrument` is expanded before.
///
/// `Err` holds the options to go on with: there is no `instrument`, or it was dealt with before and is still there
/// because nobody has imported it, which is for the compiler to say.
pub(crate) fn put_first<O: SpanOptions>(
    options: TokenStream,
    item: &TokenStream,
    before: &[&str],
) -> Result<TokenStream, TokenStream> {
    let options = unmarked(options)?;
    let split = |input: ParseStream<'_>| {
        Ok((input.call(Attribute::parse_outer)?, input.parse::<TokenStream>()?))
    };
    let Ok((attributes, function)) = split.parse2(item.clone()) else { return Err(options) };
    let (instrument, others): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|attribute| {
        attribute
            .path()
            .segments
            .last()
            .is_some_and(|last| before.iter().any(|name| last.ident == name))
    });
    if instrument.is_empty() {
        return Err(options);
    }
    let ours = args::parse::<O>(options.clone()).options.common().attribute(O::MACRO);
    let moved = Ident::new(MOVED, Span::mixed_site());
    Ok(quote! {
        #(#instrument)*
        #(#others)*
        #[#ours(#options #moved)]
        #function
    })
}

/// The options, if they have no mark; else, as `Err`, the options without it.
fn unmarked(options: TokenStream) -> Result<TokenStream, TokenStream> {
    let mut tokens: Vec<TokenTree> = options.clone().into_iter().collect();
    match tokens.pop() {
        Some(TokenTree::Ident(last)) if last == MOVED => Err(tokens.into_iter().collect()),
        _ => Ok(options),
    }
}
