//! An `async fn` as a function that does something when it is called, and returns the future.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote_spanned};
use syn::{
    Attribute, FnArg, Pat, PatIdent, PatType, Receiver, ReturnType, Signature, Type,
    spanned::Spanned as _,
};

use super::{mixed, mixed_at};
use crate::{args::Common, item::Function, message};

/// The function's parts before its body, and what is first in its future.
pub(super) struct Called {
    pub(super) head: TokenStream,
    /// All arguments, so that they live as long as those of an `async fn`, also where the body does not use them.
    pub(super) taken: TokenStream,
}

// Input:
//     async fn resize(&self, mut image: Image, (width, height): (u32, u32)) -> Result<Image, Error>
//
// Output:
//     fn resize(&self, image: Image, __argument2: (u32, u32)) -> impl Future<Output = Result<Image, Error>>
// and
//     let _ = &self;
//     let mut image = image;
//     let __argument2 = __argument2;
//     let (width, height) = __argument2;
pub(super) fn called(function: &Function, common: &Common) -> Called {
    let mut function = function.clone();
    let signature = &mut function.signature;
    signature.asyncness = None;
    signature.output = future_of(signature, common);
    let taken =
        signature.inputs.iter_mut().enumerate().map(|(position, argument)| match argument {
            FnArg::Receiver(receiver) => take_self(receiver),
            FnArg::Typed(argument) => take(argument, position),
        });
    let taken = taken.collect();
    // Said of what the future yields; of the future itself it goes without saying.
    if function.attributes.iter().any(|attribute| attribute.path().is_ident("must_use")) {
        let allowed = syn::parse_quote_spanned!(mixed()=> #[allow(clippy::double_must_use)]);
        function.attributes.push(allowed);
    }
    Called { head: function.head(), taken }
}

/// `impl Future`, in words of ours: it captures what the future of an `async fn` captures only since the edition 2024,
/// which is ours, and perhaps not the user's.
fn future_of(signature: &Signature, common: &Common) -> ReturnType {
    let (output, shown) = match &signature.output {
        ReturnType::Default => {
            let shown = mixed_at(signature.paren_token.span.close());
            (quote_spanned!(shown=> ()), shown)
        }
        ReturnType::Type(_, ty) => {
            let shown = mixed_at(ty.span());
            (yielded(ty, common, shown), shown)
        }
    };
    syn::parse_quote_spanned!(shown=> -> impl ::core::future::Future<Output = #output>)
}

/// `!` may be written after an arrow only.
fn yielded(ty: &Type, common: &Common, shown: Span) -> TokenStream {
    if matches!(message::bare(ty), Type::Never(_)) {
        let private = common.attribute("private");
        quote_spanned!(shown=> <fn() -> #ty as #private::Returns>::Output)
    } else {
        ty.to_token_stream()
    }
}

fn take_self(receiver: &Receiver) -> TokenStream {
    let conditions = receiver.attrs.iter().filter(|attribute| is_condition(attribute));
    let r_self = receiver.self_token;
    quote_spanned!(mixed()=> #(#conditions)* let _ = &#r_self;)
}

/// The pattern is bound in the future, and a name stands in its place.
fn take(argument: &mut PatType, position: usize) -> TokenStream {
    let conditions: Vec<_> =
        argument.attrs.iter().filter(|attribute| is_condition(attribute)).cloned().collect();
    // A lint that is allowed or expected is one of the binding.
    let (of_binding, of_argument): (Vec<_>, Vec<_>) =
        std::mem::take(&mut argument.attrs).into_iter().partition(is_of_a_lint);
    argument.attrs = of_argument;
    if let Pat::Ident(PatIdent { by_ref: None, subpat: None, mutability, ident, .. }) =
        &mut *argument.pat
    {
        let mutability = mutability.take();
        // To be taken is not to be used.
        let allowed = ident.to_string().starts_with('_').then(|| {
            quote_spanned!(mixed()=> #[allow(clippy::used_underscore_binding, clippy::no_effect_underscore_binding)])
        });
        return quote_spanned! {mixed()=>
            #(#conditions)*
            #(#of_binding)*
            #allowed
            let #mutability #ident = #ident;
        };
    }
    let name = Ident::new(&format!("__argument{position}"), mixed());
    let named = syn::parse_quote_spanned!(mixed()=> #name);
    let pattern = std::mem::replace(&mut *argument.pat, named);
    quote_spanned! {mixed()=>
        #(#conditions)*
        let #name = #name;
        #(#conditions)*
        #(#of_binding)*
        let #pattern = #name;
    }
}

fn is_condition(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
}

fn is_of_a_lint(attribute: &Attribute) -> bool {
    ["allow", "expect", "warn", "deny", "forbid", "cfg_attr"]
        .iter()
        .any(|name| attribute.path().is_ident(name))
}
