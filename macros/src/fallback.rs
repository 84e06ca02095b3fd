//! What stands in the user's file when a macro was used wrongly: the errors, and the item as written, so that nobody
//! who calls it gets an error of their own.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::{item::Function, mistakes::Mistakes};

/// The item that a macro was put on, as far as it could be read.
pub(crate) enum Item {
    /// Its `#[message]` marks are already off: the compiler doesn't know them.
    Function(Box<Function>),
    Unread(TokenStream),
}

// Input, with `told` the error for a misspelt option:
//     async fn charge_card(#[message] msg: OrderPlaced, now: Instant) { .. }
//
// Output:
//     ::core::compile_error! { "unknown option `lnk`: did you mean `link`?" }
//     async fn charge_card(msg: OrderPlaced, now: Instant) { .. }
pub(crate) fn as_written(mistakes: &Mistakes, item: &Item) -> TokenStream {
    let told = mistakes.told();
    let item = match item {
        Item::Function(function) => {
            let mut function = function.clone();
            // Whether the body could run at compile time is no longer the question.
            function.signature.constness = None;
            function.to_token_stream()
        }
        Item::Unread(tokens) => tokens.clone(),
    };
    quote!(#told #item)
}
