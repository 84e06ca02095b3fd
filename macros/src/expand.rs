//! The tokens. They start the span, run the body, end the span, by calls to the runtime's public builder: what the span
//! is, and when, is decided there.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Expr, ExprReference, FnArg, Pat, PatIdent, PatType, ReceiverKind, ReturnType, Token, Type,
    ext::IdentExt as _,
    spanned::Spanned as _,
    visit_mut::{self, VisitMut},
};

use crate::{
    args::{self, Common, ConsumerOptions, Existing, Field, Recorded, Relation, Text},
    check::{self, Checked},
    fallback,
    item::{Body, Function},
    message::{self, Message},
    warnings,
};

// Input:
//     #[async_consumer(continue, destination = "orders", fields(order.id = %msg.id))]
//     async fn charge_card(msg: OrderPlaced) -> Result<(), PaymentError> { gateway().charge(&msg.card).await }
//
// Output:
//     async fn charge_card(msg: OrderPlaced) -> Result<(), PaymentError> {
//         let mut __span = ::throughline::consume(::throughline::site!(
//                 function: "charge_card", span: "process orders",
//                 target: ::core::module_path!(), level: INFO, fields: ["order.id"]))
//             .continue_()
//             .destination("orders")
//             .fields(&[("order.id", ::throughline::field::display(&msg.id))])
//             .start(&msg);
//         let __result: Result<(), PaymentError> = __span.run(async move {
//             /* return_type_edge */
//             { gateway().charge(&msg.card).await }
//         }).await;
//         __span.finish(::throughline::outcome!(&__result));
//         __result
//     }
pub(crate) fn consumer(options: TokenStream, item: TokenStream) -> TokenStream {
    let mentioned = idents(options.clone());
    let Checked { options, mut function, message } = match check::consumer(options, item) {
        Ok(checked) => checked,
        Err(refused) => return fallback::as_written(&refused.mistakes, &refused.item),
    };
    let common = &options.common;
    let runtime = common.runtime();
    let site = site(common, &function, "process");
    let relation = relation(&options);
    let described = described(common, &[]);
    let bound = match &message {
        Message::Argument(position) => borrowed(&mut function, *position, &mentioned),
        Message::Expression(expr) => Bound::direct(reference(None, expr)),
    };
    let target = &bound.target;
    let start = quote_spanned! {mixed()=>
        #runtime::consume(#site) #relation #described
    };
    let start = started(&start, target);
    in_span(&function, common, &start, &bound)
}

