//! The user's body, run in the span.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    ReturnType, Signature, Token, Type,
    spanned::Spanned as _,
    visit_mut::{self, VisitMut},
};

use super::{binding::Bound, called::called, ends, mixed, mixed_at};
use crate::{
    args::{Common, FailureEvent},
    future::{self, Allocation, Returns},
    item::{Body, Function},
    message, warnings,
};

/// The span, described, and when it starts where the function returns a future.
pub(super) enum Start {
    /// A handler's: its message is read when it is called, for the future owns it by the first poll.
    AtFirstPoll { described: TokenStream },
    /// A producer's: its context is in the message before the body sees it.
    WhenCalled { described: TokenStream },
    /// A task's: its caller is `noted` when it is called, and it starts at the first poll.
    ForCaller { noted: TokenStream, described: TokenStream, fields: Option<TokenStream> },
}

impl Start {
    /// What happens when the function is called, whatever it returns.
    fn noted(&self) -> Option<&TokenStream> {
        match self {
            Self::AtFirstPoll { .. } | Self::WhenCalled { .. } => None,
            Self::ForCaller { noted, .. } => Some(noted),
        }
    }
}

/// The function with its body in the span.
pub(super) fn in_span(
    function: &Function,
    common: &Common,
    start: &Start,
    bound: &Bound,
) -> TokenStream {
    let Body::Block { inner, block } = &function.body else {
        return function.to_token_stream();
    };
    let mut head = function.head();
    let (import, warnings) = (common.import(), warnings::of(common));
    let Bound { peeked, .. } = bound;
    let noted = start.noted();
    let returned = Returned::of(&function.signature);
    let inside = match Returns::of(function) {
        None if function.signature.asyncness.is_some() => {
            let inside = in_async(&returned, common, start, bound, block);
            match start {
                Start::AtFirstPoll { .. } | Start::WhenCalled { .. } => inside,
                Start::ForCaller { .. } => {
                    let called = called(function, common);
                    let taken = called.taken;
                    head = called.head;
                    let allowed = returned.allowed();
                    quote_spanned!(block.span()=> #allowed async move { #taken #inside })
                }
            }
        }
        None => in_sync(&returned, common, start, bound, block),
        Some(returns) => match future::only_async_block(block) {
            Some(whole) if future::may_hold_the_arguments(&function.signature) => {
                let output = Returned::of_type(returns.output);
                let inside = in_async(&output, common, start, bound, &whole.block);
                whole.with_block(&inside)
            }
            _ => prepared_future(function, common, start, bound, block, returns),
        },
    };
    let content = quote_spanned! {mixed()=>
        #(#inner)*
        #import
        #warnings
        #peeked
        #noted
        #inside
    };
    // The user's braces: the compiler takes the function for the user's own by the last of them.
    let mut body = Group::new(Delimiter::Brace, content);
    body.set_span(block.span());
    quote!(#head #body)
}

// Output:
//     let mut __span = ..start(&msg);
//     let __result = (&mut __span).run(async move { .. }).await;
//     __span.finish(::throughline::outcome!(&__result));
//     __result
fn in_async(
    returned: &Returned,
    common: &Common,
    start: &Start,
    bound: &Bound,
    block: &Group,
) -> TokenStream {
    let started = started(start, bound);
    let edge = returned.edge();
    // The user's span: inside an `async` block of ours the compiler would not name the user's variables.
    let span = block.span();
    let body = if edge.is_none() && bound.opened.is_empty() {
        quote_spanned!(span=> async move #block)
    } else {
        let (opened, block) = (&bound.opened, nested(block));
        quote_spanned!(span=> async move { #edge #opened #block })
    };
    let end = finished(&run_future(&body), returned, None, common);
    let allowed = returned.allowed();
    quote!(#started #allowed #end)
}

// Output:
//     let mut __span = ..start(&msg);
//     let __result = (&mut __span).run_sync(move || -> R { .. });
//     __span.finish(::throughline::outcome!(&__result));
//     __result
fn in_sync(
    returned: &Returned,
    common: &Common,
    start: &Start,
    bound: &Bound,
    block: &Group,
) -> TokenStream {
    let started = started(start, bound);
    let body = closure(returned.ty.as_ref(), &bound.opened, block);
    let end = finished(&run_sync(&body), returned, None, common);
    quote!(#started #end)
}

fn started(start: &Start, bound: &Bound) -> TokenStream {
    let started = match start {
        Start::AtFirstPoll { described } | Start::WhenCalled { described } => {
            with_message(described, "start", bound)
        }
        Start::ForCaller { described, fields: None, .. } => {
            quote_spanned!(mixed()=> #described.start())
        }
        Start::ForCaller { described, fields: Some(fields), .. } => {
            quote_spanned!(mixed()=> #described.start_with(#fields))
        }
    };
    let allowed = &bound.allowed;
    quote_spanned!(mixed()=> #allowed let mut __span = #started;)
}

// Output for a handler that returns `Pin<Box<dyn Future<Output = R>>>`:
//     let __span = ..read(&msg);
//     let __future = (&__span).prepare(move || -> Pin<Box<dyn Future<Output = R>>> { .. });
//     ::std::boxed::Box::pin(async move {
//         let mut __span = __span.start();
//         let __result: R = (&mut __span).run(__future).await;
//         __span.finish(::throughline::outcome!(&__result));
//         __result
//     })
// and for a producer, whose span has started by then:
//     let mut __span = ..start(&mut msg);
//     let __future = (&mut __span).run_sync(move || -> Pin<Box<dyn Future<Output = R>>> { .. });
//     ::std::boxed::Box::pin(async move { .. })
fn prepared_future(
    function: &Function,
    common: &Common,
    start: &Start,
    bound: &Bound,
    block: &Group,
    returns: Returns,
) -> TokenStream {
    let named = match returns.allocation {
        Allocation::None => None,
        Allocation::Pinned | Allocation::Boxed => Returned::of(&function.signature).ty,
    };
    let body = closure(named.as_ref(), &bound.opened, block);
    let (begin, future, at_first_poll) = match start {
        Start::AtFirstPoll { described } => {
            let read = with_message(described, "read", bound);
            (
                quote_spanned!(mixed()=> let __span = #read;),
                quote_spanned!(mixed()=> (&__span).prepare(#body)),
                quote_spanned!(mixed()=> let mut __span = __span.start();),
            )
        }
        Start::WhenCalled { described } => {
            let started = with_message(described, "start", bound);
            (
                quote_spanned!(mixed()=> let mut __span = #started;),
                run_sync(&body),
                TokenStream::new(),
            )
        }
        Start::ForCaller { described, fields, .. } => {
            // Now, for the body owns by then what they borrow.
            let fields = fields.as_ref().map(|all| quote_spanned!(mixed()=> .fields(#all)));
            (
                quote_spanned!(mixed()=> let __task = #described #fields;),
                quote_spanned!(mixed()=> (&__task).prepare(#body)),
                quote_spanned!(mixed()=> let mut __span = __task.start();),
            )
        }
    };
    let output = Returned::of_type(returns.output);
    // A future that yields something else is blamed where it is said what it yields.
    let shown = output.ty.as_ref().map_or_else(mixed, |ty| mixed_at(ty.span()));
    let run = respanned(run_future(&quote_spanned!(shown=> __future)), shown);
    let end = finished(&run, &output, output.annotation().as_ref(), common);
    let spanned = quote_spanned! {mixed_at(block.span())=>
        async move {
            #at_first_poll
            #end
        }
    };
    let allocated = match returns.allocation {
        Allocation::None => spanned,
        Allocation::Pinned => quote_spanned!(mixed()=> ::std::boxed::Box::pin(#spanned)),
        Allocation::Boxed => {
            quote_spanned!(mixed()=> ::std::boxed::Box::new(::std::boxed::Box::pin(#spanned)))
        }
    };
    let allowed = &bound.allowed;
    quote_spanned! {mixed()=>
        #allowed
        #begin
        let __future = #future;
        #allocated
    }
}

/// The call that takes the message, shown where the message is: there is what the compiler may have to say about it.
fn with_message(described: &TokenStream, method: &str, bound: &Bound) -> TokenStream {
    let target = &bound.target;
    let shown = ends(target.clone()).next().unwrap_or_else(mixed);
    let method = proc_macro2::Ident::new(method, mixed_at(shown));
    let call = quote_spanned!(mixed_at(shown)=> .#method);
    quote_spanned!(mixed()=> #described #call(#target))
}

/// Ends the span with what the body returned.
fn finished(
    run: &TokenStream,
    returned: &Returned,
    annotation: Option<&TokenStream>,
    common: &Common,
) -> TokenStream {
    if returned.never {
        return quote_spanned!(mixed()=> match #run {});
    }
    let outcome = common.runtime("outcome");
    let told = common.err.as_ref().and_then(|given| {
        let how = match given.value {
            FailureEvent::Off => return None,
            FailureEvent::Display => "displaying",
            FailureEvent::Debug => "debugging",
        };
        let how = proc_macro2::Ident::new(how, mixed_at(given.key.span()));
        Some(quote_spanned!(mixed_at(given.key.span())=> .#how(&__result)))
    });
    quote_spanned! {mixed()=>
        let __result #annotation = #run;
        __span.finish(#outcome!(&__result) #told);
        __result
    }
}

// On a `&mut`, for a trait of the user's may have a method of that name for every type, and would come first.
fn run_future(future: &TokenStream) -> TokenStream {
    quote_spanned!(mixed()=> (&mut __span).run(#future).await)
}

fn run_sync(body: &TokenStream) -> TokenStream {
    quote_spanned!(mixed()=> (&mut __span).run_sync(#body))
}

/// The same tokens, shown elsewhere in an error.
fn respanned(tokens: TokenStream, shown: Span) -> TokenStream {
    tokens
        .into_iter()
        .map(|mut token| {
            token.set_span(shown);
            token
        })
        .collect()
}

/// The body as a closure, so that its `return`s leave it and not the function.
fn closure(returned: Option<&Type>, opened: &TokenStream, block: &Group) -> TokenStream {
    let body = if opened.is_empty() {
        quote!(#block)
    } else {
        let inside = nested(block);
        quote_spanned!(block.span()=> { #opened #inside })
    };
    let arrow = returned.map(|ty| quote_spanned!(block.span()=> -> #ty));
    quote_spanned!(block.span()=> move || #arrow #body)
}

/// The body inside a block of ours. It stays a block, so that the user's items come first in one.
///
/// Its braces are the user's where it can be seen that no lint will call them unneeded: lints look into such a block,
/// and a syntax error, of which the compiler has complained when it first parsed the function, is told once.
fn nested(block: &Group) -> Group {
    let mut nested = block.clone();
    if !has_statements(block) && !is_half_written(block) {
        nested.set_span(mixed_at(block.span()));
    }
    nested
}

fn has_statements(block: &Group) -> bool {
    let is_semicolon = |token| matches!(token, TokenTree::Punct(end) if end.as_char() == ';');
    block.stream().into_iter().any(is_semicolon)
}

/// Whether somebody is still typing: `let x =`, `msg.`.
fn is_half_written(block: &Group) -> bool {
    match block.stream().into_iter().last() {
        Some(TokenTree::Punct(last)) => !matches!(last.as_char(), ';' | '?' | '>'),
        _ => false,
    }
}

/// What the function returns, as far as a `let` can say it.
struct Returned {
    /// Nothing where all of it is an `impl Trait`.
    ty: Option<Type>,
    never: bool,
}

impl Returned {
    fn of(signature: &Signature) -> Self {
        Self::of_type(Some(match &signature.output {
            ReturnType::Default => {
                let shown = mixed_at(signature.paren_token.span.close());
                syn::parse_quote_spanned!(shown=> ())
            }
            ReturnType::Type(_, ty) => (**ty).clone(),
        }))
    }

    fn of_type(ty: Option<Type>) -> Self {
        let ty = ty.map(|mut ty| {
            Erase.visit_type_mut(&mut ty);
            ty
        });
        Self {
            never: matches!(ty.as_ref().map(message::bare), Some(Type::Never(_))),
            ty: ty.filter(|ty| !matches!(message::bare(ty), Type::Infer(_))),
        }
    }

    /// To yield what can be awaited is what the user's function does.
    fn allowed(&self) -> Option<TokenStream> {
        self.may_be_awaited()
            .then(|| quote_spanned!(mixed()=> #[allow(clippy::async_yields_async)]))
    }

    /// By the names of what is commonly returned to be awaited.
    fn may_be_awaited(&self) -> bool {
        match self.ty.as_ref().map(message::bare) {
            Some(Type::Path(path)) => path.path.segments.last().is_some_and(|last| {
                let name = last.ident.to_string();
                ["Future", "Handle", "Receiver", "Pin"].iter().any(|end| name.ends_with(end))
            }),
            Some(_) => false,
            None => true,
        }
    }

    fn annotation(&self) -> Option<TokenStream> {
        self.ty.as_ref().map(|ty| quote_spanned!(mixed()=> : #ty))
    }

    // Input:
    //     Result<(), PaymentError>
    //
    // Output:
    //     #[allow(clippy::result_large_err)]
    //     if false {
    //         return (|| -> Result<(), PaymentError> { ::core::unreachable!() })();
    //     }
    //
    // Never runs, and tells the compiler the block's type before it comes to the user's `return`s and last value:
    // a wrong one is then blamed on the value, and not on the attribute. A type that does not exist is told once where
    // it follows an arrow as in the signature; as a generic argument it would be told twice. A client's large error is
    // no news to whoever writes a future that yields it, where the linter does not look.
    fn edge(&self) -> Option<TokenStream> {
        let ty = self.ty.as_ref()?;
        let span = mixed_at(ty.span());
        Some(if self.never {
            // No value can be returned; a type without values stands for `!`, which can't be written here.
            quote_spanned! {span=>
                if let ::core::option::Option::Some(__returned) =
                    ::core::option::Option::<::core::convert::Infallible>::None
                {
                    return __returned;
                }
            }
        } else {
            quote_spanned! {span=>
                #[allow(clippy::result_large_err)]
                if false {
                    return (|| -> #ty { ::core::unreachable!() })();
                }
            }
        })
    }
}

/// Puts `_` for each `impl Trait`, which only a signature may name.
struct Erase;

impl VisitMut for Erase {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::ImplTrait(opaque) = ty {
            let underscore = Token![_](opaque.impl_token.span());
            *ty = Type::Infer(syn::TypeInfer { attrs: Vec::new(), underscore_token: underscore });
        } else {
            visit_mut::visit_type_mut(self, ty);
        }
    }
}
