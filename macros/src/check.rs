//! The rules that options and function have to keep. What passes here expands without a further question.

use proc_macro2::TokenStream;
use syn::{
    Type,
    parse::{Parse as _, Parser as _},
};

use crate::{
    args::{
        self, Common, ConsumerOptions, Existing, Given, Limits, Parsed, ProducerOptions, Relation,
        SpanOptions, TaskOptions, Text,
    },
    fallback::Item,
    item::{Body, Function},
    message::{self, Message, Words},
    mistakes::Mistakes,
};

/// A function and what its attribute says, with nothing wrong in either.
pub(crate) struct Checked<O, M = Message> {
    pub(crate) options: O,
    pub(crate) function: Function,
    pub(crate) message: M,
}

/// What is wrong, and what stands in the file all the same.
pub(crate) struct Refused {
    pub(crate) mistakes: Mistakes,
    pub(crate) item: Item,
}

pub(crate) fn consumer(
    options: TokenStream,
    item: TokenStream,
) -> Result<Checked<ConsumerOptions>, Box<Refused>> {
    let words = Words { option: "from", purpose: "to read the context from" };
    check(options, item, |parsed: &mut Parsed<ConsumerOptions>, function, marks| {
        relation(parsed);
        let given = parsed.options.from.as_ref();
        message::find(
            &function.signature,
            marks,
            given,
            &words,
            parsed.misread,
            &mut parsed.mistakes,
        )
    })
}

pub(crate) fn producer(
    options: TokenStream,
    item: TokenStream,
) -> Result<Checked<ProducerOptions>, Box<Refused>> {
    let words = Words { option: "into", purpose: "to write the context into" };
    check(options, item, |parsed: &mut Parsed<ProducerOptions>, function, marks| {
        retry(&parsed.options, &mut parsed.mistakes);
        let given = parsed.options.into.as_ref();
        let found = message::find(
            &function.signature,
            marks,
            given,
            &words,
            parsed.misread,
            &mut parsed.mistakes,
        );
        if let Some(Message::Argument(position)) = found {
            writable(function, position, &mut parsed.mistakes);
        }
        found
    })
}

pub(crate) fn task(
    options: TokenStream,
    item: TokenStream,
) -> Result<Checked<TaskOptions, ()>, Box<Refused>> {
    check(options, item, |parsed: &mut Parsed<TaskOptions>, _, marks| {
        let Parsed { options, mistakes, misread } = parsed;
        if options.relations.is_empty() && !*misread {
            mistakes.push(syn::Error::new(
                proc_macro2::Span::call_site(),
                "how does this task relate to its caller? \
                 Write `#[async_task(continue)]` to go on in the caller's trace as a child of the caller, \
                 or `#[async_task(link)]` for a trace of its own with a link to the caller",
            ));
        }
        one_relation(&options.relations, "task", mistakes);
        limits(&options.limits, &options.relations, mistakes);
        for (_, mark) in marks {
            mistakes.at(
                mark,
                "a task has no message: remove this mark, \
                 or write `#[async_consumer(..)]` where the function is given a message",
            );
        }
        Some(())
    })
}

fn check<O: SpanOptions, M>(
    options: TokenStream,
    item: TokenStream,
    own: impl FnOnce(&mut Parsed<O>, &Function, &[(usize, syn::Attribute)]) -> Option<M>,
) -> Result<Checked<O, M>, Box<Refused>> {
    let mut parsed = args::parse::<O>(options);
    let Some(mut function) = parsed.mistakes.ok(Function::parse.parse2(item.clone())) else {
        let mistakes = parsed.mistakes;
        return Err(Box::new(Refused { mistakes, item: Item::Unread(item) }));
    };
    let marks = function.take_marks();
    texts(parsed.options.common(), &mut parsed.mistakes);
    shorthands(parsed.options.common(), &function, &mut parsed.mistakes);
    shape(&function, O::MACRO, &mut parsed.mistakes);
    let message = own(&mut parsed, &function, &marks);
    match (message, parsed.mistakes.told()) {
        (Some(message), None) => Ok(Checked { options: parsed.options, function, message }),
        _ => Err(Box::new(Refused {
            mistakes: parsed.mistakes,
            item: Item::Function(Box::new(function)),
        })),
    }
}

