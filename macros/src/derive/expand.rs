//! The tokens: each marked field is handed to the runtime, which knows what to make of its type.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    DeriveInput, GenericArgument, Generics, Lifetime, Member, PathArguments, Token, Type,
    WherePredicate,
    ext::IdentExt as _,
    parse_quote_spanned,
    spanned::Spanned as _,
    visit::{self, Visit},
};

use super::{
    check::{self, Derived, Field, Part, Refused, Shape, Target, Told},
    facts::ToldBy,
    marks::Constant,
};
use crate::{
    args::{self, Given, Text},
    expand::{ends, mixed, mixed_at, reference},
    message::bare,
};

// Input:
//     #[message(system = "shop")]
//     struct Job<H> {
//         #[message(id)]
//         number: u64,
//         #[message(headers)]
//         headers: H,
//     }
//
// Output:
//     impl<H> ::throughline::Message for Job<H>
//     where
//         H: ::throughline::Message,
//     {
//         fn headers<'__m>(&'__m self, reader: &mut ::throughline::HeaderReader<'__m>) {
//             ::throughline::Message::headers(&self.headers, reader);
//         }
//         fn describe<'__m>(&'__m self, facts: &mut ::throughline::Facts<'__m>) {
//             ::throughline::Message::describe(&self.headers, facts);
//             facts.system("shop");
//             if let Some(told) = ::throughline::fact::text(&self.number) { facts.id(told); }
//         }
//     }
pub(crate) fn message(input: DeriveInput) -> TokenStream {
    match check::message(input) {
        Ok(derived) => read(&derived),
        Err(refused) => all_the_same(&refused, |target| {
            let [message, reader] = ["Message", "HeaderReader"].map(|item| target.runtime(item));
            let lifetime = lifetime();
            let method = quote_spanned! {mixed()=>
                fn headers<#lifetime>(&#lifetime self, _: &mut #reader<#lifetime>) {}
            };
            target.implements(&message, Vec::new(), &method)
        }),
    }
}

// Input:
//     struct Job<H> {
//         #[message(headers)]
//         headers: H,
//     }
//
// Output:
//     impl<H> ::throughline::MessageMut for Job<H>
//     where
//         Self: ::throughline::Message,
//         H: ::throughline::MessageMut,
//     {
//         fn set_header(&mut self, name: &str, value: &str) {
//             ::throughline::MessageMut::set_header(&mut self.headers, name, value);
//         }
//         /* the same for remove_header and set_context */
//     }
pub(crate) fn message_mut(input: DeriveInput) -> TokenStream {
    match check::message_mut(input) {
        Ok(derived) => written(&derived),
        Err(refused) => all_the_same(&refused, |target| {
            let message_mut = target.runtime("MessageMut");
            let methods = quote_spanned! {mixed()=>
                fn set_header(&mut self, _: &str, _: &str) {}
                fn remove_header(&mut self, _: &str) {}
            };
            target.implements(&message_mut, target.is_message(), &methods)
        }),
    }
}

