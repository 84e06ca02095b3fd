//! What the type's parameters have to be for an impl to hold: a condition for each marked field whose type depends on
//! one. Of any other field the compiler sees it where the field is used, and says it once.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{
    GenericArgument, Ident, Path, PathArguments, Type, WherePredicate, parse_quote_spanned,
    visit::{self, Visit},
};

use super::{
    check::{Derived, Target, Told},
    facts::ToldBy,
};
use crate::{expand::mixed, message::bare};

/// For reading: that `message` is what carries the context, and that each fact can be told.
pub(super) fn of_message(derived: &Derived, message: &TokenStream) -> Vec<WherePredicate> {
    let target = &derived.target;
    let told = derived.parts.iter().flat_map(|part| &part.told);
    of_carriers(derived, message).chain(told.filter_map(|told| of_a_fact(target, told))).collect()
}

/// For writing: that `message_mut` is what takes the context.
pub(super) fn of_message_mut(derived: &Derived, message_mut: &TokenStream) -> Vec<WherePredicate> {
    let mut conditions = of_the_type(&derived.target);
    conditions.extend(of_carriers(derived, message_mut));
    conditions
}

/// That it is a `Message`: whoever writes that impl by hand may have conditions of their own.
pub(super) fn of_the_type(target: &Target) -> Vec<WherePredicate> {
    let message = target.runtime("Message");
    let generic = target.generics.type_params().next().is_some();
    generic.then(|| parse_quote_spanned!(mixed()=> Self: #message)).into_iter().collect()
}

fn of_carriers(derived: &Derived, what: &TokenStream) -> impl Iterator<Item = WherePredicate> {
    let carriers = derived.parts.iter().filter_map(|part| part.carrier.as_ref());
    carriers.filter_map(|carrier| that(&derived.target, &carrier.ty, what))
}

fn of_a_fact(target: &Target, Told { fact, field, display }: &Told) -> Option<WherePredicate> {
    let module = target.runtime("fact");
    let (ty, inner) = (&field.ty, without_option(&field.ty));
    match fact.told_by {
        ToldBy::Text(_) if *display => that(target, inner, &quote!(::core::fmt::Display)),
        ToldBy::Text(_) => that(target, ty, &quote!(#module::Text)),
        ToldBy::Count | ToldBy::UnixMilliseconds => that(target, ty, &quote!(#module::Count)),
        ToldBy::Time => {
            let what =
                quote!(::core::clone::Clone + ::core::convert::Into<::std::time::SystemTime>);
            that(target, inner, &what)
        }
        ToldBy::Body => {
            that(target, inner, &quote!(::core::convert::AsRef<[::core::primitive::u8]>))
        }
    }
}

fn that(target: &Target, ty: &Type, what: &TokenStream) -> Option<WherePredicate> {
    // A condition on the type itself would have no end.
    (mentions(ty, target.generics.type_params().map(|parameter| &parameter.ident))
        && !mentions(ty, [&target.ident].into_iter()))
    .then(|| parse_quote_spanned!(mixed()=> #ty: #what))
}

/// Whether one of these names begins a path in `ty`.
fn mentions<'n>(ty: &Type, names: impl Iterator<Item = &'n Ident>) -> bool {
    struct Mentions<'n>(Vec<&'n Ident>, bool);
    impl<'ast> Visit<'ast> for Mentions<'_> {
        fn visit_path(&mut self, path: &'ast Path) {
            let first = path.segments.first().filter(|_| path.leading_colon.is_none());
            self.1 |= first.is_some_and(|first| self.0.contains(&&first.ident));
            visit::visit_path(self, path);
        }
    }
    let mut mentions = Mentions(names.collect(), false);
    mentions.visit_type(ty);
    mentions.1
}

/// `T` of `Option<T>`, for a condition on the type's parameters: by its name, since a macro has nothing else to go by.
fn without_option(ty: &Type) -> &Type {
    let Type::Path(path) = bare(ty) else { return ty };
    let last = path.path.segments.last().filter(|last| last.ident == "Option");
    let Some(PathArguments::AngleBracketed(arguments)) = last.map(|last| &last.arguments) else {
        return ty;
    };
    match arguments.args.first() {
        Some(GenericArgument::Type(inner)) => inner,
        _ => ty,
    }
}
