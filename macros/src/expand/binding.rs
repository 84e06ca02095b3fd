//! The message among the arguments: borrowed for the span, and bound as the user wrote it for the body.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{
    Expr, FnArg, Pat, PatIdent, PatType, ReceiverKind, Token, Type,
    spanned::Spanned as _,
    visit::{self, Visit},
    visit_mut::{self, VisitMut},
};

use super::{
    described::{idents, mentions, reference},
    ends, mixed, mixed_at,
};
use crate::{args, item::Function, message};

/// The message as the span's start and the body see it.
pub(super) struct Bound {
    /// What `start` is given.
    pub(super) target: TokenStream,
    /// On the statement that starts the span.
    pub(super) allowed: TokenStream,
    /// Before the span: the names of a pattern, borrowed, for options that mention them.
    pub(super) peeked: TokenStream,
    /// First in the body: the argument taken apart by the user's pattern.
    pub(super) opened: TokenStream,
}

impl Bound {
    /// There is no message.
    pub(super) fn none() -> Self {
        Self::direct(TokenStream::new())
    }

    pub(super) fn direct(target: TokenStream) -> Self {
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
pub(super) fn borrowed(function: &mut Function, position: usize, mentioned: &[Ident]) -> Bound {
    bound(function, position, mentioned, |_, first, name| quote_spanned!(first=> &#name))
}

/// As [`borrowed`], but to be written: `&mut *msg` where the message is a `&mut`, else `mut msg` and `&mut msg`.
pub(super) fn borrowed_mut(function: &mut Function, position: usize, mentioned: &[Ident]) -> Bound {
    make_alternatives_mut(function, position);
    let mut made = Made::Nothing;
    let mut bound = bound(function, position, mentioned, |argument, first, name| {
        if is_mut_reference(&argument.ty) {
            quote_spanned!(first=> &mut *#name)
        } else {
            made = make_mut(&mut argument.pat, name);
            quote_spanned!(first=> &mut #name)
        }
    });
    // A pattern binds its own names in the body.
    if bound.opened.is_empty() {
        bound.opened = made.undone();
    }
    bound
}

/// The message under another `#[cfg]`, which may be the one that is compiled.
fn make_alternatives_mut(function: &mut Function, position: usize) {
    let Some(FnArg::Typed(argument)) = function.signature.inputs.get(position) else { return };
    let Pat::Ident(PatIdent { ident: name, .. }) = &*argument.pat else { return };
    let name = name.clone();
    for other in function.signature.inputs.iter_mut().filter(|other| message::is_conditional(other))
    {
        if let FnArg::Typed(other) = other {
            if !is_mut_reference(&other.ty) {
                make_mut(&mut other.pat, &name);
            }
        }
    }
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
    // A pattern is never said to be passed by value without need; the name in its place would be.
    if pattern.is_some()
        && function.signature.asyncness.is_none()
        && !matches!(message::bare(&argument.ty), Type::Reference(_))
    {
        function
            .attributes
            .push(syn::parse_quote_spanned!(mixed()=> #[allow(clippy::needless_pass_by_value)]));
    }
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
            .map(|pattern| quote_spanned!(name.span()=> let #pattern = #name;))
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
        mutability: borrows_mutably(&argument.pat).then(|| Token![mut](mixed())),
        ident: name.clone(),
        subpat: None,
    });
    let pattern = std::mem::replace(&mut *argument.pat, named);
    (name, (!matches!(pattern, Pat::Wild(_))).then_some(pattern))
}

/// Whether the pattern has a `ref mut`, which needs something `mut` to borrow from.
fn borrows_mutably(pattern: &Pat) -> bool {
    struct RefMut(bool);
    impl<'ast> Visit<'ast> for RefMut {
        fn visit_pat_ident(&mut self, ident: &'ast PatIdent) {
            self.0 |= ident.by_ref.is_some() && ident.mutability.is_some();
            visit::visit_pat_ident(self, ident);
        }
    }
    let mut visitor = RefMut(false);
    visitor.visit_pat(pattern);
    visitor.0
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
        #[allow(unused_mut, unused_variables, non_shorthand_field_patterns)]
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

fn is_mut_reference(ty: &Type) -> bool {
    matches!(message::bare(ty), Type::Reference(reference) if reference.mutability.is_some())
}

/// The names that an argument binds.
pub(super) fn names(function: &Function, position: usize) -> Vec<Ident> {
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
pub(super) fn place(function: &mut Function, expr: &Expr) -> Bound {
    let expr = args::bare(expr);
    let made = root(expr).map_or(Made::Nothing, |root| make_argument_mut(function, root));
    let owned = !matches!(made, Made::Nothing);
    Bound { opened: made.undone(), ..Bound::direct(borrowed_place(expr, owned)) }
}

fn borrowed_place(expr: &Expr, owned: bool) -> TokenStream {
    let mutable = Token![mut](mixed_at(expr.span()));
    let is_path = matches!(expr, Expr::Path(_));
    let followed = matches!(expr, Expr::Unary(unary) if matches!(unary.op, syn::UnOp::Deref(_)));
    let is_place = is_path || followed || matches!(expr, Expr::Field(_) | Expr::Index(_));
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

/// Makes an argument that the function owns a `mut` one, if it is such an argument.
fn make_argument_mut(function: &mut Function, name: &Ident) -> Made {
    for argument in &mut function.signature.inputs {
        match argument {
            FnArg::Receiver(receiver) if name == "self" => {
                if matches!(receiver.kind, ReceiverKind::Reference(..)) {
                    return Made::Nothing;
                }
                receiver.mutability.get_or_insert(Token![mut](mixed()));
                return Made::Found;
            }
            FnArg::Receiver(_) => {}
            FnArg::Typed(argument) => {
                if !matches!(message::bare(&argument.ty), Type::Reference(_)) {
                    let made = make_mut(&mut argument.pat, name);
                    if !matches!(made, Made::Nothing) {
                        return made;
                    }
                }
            }
        }
    }
    Made::Nothing
}

/// What making a name `mut` came to.
enum Made {
    /// There is no such name.
    Nothing,
    /// It is `mut` because the user has made it so, or it can't be undone.
    Found,
    /// It is `mut` because we have made it so.
    Mut(Ident),
}

impl Made {
    /// In the body the name is again what the user made it.
    fn undone(&self) -> TokenStream {
        match self {
            Self::Mut(name) => {
                quote_spanned!(mixed()=> #[allow(unused_variables)] let #name = #name;)
            }
            Self::Nothing | Self::Found => TokenStream::new(),
        }
    }
}

/// Makes `name` a `mut` binding of the pattern, if it is bound there.
fn make_mut(pat: &mut Pat, name: &Ident) -> Made {
    struct MakeMut<'n> {
        name: &'n Ident,
        made: Made,
    }
    impl VisitMut for MakeMut<'_> {
        fn visit_pat_ident_mut(&mut self, pat: &mut PatIdent) {
            if pat.ident == *self.name && pat.by_ref.is_none() {
                self.made = match &pat.mutability {
                    Some(_) => Made::Found,
                    None => Made::Mut(pat.ident.clone()),
                };
                pat.mutability.get_or_insert(Token![mut](mixed()));
            }
            visit_mut::visit_pat_ident_mut(self, pat);
        }
    }
    let mut visitor = MakeMut { name, made: Made::Nothing };
    visitor.visit_pat_mut(pat);
    visitor.made
}