// Input:
//     #[async_producer(destination = "orders")]
//     async fn publish(msg: OrderPlaced) -> Result<(), BrokerError> { broker().send(msg).await }
//
// Output, but for `mut` as a consumer's:
//     async fn publish(mut msg: OrderPlaced) -> Result<(), BrokerError> {
//         let mut __span = ::throughline::produce(::throughline::site!(..))
//             .destination("orders")
//             .start(&mut msg);
//         ..
//     }
pub(crate) fn producer(options: TokenStream, item: TokenStream) -> TokenStream {
    let mentioned = idents(options.clone());
    let Checked { options, mut function, message } = match check::producer(options, item) {
        Ok(checked) => checked,
        Err(refused) => return fallback::as_written(&refused.mistakes, &refused.item),
    };
    let common = &options.common;
    let runtime = common.runtime();
    let site = site(common, &function, "send");
    let existing = options.existing.as_ref().map(|given| {
        let kept = match given.value {
            Existing::Keep => quote!(Keep),
            Existing::Replace => quote!(Replace),
        };
        quote_spanned!(mixed()=> .existing(#runtime::Existing::#kept))
    });
    let written = match &message {
        Message::Argument(position) => names(&function, *position),
        Message::Expression(expr) => idents(expr.to_token_stream()),
    };
    let described = described(common, &written);
    let bound = match &message {
        Message::Argument(position) => borrowed_mut(&mut function, *position, &mentioned),
        Message::Expression(expr) => Bound::direct(place(&mut function, expr)),
    };
    let target = &bound.target;
    let start = quote_spanned! {mixed()=>
        #runtime::produce(#site) #existing #described
    };
    let start = started(&start, target);
    in_span(&function, common, &start, &bound)
}

/// Our names can't be seen from the user's code, nor theirs be taken for ours.
fn mixed() -> Span {
    Span::mixed_site()
}

/// Ours in every way but where an error about it is shown.
fn mixed_at(location: Span) -> Span {
    mixed().located_at(location)
}

/// `start`, shown where the message is: there is what the compiler may have to say about it.
fn started(described: &TokenStream, target: &TokenStream) -> TokenStream {
    let shown = ends(target.clone()).next().unwrap_or_else(mixed);
    let start = quote_spanned!(mixed_at(shown)=> .start);
    quote_spanned!(mixed()=> #described #start(#target))
}

/// What is known of the span when the handler is compiled.
fn site(common: &Common, function: &Function, default_operation: &str) -> TokenStream {
    let runtime = common.runtime();
    let function = function.signature.ident.unraw().to_string();
    let span = match (&common.name, &common.destination, &common.operation) {
        (Some(name), ..) => literal(&name.value),
        (None, Some(destination), None) => literal(&destination.value)
            .map(|destination| format!("{default_operation} {destination}")),
        (None, Some(destination), Some(operation)) => literal(&operation.value)
            .zip(literal(&destination.value))
            .map(|(operation, destination)| format!("{operation} {destination}")),
        (None, None, _) => None,
    }
    .unwrap_or_else(|| function.clone());
    let target = common.target.as_ref().map_or_else(
        || quote_spanned!(mixed()=> ::core::module_path!()),
        |given| given.value.to_token_stream(),
    );
    let level = match &common.level {
        Some(given) => given.value.clone(),
        None => Ident::new("INFO", mixed()),
    };
    let fields = common.fields.iter().flat_map(|given| &given.value).map(|field| &field.name);
    quote_spanned! {mixed()=>
        #runtime::site!(function: #function, span: #span, target: #target, level: #level, fields: [#(#fields),*])
    }
}

fn literal(text: &Text) -> Option<String> {
    match text {
        Text::Literal(literal) => Some(literal.value()),
        Text::Computed(_) => None,
    }
}

fn relation(options: &ConsumerOptions) -> TokenStream {
    match options.relations.first().map(|given| &given.value) {
        Some(Relation::Link) if options.nested.is_some() => {
            quote_spanned!(mixed()=> .link_nested())
        }
        // `check` has seen to it that there is a relation.
        Some(Relation::Link) | None => quote_spanned!(mixed()=> .link()),
        Some(Relation::Continue) => quote_spanned!(mixed()=> .continue_()),
        Some(Relation::Ignore) => quote_spanned!(mixed()=> .ignore()),
        Some(Relation::Chosen(expr)) => quote_spanned!(mixed()=> .relation(#expr)),
    }
}

/// The builder's calls for the shared options. Fields that mention one of `written` let go of it before the message is
/// borrowed to be written.
fn described(common: &Common, written: &[Ident]) -> TokenStream {
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
    let fields = common.fields.iter().map(|given| {
        let runtime = common.runtime();
        let fields = given.value.iter().map(|field| recorded(&runtime, field, written));
        quote_spanned!(mixed()=> .fields(&[#(#fields),*]))
    });
    quote!(#(#texts)* #(#fields)*)
}

fn recorded(runtime: &TokenStream, field: &Field, written: &[Ident]) -> TokenStream {
    let Field { name, recorded, .. } = field;
    let (how, value) = match recorded {
        Recorded::Value(value) => ("value", value),
        Recorded::Display(value) => ("display", value),
        Recorded::Debug(value) => ("debug", value),
        Recorded::Empty => return quote_spanned!(mixed()=> (#name, #runtime::field::empty())),
    };
    let how = Ident::new(how, mixed_at(value.span()));
    let owned = mentions(value, written).then(|| quote_spanned!(mixed()=> .into_owned()));
    let value = reference(None, value);
    quote_spanned!(mixed_at(value.span())=> (#name, #runtime::field::#how(#value) #owned))
}

fn mentions(tokens: impl ToTokens, names: &[Ident]) -> bool {
    !names.is_empty() && idents(tokens.to_token_stream()).iter().any(|ident| names.contains(ident))
}

/// Every name in `tokens`, those in a format string's braces too.
fn idents(tokens: TokenStream) -> Vec<Ident> {
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
fn reference(mutability: Option<Token![mut]>, expr: &Expr) -> TokenStream {
    // The compiler forgets invisible delimiters, and `&` would take hold of the first operand alone.
    let expr = args::bare(expr).clone();
    let span = mixed_at(expr.span());
    ExprReference {
        attrs: Vec::new(),
        and_token: Token![&](span),
        mutability,
        expr: Box::new(expr),
    }
    .into_token_stream()
}

/// The message as the span's start and the body see it.
struct Bound {
    /// What `start` is given.
    target: TokenStream,
    /// On the statement that starts the span.
    allowed: TokenStream,
    /// Before the span: the names of a pattern, borrowed, for options that mention them.
    peeked: TokenStream,
    /// First in the body: the argument taken apart by the user's pattern.
    opened: TokenStream,
}

impl Bound {
    fn direct(target: TokenStream) -> Self {
        Self {
            target,
            allowed: TokenStream::new(),
            peeked: TokenStream::new(),
            opened: TokenStream::new(),
        }
    }
}

// Input:
//     fn handle(msg: Order) { .. }
// or
//     fn handle(Order { id, .. }: Order) { .. }
//
// Output:
//     fn handle(msg: Order) { .. start(&msg) .. }
// or
//     fn handle(message: Order) {
//         let Order { id, .. } = &message;
//         .. start(&message) ..
//         { let Order { id, .. } = message; .. }
//     }
fn borrowed(function: &mut Function, position: usize, mentioned: &[Ident]) -> Bound {
    bound(function, position, mentioned, |_, first, name| quote_spanned!(first=> &#name))
}

/// As [`borrowed`], but to be written: `&mut *msg` where the message is a `&mut`, else `mut msg` and `&mut msg`.
fn borrowed_mut(function: &mut Function, position: usize, mentioned: &[Ident]) -> Bound {
    bound(function, position, mentioned, |argument, first, name| {
        if is_mut_reference(&argument.ty) {
            quote_spanned!(first=> &mut *#name)
        } else {
            make_mut(&mut argument.pat, name);
            quote_spanned!(first=> &mut #name)
        }
    })
}

fn bound(
    function: &mut Function,
    position: usize,
    mentioned: &[Ident],
    target: impl FnOnce(&mut PatType, Span, &Ident) -> TokenStream,
) -> Bound {
    let Some(FnArg::Typed(argument)) = function.signature.inputs.get_mut(position) else {
        return Bound::direct(TokenStream::new());
    };
    let (name, pattern) = named(argument);
    // To use an argument that is said to be unused is a lint of clippy's.
    let allowed = if name.to_string().starts_with('_') {
        quote_spanned!(mixed()=> #[allow(clippy::used_underscore_binding)])
    } else {
        TokenStream::new()
    };
    let (first, name) = on_type(&argument.ty, &name);
    Bound {
        target: target(argument, first, &name),
        allowed,
        peeked: pattern
            .as_ref()
            .filter(|pattern| mentions(pattern, mentioned))
            .map(|pattern| peeked(&argument.ty, pattern, &name))
            .unwrap_or_default(),
        opened: pattern
            .map(|pattern| quote_spanned!(mixed()=> let #pattern = #name;))
            .unwrap_or_default(),
    }
}

/// The argument's name. Where a pattern stands in its place, it gets a name of ours, and the pattern is taken out.
fn named(argument: &mut PatType) -> (Ident, Option<Pat>) {
    if let Pat::Ident(PatIdent { by_ref: None, subpat: None, ident, .. }) = &*argument.pat {
        return (ident.clone(), None);
    }
    let name = Ident::new("message", mixed());
    let named = Pat::Ident(PatIdent {
        attrs: Vec::new(),
        by_ref: None,
        mutability: None,
        ident: name.clone(),
        subpat: None,
    });
    let pattern = std::mem::replace(&mut *argument.pat, named);
    (name, (!matches!(pattern, Pat::Wild(_))).then_some(pattern))
}

/// The pattern's names as the options see them: as the body does where the message is a `&` and can be taken apart
/// twice, else borrowed.
fn peeked(ty: &Type, pattern: &Pat, name: &Ident) -> TokenStream {
    let (pattern, value) = match message::bare(ty) {
        Type::Reference(reference) if reference.mutability.is_none() => {
            (pattern.clone(), quote!(#name))
        }
        _ => {
            let mut borrowing = pattern.clone();
            Peek.visit_pat_mut(&mut borrowing);
            (borrowing, quote!(&#name))
        }
    };
    quote_spanned! {mixed()=>
        #[allow(unused_mut, unused_variables)]
        let #pattern = #value;
    }
}

/// Makes a pattern one that borrows all it binds.
struct Peek;

impl VisitMut for Peek {
    fn visit_pat_mut(&mut self, pat: &mut Pat) {
        while let Pat::Reference(reference) = pat {
            *pat = (*reference.pat).clone();
        }
        visit_mut::visit_pat_mut(self, pat);
    }

    fn visit_pat_ident_mut(&mut self, ident: &mut PatIdent) {
        ident.by_ref = None;
        ident.mutability = None;
        visit_mut::visit_pat_ident_mut(self, ident);
    }
}

/// Spans for `&` and for the message's name that together cover its type: an error about the type is shown there. Both
/// are the user's, for the compiler joins no spans of different makers.
fn on_type(ty: &Type, name: &Ident) -> (Span, Ident) {
    let mut spans = ends(ty.to_token_stream());
    let first = spans.next().unwrap_or_else(mixed);
    let last = spans.last().unwrap_or(first);
    let mut located = name.clone();
    located.set_span(name.span().located_at(last));
    (name.span().located_at(first), located)
}

/// The spans of all tokens, a group's as its two delimiters.
fn ends(tokens: TokenStream) -> Box<dyn Iterator<Item = Span>> {
    Box::new(tokens.into_iter().flat_map(|tree| match tree {
        TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::None => {
            ends(group.stream())
        }
        TokenTree::Group(group) => Box::new([group.span_open(), group.span_close()].into_iter()),
        other => Box::new(std::iter::once(other.span())) as Box<dyn Iterator<Item = Span>>,
    }))
}

fn is_mut_reference(ty: &Type) -> bool {
    matches!(message::bare(ty), Type::Reference(reference) if reference.mutability.is_some())
}

/// The names that an argument binds.
fn names(function: &Function, position: usize) -> Vec<Ident> {
    match function.signature.inputs.get(position) {
        Some(FnArg::Typed(argument)) => idents(argument.pat.to_token_stream()),
        _ => Vec::new(),
    }
}

// Input, one of
//     into = msg.headers          // msg: Order
//     into = headers              // headers: &mut Headers
//     into = msg.headers_mut()
//
// Output
//     &mut msg.headers            // and `mut msg` among the arguments
//     &mut *headers
//     &mut *msg.headers_mut()
fn place(function: &mut Function, expr: &Expr) -> TokenStream {
    let expr = args::bare(expr);
    let mutable = Token![mut](mixed_at(expr.span()));
    let root = root(expr).cloned();
    let owned = root.as_ref().is_some_and(|root| make_argument_mut(function, root));
    let is_path = matches!(expr, Expr::Path(_));
    let is_place = is_path || matches!(expr, Expr::Field(_) | Expr::Index(_));
    if is_place && (owned || !is_path) {
        return reference(Some(mutable), expr);
    }
    let followed = Expr::Unary(syn::ExprUnary {
        attrs: Vec::new(),
        op: syn::UnOp::Deref(Token![*](mixed_at(expr.span()))),
        expr: Box::new(expr.clone()),
    });
    reference(Some(mutable), &followed)
}

/// The variable that a place is in: `msg` of `msg.parts[0].headers`.
fn root(expr: &Expr) -> Option<&Ident> {
    match args::bare(expr) {
        Expr::Path(path) => path.path.get_ident(),
        Expr::Field(field) => root(&field.base),
        Expr::Index(index) => root(&index.expr),
        Expr::MethodCall(call) => root(&call.receiver),
        Expr::Paren(paren) => root(&paren.expr),
        Expr::Reference(reference) if reference.mutability.is_some() => root(&reference.expr),
        _ => None,
    }
}

/// Makes an argument that the function owns a `mut` one; says whether it is such an argument.
fn make_argument_mut(function: &mut Function, name: &Ident) -> bool {
    for argument in &mut function.signature.inputs {
        match argument {
            FnArg::Receiver(receiver) if name == "self" => {
                let owned = !matches!(receiver.kind, ReceiverKind::Reference(..));
                if owned {
                    receiver.mutability.get_or_insert(Token![mut](mixed()));
                }
                return owned;
            }
            FnArg::Receiver(_) => {}
            FnArg::Typed(argument) => {
                let owned = !matches!(message::bare(&argument.ty), Type::Reference(_));
                if owned && make_mut(&mut argument.pat, name) {
                    return true;
                }
            }
        }
    }
    false
}

/// Makes `name` a `mut` binding of the pattern, if it is bound there.
fn make_mut(pat: &mut Pat, name: &Ident) -> bool {
    struct MakeMut<'n> {
        name: &'n Ident,
        found: bool,
    }
    impl VisitMut for MakeMut<'_> {
        fn visit_pat_ident_mut(&mut self, pat: &mut PatIdent) {
            if pat.ident == *self.name && pat.by_ref.is_none() {
                pat.mutability.get_or_insert(Token![mut](mixed()));
                self.found = true;
            }
            visit_mut::visit_pat_ident_mut(self, pat);
        }
    }
    let mut visitor = MakeMut { name, found: false };
    visitor.visit_pat_mut(pat);
    visitor.found
}

/// The function with its body in the span that `start` yields.
fn in_span(
    function: &Function,
    common: &Common,
    start: &TokenStream,
    bound: &Bound,
) -> TokenStream {
    let Body::Block { inner, block } = &function.body else {
        return function.to_token_stream();
    };
    let head = function.head();
    let runtime = common.runtime();
    let warnings = warnings::of(common);
    let Bound { allowed, peeked, opened, .. } = bound;
    let returned = Returned::of(&function.signature.output);
    let run = if function.signature.asyncness.is_some() {
        run_async(&returned, opened, block)
    } else {
        run_sync(&returned, opened, block)
    };
    let end = if returned.never {
        run
    } else {
        let annotation = returned.annotation();
        quote_spanned! {mixed()=>
            let __result #annotation = #run;
            __span.finish(#runtime::outcome!(&__result));
            __result
        }
    };
    quote_spanned! {mixed()=>
        #head {
            #(#inner)*
            #warnings
            #peeked
            #allowed
            let mut __span = #start;
            #end
        }
    }
}

fn run_async(returned: &Returned, opened: &TokenStream, block: &Group) -> TokenStream {
    let edge = returned.edge();
    let span = mixed_at(block.span());
    let body = if edge.is_none() && opened.is_empty() {
        quote_spanned!(span=> async move #block)
    } else {
        let block = nested(block);
        quote_spanned!(span=> async move { #edge #opened #block })
    };
    let run = quote_spanned!(mixed()=> __span.run(#body).await);
    if returned.never { quote_spanned!(mixed()=> match #run {}) } else { run }
}

fn run_sync(returned: &Returned, opened: &TokenStream, block: &Group) -> TokenStream {
    let body = if opened.is_empty() {
        quote!(#block)
    } else {
        let block = nested(block);
        quote_spanned!(mixed()=> { #opened #block })
    };
    let arrow = returned.ty.as_ref().map(|ty| quote_spanned!(mixed()=> -> #ty));
    quote_spanned!(mixed()=> __span.run_sync(move || #arrow #body))
}

/// The body inside a block of ours. It stays a block, so that the user's items come first in one; its braces are where
/// the user wrote them, for errors, and ours otherwise, so that no lint finds them unneeded.
fn nested(block: &Group) -> Group {
    let mut nested = block.clone();
    nested.set_span(mixed_at(block.span()));
    nested
}

/// What the function returns, as far as a `let` can say it.
struct Returned {
    /// Nothing where all of it is an `impl Trait`.
    ty: Option<Type>,
    never: bool,
}

impl Returned {
    fn of(output: &ReturnType) -> Self {
        let mut ty = match output {
            ReturnType::Default => syn::parse_quote_spanned!(mixed()=> ()),
            ReturnType::Type(_, ty) => (**ty).clone(),
        };
        Erase.visit_type_mut(&mut ty);
        Self {
            never: matches!(message::bare(&ty), Type::Never(_)),
            ty: (!matches!(message::bare(&ty), Type::Infer(_))).then_some(ty),
        }
    }

    fn annotation(&self) -> Option<TokenStream> {
        self.ty.as_ref().map(|ty| quote_spanned!(mixed()=> : #ty))
    }

    // Input:
    //     Result<(), PaymentError>
    //
    // Output:
    //     if let ::core::option::Option::Some(__returned) = ::core::option::Option::<Result<(), PaymentError>>::None {
    //         return __returned;
    //     }
    //
    // Never runs, and tells the compiler the block's type before it comes to the user's `return`s and last value:
    // a wrong one is then blamed on the value, and not on the attribute. `!` can't be written there; a type
    // without values stands for it.
    fn edge(&self) -> Option<TokenStream> {
        let ty = self.ty.as_ref()?;
        let span = mixed_at(ty.span());
        let ty = if self.never {
            quote_spanned!(span=> ::core::convert::Infallible)
        } else {
            ty.to_token_stream()
        };
        Some(quote_spanned! {span=>
            if let ::core::option::Option::Some(__returned) = ::core::option::Option::<#ty>::None {
                return __returned;
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
