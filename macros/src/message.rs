//! Which argument is the message.

use std::collections::HashSet;

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
    match marks {
        [(position, _)] => return Some(Message::Argument(*position)),
        [_, (_, second), ..] => {
            mistakes.at(
                second,
                "`#[message]` stands twice: keep one; to handle several messages in one call, take them as one argument, a batch such as `&[M]`",
            );
            return None;
        }
        [] => {}
    }
    let mut arguments = typed(signature).map(|(position, _)| position);
    match (arguments.next(), arguments.next()) {
        (Some(only), None) => Some(Message::Argument(only)),
        _ if misread => None,
        (None, _) => {
            mistakes.at(
                &signature.ident,
                format!(
                    "there is no argument {purpose}: add the message, or write `{option} = EXPR`"
                ),
            );
            None
        }
        (Some(_), Some(_)) => {
            mistakes.at(
                &signature.inputs,
                format!("which argument is the message? Write `#[message]` before it, or `{option} = EXPR`"),
            );
            None
        }
    }
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