/// What is wrong, and an impl beside it, so that nobody who uses the type gets an error of their own.
fn all_the_same(refused: &Refused, implement: impl FnOnce(&Target) -> TokenStream) -> TokenStream {
    let told = refused.mistakes.told();
    let target = refused.target.as_ref().map(implement);
    quote!(#told #target)
}

fn read(derived: &Derived) -> TokenStream {
    let target = &derived.target;
    let [message, reader] = ["Message", "HeaderReader"].map(|item| target.runtime(item));
    let (lifetime, this) = (lifetime(), this());
    let taken = if derived.parts.iter().any(|part| part.carrier.is_some()) {
        quote_spanned!(mixed()=> __reader)
    } else {
        quote_spanned!(mixed()=> _)
    };
    let pushed = derived.each(|part| {
        let pushed = part.carrier.as_ref().map(|carrier| {
            let (headers, field) = (carrier.call(&message, "headers"), carrier.borrowed());
            quote_spanned!(mixed()=> #headers(#field, __reader);)
        });
        (part.carrier.iter().collect(), pushed.unwrap_or_default())
    });
    let described = describe(derived, &message);
    let methods = quote_spanned! {mixed()=>
        fn headers<#lifetime>(&#lifetime #this, #taken: &mut #reader<#lifetime>) { #pushed }
        #described
    };
    let carriers = derived.parts.iter().filter_map(|part| part.carrier.as_ref());
    let told = derived.parts.iter().flat_map(|part| &part.told);
    let bounds = carriers
        .filter_map(|carrier| target.bound(&carrier.ty, || message.clone()))
        .chain(told.filter_map(|told| bound_of_a_fact(target, told)))
        .collect();
    target.implements(&message, bounds, &methods)
}

fn describe(derived: &Derived, message: &TokenStream) -> Option<TokenStream> {
    let of_all = &derived.facts;
    let silent =
        |part: &Part| part.carrier.is_none() && part.constants.is_empty() && part.told.is_empty();
    if of_all.is_empty() && derived.parts.iter().all(silent) {
        return None;
    }
    let facts = derived.target.runtime("Facts");
    let (lifetime, this) = (lifetime(), this());
    let described = derived.each(|part| {
        // What is said here goes before what the part that carries the context says.
        let carrier = part.carrier.as_ref().map(|carrier| {
            let (describe, field) = (carrier.call(message, "describe"), carrier.borrowed());
            quote_spanned!(mixed()=> #describe(#field, __facts);)
        });
        // And what holds for one variant before what holds for all.
        let constants = of_all.iter().chain(&part.constants).map(constant);
        let told = part.told.iter().map(|told| tell(&derived.target, told));
        let fields = part.carrier.iter().chain(part.told.iter().map(|told| &told.field));
        (fields.collect(), quote!(#carrier #(#constants)* #(#told)*))
    });
    Some(quote_spanned! {mixed()=>
        fn describe<#lifetime>(&#lifetime #this, __facts: &mut #facts<#lifetime>) { #described }
    })
}

fn constant(Given { value: (fact, text), .. }: &Constant) -> TokenStream {
    let setter = Ident::new(fact.setter, mixed());
    let text = match text {
        Text::Literal(literal) => literal.to_token_stream(),
        Text::Computed(expr) => {
            let expr = reference(None, expr);
            quote_spanned!(mixed_at(expr.span())=> ::std::string::ToString::to_string(#expr))
        }
    };
    quote_spanned!(mixed()=> __facts.#setter(#text);)
}

fn tell(target: &Target, told: &Told) -> TokenStream {
    let function = match told.fact.told_by {
        ToldBy::Text(_) if told.display => "display",
        ToldBy::Text(_) => "text",
        ToldBy::Count => "count",
        ToldBy::Time => "time",
        ToldBy::UnixMilliseconds => "unix_ms",
        ToldBy::Body => "size",
    };
    let function = told.field.call(&target.runtime("fact"), function);
    let field = told.field.borrowed();
    let setter = Ident::new(told.fact.setter, mixed());
    quote_spanned! {mixed()=>
        if let ::core::option::Option::Some(__told) = #function(#field) { __facts.#setter(__told); }
    }
}

fn bound_of_a_fact(target: &Target, told: &Told) -> Option<WherePredicate> {
    let ty = &told.field.ty;
    let fact = || target.runtime("fact");
    match told.fact.told_by {
        ToldBy::Text(_) if told.display => {
            target.bound(without_option(ty), || quote!(::core::fmt::Display))
        }
        ToldBy::Text(_) => target.bound(ty, || {
            let fact = fact();
            quote!(#fact::Text)
        }),
        ToldBy::Count | ToldBy::UnixMilliseconds => target.bound(ty, || {
            let fact = fact();
            quote!(#fact::Count)
        }),
        ToldBy::Time => target.bound(without_option(ty), || {
            quote!(::core::clone::Clone + ::core::convert::Into<::std::time::SystemTime>)
        }),
        ToldBy::Body => target
            .bound(without_option(ty), || quote!(::core::convert::AsRef<[::core::primitive::u8]>)),
    }
}

fn written(derived: &Derived) -> TokenStream {
    let target = &derived.target;
    let [message_mut, context] = ["MessageMut", "TraceContext"].map(|item| target.runtime(item));
    let this = this();
    let forwarded = |method: &str, arguments: TokenStream, otherwise: TokenStream| {
        derived.each(|part| {
            let forwarded = part.carrier.as_ref().map(|carrier| {
                let (method, field) = (carrier.call(&message_mut, method), carrier.borrowed_mut());
                quote_spanned!(mixed()=> #method(#field, #arguments))
            });
            (part.carrier.iter().collect(), forwarded.unwrap_or_else(|| otherwise.clone()))
        })
    };
    let none = TokenStream::new;
    let set_header = forwarded("set_header", quote_spanned!(mixed()=> __name, __value), none());
    let remove_header = forwarded("remove_header", quote_spanned!(mixed()=> __name), none());
    let set_context = forwarded("set_context", quote_spanned!(mixed()=> __context), quote!(false));
    let str = quote!(::core::primitive::str);
    let methods = quote_spanned! {mixed()=>
        fn set_header(&mut #this, __name: &#str, __value: &#str) { #set_header }
        fn remove_header(&mut #this, __name: &#str) { #remove_header }
        fn set_context(&mut #this, __context: &#context) -> ::core::primitive::bool { #set_context }
    };
    let carriers = derived.parts.iter().filter_map(|part| part.carrier.as_ref());
    let mut bounds = target.is_message();
    bounds.extend(carriers.filter_map(|carrier| target.bound(&carrier.ty, || message_mut.clone())));
    target.implements(&message_mut, bounds, &methods)
}

impl Derived {
    /// What `of` makes of a struct or, in a `match`, of each variant; it says which fields it uses.
    fn each<'d>(&'d self, of: impl Fn(&'d Part) -> (Vec<&'d Field>, TokenStream)) -> TokenStream {
        let this = this();
        if let (Shape::Struct, [part]) = (self.shape, self.parts.as_slice()) {
            let (fields, tokens) = of(part);
            let taken_apart = (!fields.is_empty()).then(|| {
                let bound = bound(fields);
                quote_spanned!(mixed()=> let Self { #bound .. } = #this;)
            });
            return quote!(#taken_apart #tokens);
        }
        if self.parts.is_empty() {
            return quote_spanned!(mixed()=> match *#this {});
        }
        let arms = self.parts.iter().map(|part| {
            let (fields, tokens) = of(part);
            let (variant, bound) = (&part.ident, bound(fields));
            quote_spanned!(mixed()=> Self::#variant { #bound .. } => { #tokens })
        });
        quote_spanned!(mixed()=> match #this { #(#arms)* })
    }
}

/// `headers: __headers, id: __id,`
fn bound(fields: Vec<&Field>) -> TokenStream {
    let mut members: Vec<&Member> = Vec::new();
    let once = fields.into_iter().filter(|field| {
        let new = !members.contains(&&field.member);
        members.push(&field.member);
        new
    });
    once.map(|field| {
        let (member, name) = (&field.member, field.name());
        quote_spanned!(mixed()=> #member: #name,)
    })
    .collect()
}

impl Field {
    /// The name that a pattern gives it. Underscores, lest it be a constant's.
    fn name(&self) -> Ident {
        let (_, last) = self.ends();
        match &self.member {
            Member::Named(ident) => format_ident!("__{}", ident.unraw(), span = last),
            Member::Unnamed(index) => format_ident!("__{}", index.index, span = last),
        }
    }

    /// The field, borrowed where its type stands: an error about the type is shown there, from its first token to its
    /// last, and nothing of the expansion.
    fn borrowed(&self) -> TokenStream {
        let ((first, _), name) = (self.ends(), self.name());
        quote_spanned!(first=> &*#name)
    }

    fn borrowed_mut(&self) -> TokenStream {
        let ((first, _), name) = (self.ends(), self.name());
        quote_spanned!(first=> &mut *#name)
    }

    /// `#path::#function`, for a call with the borrowed field.
    fn call(&self, path: &TokenStream, function: &str) -> TokenStream {
        let (first, _) = self.ends();
        let function = Ident::new(function, first);
        let path = quote_spanned!(first=> #path::#function).into_iter();
        path.map(|mut tree| {
            tree.set_span(first);
            tree
        })
        .collect()
    }

    /// Where its type begins and where it ends.
    fn ends(&self) -> (Span, Span) {
        let mut spans = ends(self.ty.to_token_stream());
        let first = spans.next().unwrap_or_else(mixed);
        (first, spans.last().unwrap_or(first))
    }
}

impl Target {
    fn runtime(&self, item: &str) -> TokenStream {
        args::in_runtime(self.runtime.as_ref(), item)
    }

    fn implements(
        &self,
        what: &TokenStream,
        bounds: Vec<WherePredicate>,
        methods: &TokenStream,
    ) -> TokenStream {
        let mut generics = self.generics.clone();
        if !bounds.is_empty() {
            generics.make_where_clause().predicates.extend(bounds);
        }
        let (parameters, arguments, conditions) = generics.split_for_impl();
        let ident = &self.ident;
        let implemented = quote_spanned! {mixed()=>
            #[automatically_derived]
            #[allow(deprecated)]
            impl #parameters #what for #ident #arguments #conditions { #methods }
        };
        match args::import(self.runtime.as_ref()) {
            None => implemented,
            Some(import) => quote_spanned!(mixed()=> const _: () = { #import #implemented };),
        }
    }

    /// That `ty` is what it has to be, where that depends on the type's parameters. Otherwise the compiler sees it from
    /// the use of the field, and says it once.
    fn bound(&self, ty: &Type, what: impl FnOnce() -> TokenStream) -> Option<WherePredicate> {
        let what = mentions_a_parameter(ty, &self.generics).then(what)?;
        Some(parse_quote_spanned!(mixed()=> #ty: #what))
    }

    /// Whoever writes the other impl by hand may have conditions of their own.
    fn is_message(&self) -> Vec<WherePredicate> {
        let message = self.runtime("Message");
        let generic = self.generics.type_params().next().is_some();
        generic.then(|| parse_quote_spanned!(mixed()=> Self: #message)).into_iter().collect()
    }
}

fn mentions_a_parameter(ty: &Type, generics: &Generics) -> bool {
    struct Mentions<'g>(&'g Generics, bool);
    impl<'ast> Visit<'ast> for Mentions<'_> {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            let first = path.segments.first().filter(|_| path.leading_colon.is_none());
            self.1 |= first.is_some_and(|first| {
                self.0.type_params().any(|parameter| parameter.ident == first.ident)
            });
            visit::visit_path(self, path);
        }
    }
    let mut mentions = Mentions(generics, false);
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

/// The one that expressions of the user's may mention.
fn this() -> Token![self] {
    Token![self](Span::call_site())
}

fn lifetime() -> Lifetime {
    Lifetime::new("'__m", mixed())
}