/// One relation, and `nested` only beside `link`.
fn relation(parsed: &mut Parsed<ConsumerOptions>) {
    let Parsed { options, mistakes, misread } = parsed;
    if !one_relation(&options.relations, "handler", mistakes) {
        return;
    }
    let only = options.relations.first();
    limits(&options.limits, &options.relations, mistakes);
    match (&options.nested, only) {
        (Some(nested), None) => {
            mistakes.at(&nested.key, "`nested` goes with `link`: write `link, nested`");
        }
        (Some(nested), Some(relation)) if !matches!(relation.value, Relation::Link) => {
            let advice = match relation.value {
                Relation::Chosen(_) => "let the expression yield `Relation::LINK.nested()`".to_owned(),
                _ => format!("write `link, nested`, or `{}` alone", relation.key),
            };
            mistakes.at(&nested.key, format!("`nested` goes with `link`: {advice}"));
        }
        (None, None) if !*misread => mistakes.push(syn::Error::new(
            proc_macro2::Span::call_site(),
            "how does this handler relate to whoever sent the message? \
             Write `#[async_consumer(link)]` for a trace of its own with a link to the sender, \
             or `#[async_consumer(continue)]` to go on in the sender's trace as a child of the sender",
        )),
        _ => {}
    }
}

/// What is sent again keeps its origin.
fn retry(options: &ProducerOptions, mistakes: &mut Mistakes) {
    let replaces = |given: &&Given<Existing>| matches!(given.value, Existing::Replace);
    if let (Some(retry), Some(_)) = (&options.retry, options.existing.as_ref().filter(replaces)) {
        mistakes.at(
            &retry.key,
            "`retry` keeps the message's origin, which `existing = replace` takes away: keep one",
        );
    }
}

/// What ends a trace needs one that goes on.
fn limits(limits: &Limits, relations: &[Given<Relation>], mistakes: &mut Mistakes) {
    let Some(relation) = relations.first() else { return };
    let advice = match relation.value {
        Relation::Continue => return,
        Relation::Chosen(_) => "let the expression yield it, `Relation::CONTINUE.max_hops(64)`",
        Relation::Link | Relation::Ignore => "leave it out, or write `continue`",
    };
    for key in limits.keys() {
        mistakes.at(key, format!("`{key}` goes with `continue`: {advice}"));
    }
}

/// Whether there is no second one.
fn one_relation(relations: &[Given<Relation>], holder: &str, mistakes: &mut Mistakes) -> bool {
    let [first, second, ..] = relations else { return true };
    let words = if first.key == second.key {
        format!("`{}` is given twice: keep one", second.key)
    } else {
        format!(
            "`{}` and `{}` can't both hold: a {holder} has one relation, keep one",
            first.key, second.key
        )
    };
    mistakes.at(&second.key, words);
    false
}

/// No text is empty: a span with no name or destination tells nothing.
fn texts(common: &Common, mistakes: &mut Mistakes) {
    for given in common.texts() {
        if let Text::Literal(literal) = &given.value {
            if literal.value().trim().is_empty() {
                let key = &given.key;
                mistakes.at(literal, format!("`{key}` is empty: name it, or leave `{key}` out"));
            }
        }
    }
}

/// A field without a value stands for an argument, or for a constant.
fn shorthands(common: &Common, function: &Function, mistakes: &mut Mistakes) {
    let bound = message::bound_names(&function.signature);
    for field in common.fields.iter().flat_map(|given| &given.value) {
        let Some(argument) = &field.shorthand else { continue };
        let name = argument.to_string();
        let is_constant = name.starts_with(|first: char| !first.is_lowercase());
        if !is_constant && !bound.contains(&name) {
            mistakes.at(
                argument,
                format!("there is no argument `{name}`: give the field a value, `{name} = ..`, or write `{name} = Empty` to fill it later"),
            );
        }
    }
}

/// A function that can hold a span while it runs.
fn shape(function: &Function, macro_name: &str, mistakes: &mut Mistakes) {
    let signature = &function.signature;
    if let Some(constness) = &signature.constness {
        mistakes.at(
            constness,
            format!("a `const fn` can't start a span: remove `const`, or `#[{macro_name}(..)]`"),
        );
    }
    if let Body::Missing(semicolon) = &function.body {
        mistakes.at(
            semicolon,
            format!("there is no body to run in a span: put `#[{macro_name}(..)]` on this function where it is implemented, in the `impl`"),
        );
    }
}

/// A producer's message is owned or `&mut`.
fn writable(function: &Function, position: usize, mistakes: &mut Mistakes) {
    let argument = message::typed(&function.signature).find(|(at, _)| *at == position);
    if let Some((_, argument)) = argument {
        if let Type::Reference(reference) = message::bare(&argument.ty) {
            if reference.mutability.is_none() {
                mistakes.at(
                    &argument.ty,
                    "a producer writes its context into the message, and this one can only be read: \
                     take it as `&mut` or by value, or write `into = EXPR`",
                );
            }
        }
    }
}
