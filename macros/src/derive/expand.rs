//! The tokens: each marked field is handed to the runtime, which knows what to make of its type.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{DeriveInput, Lifetime, Member, Token, WherePredicate, ext::IdentExt as _};

use super::{
    check::{self, Derived, Field, Part, Refused, Shape, Target, Told},
    conditions,
    facts::ToldBy,
    marks::Constant,
};
use crate::{
    args::{self, Given, Text},
    expand::{ends, mixed, reference_at},
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
//         fn headers<'__m>(&'__m self, __reader: &mut ::throughline::HeaderReader<'__m>) {
//             let Self { headers: __headers, .. } = self;
//             ::throughline::Message::headers(&*__headers, __reader);
//         }
//         fn describe<'__m>(&'__m self, __facts: &mut ::throughline::Facts<'__m>) {
//             let Self { headers: __headers, number: __number, .. } = self;
//             ::throughline::Message::describe(&*__headers, __facts);
//             __facts.system("shop");
//             if let ::core::option::Option::Some(__told) = ::throughline::fact::text(&*__number) {
//                 __facts.id(__told);
//             }
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
//         fn set_header(&mut self, __name: &str, __value: &str) {
//             let Self { headers: __headers, .. } = self;
//             ::throughline::MessageMut::set_header(&mut *__headers, __name, __value)
//         }
//         /* the same for remove_header, can_set_header and set_context */
//     }
pub(crate) fn message_mut(input: DeriveInput) -> TokenStream {
    match check::message_mut(input) {
        Ok(derived) => written(&derived),
        Err(refused) => all_the_same(&refused, |target| {
            let message_mut = target.runtime("MessageMut");
            let str = quote!(::core::primitive::str);
            let methods = quote_spanned! {mixed()=>
                fn set_header(&mut self, _: &#str, _: &#str) {}
                fn remove_header(&mut self, _: &#str) {}
            };
            target.implements(&message_mut, conditions::of_the_type(target), &methods)
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
    target.implements(&message, conditions::of_message(derived, &message), &methods)
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
        let constants = of_all.iter().chain(&part.constants);
        let constants = constants.map(|known| constant(&derived.target, known));
        let told = part.told.iter().map(|told| tell(&derived.target, told));
        let fields = part.carrier.iter().chain(part.told.iter().map(|told| &told.field));
        (fields.collect(), quote!(#carrier #(#constants)* #(#told)*))
    });
    Some(quote_spanned! {mixed()=>
        fn describe<#lifetime>(&#lifetime #this, __facts: &mut #facts<#lifetime>) { #described }
    })
}

fn constant(target: &Target, Given { value: (fact, text), .. }: &Constant) -> TokenStream {
    let setter = Ident::new(fact.setter, mixed());
    match text {
        Text::Literal(literal) => quote_spanned!(mixed()=> __facts.#setter(#literal);),
        Text::Computed(expr) => {
            let (first, _) = ends_of(expr);
            let display = at(first, &target.runtime("fact"), "display");
            let shown = reference_at(first, None, expr);
            told_if_there(&setter, &quote!(#display(#shown)))
        }
    }
}

fn tell(target: &Target, Told { fact, field, display }: &Told) -> TokenStream {
    let function = match fact.told_by {
        ToldBy::Text(_) if *display => "display",
        ToldBy::Text(_) => "text",
        ToldBy::Count => "count",
        ToldBy::Time => "time",
        ToldBy::UnixMilliseconds => "unix_ms",
        ToldBy::Body => "size",
    };
    let (function, field) = (field.call(&target.runtime("fact"), function), field.borrowed());
    told_if_there(&Ident::new(fact.setter, mixed()), &quote!(#function(#field)))
}

fn told_if_there(setter: &Ident, told: &TokenStream) -> TokenStream {
    quote_spanned! {mixed()=>
        if let ::core::option::Option::Some(__told) = #told { __facts.#setter(__told); }
    }
}

fn written(derived: &Derived) -> TokenStream {
    let target = &derived.target;
    let [message_mut, context] = ["MessageMut", "TraceContext"].map(|item| target.runtime(item));
    let this = this();
    let forwarded = |method: &str, arguments: TokenStream, otherwise: TokenStream| {
        derived.each(|part| {
            let forwarded = part.carrier.as_ref().map(|carrier| {
                let field = match method {
                    "can_set_header" => carrier.borrowed(),
                    _ => carrier.borrowed_mut(),
                };
                let method = carrier.call(&message_mut, method);
                quote_spanned!(mixed()=> #method(#field, #arguments))
            });
            (part.carrier.iter().collect(), forwarded.unwrap_or_else(|| otherwise.clone()))
        })
    };
    let none = TokenStream::new;
    let set_header = forwarded("set_header", quote_spanned!(mixed()=> __name, __value), none());
    let can_set_header =
        forwarded("can_set_header", quote_spanned!(mixed()=> __name, __value), quote!(true));
    let remove_header = forwarded("remove_header", quote_spanned!(mixed()=> __name), none());
    let set_context = forwarded("set_context", quote_spanned!(mixed()=> __context), quote!(false));
    let [str, bool] = [quote!(::core::primitive::str), quote!(::core::primitive::bool)];
    let methods = quote_spanned! {mixed()=>
        fn set_header(&mut #this, __name: &#str, __value: &#str) { #set_header }
        fn remove_header(&mut #this, __name: &#str) { #remove_header }
        fn can_set_header(&#this, __name: &#str, __value: &#str) -> #bool { #can_set_header }
        fn set_context(&mut #this, __context: &#context) -> #bool { #set_context }
    };
    target.implements(&message_mut, conditions::of_message_mut(derived, &message_mut), &methods)
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
        at(self.ends().0, path, function)
    }

    /// Where its type begins and where it ends.
    fn ends(&self) -> (Span, Span) {
        ends_of(&self.ty)
    }
}

/// `#path::#function`, all of it at one place.
fn at(span: Span, path: &TokenStream, function: &str) -> TokenStream {
    let function = Ident::new(function, span);
    let path = quote_spanned!(span=> #path::#function).into_iter();
    path.map(|mut tree| {
        tree.set_span(span);
        tree
    })
    .collect()
}

/// Where something of the user's begins and where it ends.
fn ends_of(tokens: impl ToTokens) -> (Span, Span) {
    let mut spans = ends(tokens.to_token_stream());
    let first = spans.next().unwrap_or_else(mixed);
    (first, spans.last().unwrap_or(first))
}

impl Target {
    pub(super) fn runtime(&self, item: &str) -> TokenStream {
        args::in_runtime(self.runtime.as_ref(), item)
    }

    fn implements(
        &self,
        what: &TokenStream,
        conditions: Vec<WherePredicate>,
        methods: &TokenStream,
    ) -> TokenStream {
        let mut generics = self.generics.clone();
        if !conditions.is_empty() {
            generics.make_where_clause().predicates.extend(conditions);
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
}

/// The one that expressions of the user's may mention.
fn this() -> Token![self] {
    Token![self](Span::call_site())
}

fn lifetime() -> Lifetime {
    Lifetime::new("'__m", mixed())
}
