//! The builder's calls that describe the span.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Expr, ExprReference, Token, spanned::Spanned as _};

use super::{mixed, mixed_at};
use crate::args::{
    self, Common, ConsumerOptions, Existing, FailureEvent, Field, Given, Limits, ProducerOptions,
    Recorded, Relation, TaskOptions, Text, Within,
};

/// How the handler's span relates to its senders, and what it takes from its messages.
pub(super) fn consumer(options: &ConsumerOptions) -> TokenStream {
    let relation = relation(options.relations.first(), options.nested.is_some());
    let max_links = options.max_links.as_ref().map(|given| {
        let max_links = &given.value;
        quote_spanned!(mixed()=> .max_links(#max_links))
    });
    let headers = options.capture_headers.as_ref().map(|given| {
        let names = match &given.value {
            Expr::Array(list) => reference(None, &Expr::Array(list.clone())),
            list => list.to_token_stream(),
        };
        quote_spanned!(mixed()=> .capture_headers(#names))
    });
    let limits = limits(&options.limits);
    quote!(#relation #limits #max_links #headers)
}

fn limits(limits: &Limits) -> TokenStream {
    let within = limits.within.as_ref().map(|given| {
        let age = match &given.value {
            Within::Literal(age) => {
                let milliseconds = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
                quote_spanned!(mixed()=> ::core::time::Duration::from_millis(#milliseconds))
            }
            Within::Computed(expr) => expr.to_token_stream(),
        };
        quote_spanned!(mixed()=> .within(#age))
    });
    let max_hops = limits.max_hops.as_ref().map(|given| {
        let hops = &given.value;
        quote_spanned!(mixed()=> .max_hops(#hops))
    });
    let heed_break = limits.heed_break.as_ref().map(|given| {
        let heed = &given.value;
        quote_spanned!(mixed()=> .heed_break(#heed))
    });
    quote!(#within #max_hops #heed_break)
}

/// How the task's span relates to its caller's.
pub(super) fn task(options: &TaskOptions) -> TokenStream {
    let relation = relation(options.relations.first(), false);
    let limits = limits(&options.limits);
    quote!(#relation #limits)
}

fn relation(given: Option<&Given<Relation>>, nested: bool) -> TokenStream {
    match given.map(|given| &given.value) {
        Some(Relation::Link) if nested => quote_spanned!(mixed()=> .link_nested()),
        // `check` has seen to it that there is a relation.
        Some(Relation::Link) | None => quote_spanned!(mixed()=> .link()),
        Some(Relation::Continue) => quote_spanned!(mixed()=> .continue_()),
        Some(Relation::Ignore) => quote_spanned!(mixed()=> .ignore()),
        Some(Relation::Chosen(expr)) => quote_spanned!(mixed()=> .relation(#expr)),
    }
}

/// What becomes of a context that the message carries already, and what is noted beside it.
pub(super) fn producer(options: &ProducerOptions) -> TokenStream {
    let existing = options.common.runtime("Existing");
    let existing = options.existing.as_ref().map(|given| {
        let kept = match given.value {
            Existing::Keep => quote!(Keep),
            Existing::Replace => quote!(Replace),
        };
        quote_spanned!(mixed()=> .existing(#existing::#kept))
    });
    let new_trace = options.new_trace.as_ref().map(|_| quote_spanned!(mixed()=> .new_trace(true)));
    let retry = options.retry.as_ref().map(|_| quote_spanned!(mixed()=> .retry(true)));
    quote!(#existing #new_trace #retry)
}

/// What all spans have.
pub(super) fn common(common: &Common, written: &[Ident]) -> TokenStream {
    let shared = but_for_fields(common);
    let fields = fields(common, written);
    let fields = fields.map(|fields| quote_spanned!(mixed()=> .fields(#fields)));
    quote!(#shared #fields)
}

/// The fields, borrowed. Those that mention one of `written` let go of it before the message is
/// borrowed to be written.
pub(super) fn fields(common: &Common, written: &[Ident]) -> Option<TokenStream> {
    let given = common.fields.as_ref()?;
    let module = common.runtime("field");
    let fields = given.value.iter().map(|field| recorded(&module, field, written));
    Some(quote_spanned!(mixed()=> &[#(#fields),*]))
}

pub(super) fn but_for_fields(common: &Common) -> TokenStream {
    let texts = common.texts().map(|given| {
        let method = Ident::new(&given.key.to_string(), mixed());
        let text = match &given.value {
            Text::Literal(literal) => literal.to_token_stream(),
            Text::Computed(expr) => {
                let expr = reference(None, expr);
                quote_spanned!(mixed_at(expr.span())=> ::std::string::ToString::to_string(#expr))
            }
        };
        quote_spanned!(mixed()=> .#method(#text))
    });
    let enabled = common.enabled.as_ref().map(|given| {
        let enabled = &given.value;
        quote_spanned!(mixed()=> .enabled(#enabled))
    });
    let silent = common
        .err
        .as_ref()
        .filter(|given| matches!(given.value, FailureEvent::Off))
        .map(|_| quote_spanned!(mixed()=> .failure_event(false)));
    quote!(#(#texts)* #enabled #silent)
}

fn recorded(module: &TokenStream, field: &Field, written: &[Ident]) -> TokenStream {
    let Field { name, recorded, .. } = field;
    let (how, value) = match recorded {
        Recorded::Value(value) => ("value", value),
        Recorded::Display(value) => ("display", value),
        Recorded::Debug(value) => ("debug", value),
        Recorded::Empty => return quote_spanned!(mixed()=> (#name, #module::empty())),
    };
    let how = Ident::new(how, mixed_at(value.span()));
    let owned = mentions(value, written).then(|| quote_spanned!(mixed()=> .into_owned()));
    let value = reference(None, value);
    quote_spanned!(mixed_at(value.span())=> (#name, #module::#how(#value) #owned))
}

pub(super) fn mentions(tokens: impl ToTokens, names: &[Ident]) -> bool {
    !names.is_empty() && idents(tokens.to_token_stream()).iter().any(|ident| names.contains(ident))
}

/// Every name in `tokens`, those in a format string's braces too.
pub(super) fn idents(tokens: TokenStream) -> Vec<Ident> {
    let mut found = Vec::new();
    for tree in tokens {
        match tree {
            TokenTree::Ident(ident) => found.push(ident),
            TokenTree::Group(group) => found.extend(idents(group.stream())),
            TokenTree::Literal(text) => {
                let text = text.to_string();
                let opened = text.split('{').skip(1);
                let names = opened
                    .map(|after| after.split(['}', ':', '.', '$']).next().unwrap_or_default());
                found.extend(names.filter_map(|name| syn::parse_str::<Ident>(name).ok()));
            }
            TokenTree::Punct(_) => {}
        }
    }
    found
}

/// `&expr`, or `&mut expr`, with the parentheses it may need.
pub(super) fn reference(mutability: Option<Token![mut]>, expr: &Expr) -> TokenStream {
    reference_at(mixed_at(expr.span()), mutability, expr)
}

/// The same, with the place of `&`.
pub(crate) fn reference_at(
    span: Span,
    mutability: Option<Token![mut]>,
    expr: &Expr,
) -> TokenStream {
    // The compiler forgets invisible delimiters, and `&` would take hold of the first operand alone.
    let expr = Box::new(args::bare(expr).clone());
    ExprReference { attrs: Vec::new(), and_token: Token![&](span), mutability, expr }
        .into_token_stream()
}
