//! Which argument is the message.

use std::collections::HashSet;

use quote::ToTokens as _;
use syn::{
    Attribute, Expr, FnArg, Meta, PatIdent, PatType, Signature, Type,
    visit::{self, Visit},
};

use crate::{args::Given, mistakes::Mistakes};

/// Where the context is read from or written to.
pub(crate) enum Message {
    /// The argument at this position.
    Argument(usize),
    /// What `from = EXPR` or `into = EXPR` says.
    Expression(Expr),
}

/// How one macro speaks of its message.
pub(crate) struct Words {
    /// `from` or `into`.
    pub(crate) option: &'static str,
    /// `to read the context from` or `to write the context into`.
    pub(crate) purpose: &'static str,
}

/// Finds the message, or says why it can't be told.
///
/// Where an option was `misread`, it may have been the one that names the message: nothing is said to be missing then.
pub(crate) fn find(
    signature: &Signature,
    marks: &[(usize, Attribute)],
    given: Option<&Given<Expr>>,
    words: &Words,
    misread: bool,
    mistakes: &mut Mistakes,
) -> Option<Message> {
    let Words { option, purpose } = words;
    for (position, mark) in marks {
        if let Some(FnArg::Receiver(_)) = signature.inputs.get(*position) {
            mistakes.at(
                mark,
                format!("`self` takes no mark: write `{option} = self` among the options"),
            );
            return None;
        }
        if mark.path().is_ident("cfg_attr") {
            mistakes.at(
                mark,
                format!("a mark can't be conditional: write `#[message]`, or `{option} = EXPR` among the options"),
            );
            return None;
        }
        if !mark.path().is_ident("message") {
            mistakes.at(mark, "the mark of the message is spelt `#[message]`");
            return None;
        }
        if !matches!(mark.meta, Meta::Path(_)) {
            mistakes.at(mark, "this mark takes nothing: write `#[message]`");
            return None;
        }
    }
    if let Some(given) = given {
        if let Some((_, mark)) = marks.first() {
            mistakes.at(
                mark,
                format!("`{option} = ..` and `#[message]` both say which is the message: keep one"),
            );
        }
        return Some(Message::Expression(given.value.clone()));
    }
    let conditional = |position: usize| signature.inputs.get(position).is_some_and(is_conditional);
    match marks {
        [(position, _)] => return Some(Message::Argument(*position)),
        [(position, _), ..]
            if alternatives(signature, marks.iter().map(|(position, _)| *position)) =>
        {
            return Some(Message::Argument(*position));
        }
        [_, (_, second), ..] => {
            mistakes.at(
                second,
                "`#[message]` stands twice: keep one; to handle several messages in one call, take them as one argument, a batch such as `&[M]`",
            );
            return None;
        }
        [] => {}
    }
    let all = || typed(signature).map(|(position, _)| position);
    if let Some(first) = all().next().filter(|_| alternatives(signature, all())) {
        return Some(Message::Argument(first));
    }
    let mut arguments = all().filter(|position| !conditional(*position));
    match (arguments.next(), arguments.next()) {
        (Some(only), None) => Some(Message::Argument(only)),
        _ if misread => None,
        (None, _) if all().next().is_none() => {
            mistakes.at(
                &signature.ident,
                format!(
                    "there is no argument {purpose}: add the message, or write `{option} = EXPR`"
                ),
            );
            None
        }
        _ => {
            mistakes.at(
                &signature.inputs,
                format!("which argument is the message? Write `#[message]` before it, or `{option} = EXPR`"),
            );
            None
        }
    }
}

/// Whether these are one argument under several conditions: `#[cfg(unix)] msg: A, #[cfg(windows)] msg: B`.
fn alternatives(signature: &Signature, positions: impl Iterator<Item = usize>) -> bool {
    let mut names = HashSet::new();
    let all_conditional = positions.fold(true, |so_far, position| {
        let argument = signature.inputs.get(position);
        if let Some(FnArg::Typed(typed)) = argument {
            names.insert(typed.pat.to_token_stream().to_string());
        }
        so_far && argument.is_some_and(is_conditional)
    });
    all_conditional && names.len() == 1
}

/// Whether an argument may not be there. A macro sees it all the same.
pub(crate) fn is_conditional(argument: &FnArg) -> bool {
    let attributes = match argument {
        FnArg::Receiver(receiver) => &receiver.attrs,
        FnArg::Typed(typed) => &typed.attrs,
    };
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg"))
}

/// The arguments other than `self`, with their positions.
pub(crate) fn typed(signature: &Signature) -> impl Iterator<Item = (usize, &PatType)> {
    signature.inputs.iter().enumerate().filter_map(|(position, argument)| match argument {
        FnArg::Typed(typed) => Some((position, typed)),
        FnArg::Receiver(_) => None,
    })
}

/// Every name that the arguments bind, `self` included.
pub(crate) fn bound_names(signature: &Signature) -> HashSet<String> {
    struct Names(HashSet<String>);
    impl<'ast> Visit<'ast> for Names {
        fn visit_pat_ident(&mut self, pat: &'ast PatIdent) {
            self.0.insert(pat.ident.to_string());
            visit::visit_pat_ident(self, pat);
        }
    }
    let mut names = Names(HashSet::new());
    for argument in &signature.inputs {
        match argument {
            FnArg::Receiver(_) => {
                names.0.insert("self".to_owned());
            }
            FnArg::Typed(typed) => names.visit_pat(&typed.pat),
        }
    }
    names.0
}

/// A type without the invisible delimiters that a `macro_rules!` leaves round what it passes on.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        other => other,
    }
}
