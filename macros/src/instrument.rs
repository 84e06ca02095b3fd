//! `#[tracing::instrument]` below one of our attributes.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{
    Attribute,
    parse::{ParseStream, Parser},
};

use crate::args::{self, Options};

// Input:
//     #[async_consumer(link)]
//     #[instrument(skip_all)]
//     async fn charge_card(msg: OrderPlaced) { .. }
//
// Output:
//     #[instrument(skip_all)]
//     #[::throughline::async_consumer(link)]
//     async fn charge_card(msg: OrderPlaced) { .. }
//
// An attribute wraps what those above it have left. Expanded after ours, `instrument` would put its span round the
// handler's, where the handler's has to be a root: two traces for one call. The attribute that stands first is to make
// the outer span, so `instrument` is expanded before.
pub(crate) fn inside<O: Options>(options: &TokenStream, item: &TokenStream) -> Option<TokenStream> {
    let split = |input: ParseStream<'_>| {
        Ok((input.call(Attribute::parse_outer)?, input.parse::<TokenStream>()?))
    };
    let (attributes, function) = split.parse2(item.clone()).ok()?;
    let (instrument, others): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|attribute| {
        attribute.path().segments.last().is_some_and(|last| last.ident == "instrument")
    });
    if instrument.is_empty() {
        return None;
    }
    let runtime = args::parse::<O>(options.clone()).options.common().runtime();
    let ours = O::MACRO.parse::<TokenStream>().ok()?.into_token_stream();
    Some(quote! {
        #(#instrument)*
        #(#others)*
        #[#runtime::#ours(#options)]
        #function
    })
}
