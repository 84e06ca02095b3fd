//! The rules that the marks of one type have to keep. What passes here expands without a further question.

use proc_macro2::TokenTree;
use syn::{
    Attribute, Data, DeriveInput, Fields, Generics, Ident, Member, Meta, Path, Type, Variant,
};

use super::{
    facts::{Fact, ToldBy},
    marks::{self, Constant, OfField, OfWhole},
};
use crate::{
    args::{Given, Parsed, Text},
    mistakes::Mistakes,
};

/// A type with nothing wrong in its marks.
pub(crate) struct Derived {
    pub(crate) target: Target,
    pub(crate) shape: Shape,
    /// A struct's only one, or an enum's variants.
    pub(crate) parts: Vec<Part>,
    /// What is told of every value of the type.
    pub(crate) facts: Vec<Constant>,
}

/// What an impl is for.
pub(crate) struct Target {
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    pub(crate) runtime: Option<Given<Path>>,
}

#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Struct,
    Enum,
}

impl Shape {
    /// What one of its parts is called.
    fn part(self) -> &'static str {
        match self {
            Self::Struct => "struct",
            Self::Enum => "variant",
        }
    }
}

/// A struct's or a variant's fields, as far as they are marked.
pub(crate) struct Part {
    pub(crate) ident: Ident,
    /// The one that carries the context.
    pub(crate) carrier: Option<Field>,
    pub(crate) constants: Vec<Constant>,
    pub(crate) told: Vec<Told>,
}

#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) ty: Type,
}

/// A fact that a field tells.
pub(crate) struct Told {
    pub(crate) fact: &'static Fact,
    pub(crate) field: Field,
    /// By its `Display`.
    pub(crate) display: bool,
}

/// What is wrong, and what the impl is for all the same.
pub(crate) struct Refused {
    pub(crate) mistakes: Mistakes,
    /// None where the impl would be an error of its own: nobody knows where the runtime is.
    pub(crate) target: Option<Target>,
}

/// The rules for reading.
pub(crate) fn message(input: DeriveInput) -> Result<Derived, Box<Refused>> {
    check(input, |_, _| {})
}

/// The rules for reading, and that there is something to write into.
pub(crate) fn message_mut(input: DeriveInput) -> Result<Derived, Box<Refused>> {
    check(input, |derived, mistakes| {
        if !derived.parts.iter().any(|part| part.carrier.is_some()) {
            let ident = &derived.target.ident;
            mistakes.at(
                ident,
                format!("a context can't be written into `{ident}`, which has no place for one: mark a field `#[message(headers)]`, or leave `MessageMut` out"),
            );
        }
    })
}

fn check(
    input: DeriveInput,
    own: impl FnOnce(&Derived, &mut Mistakes),
) -> Result<Derived, Box<Refused>> {
    let DeriveInput { attrs, ident, generics, data, .. } = input;
    let mut whole: Parsed<OfWhole> = marks::read(
        &attrs,
        "this mark says nothing: write what holds for every value, as in `#[message(system = \"kafka\")]`, or leave it out",
    );
    let runtime = whole.options.runtime.take();
    let lost_runtime = runtime.is_none() && attrs.iter().any(mentions_crate);
    let mut mistakes = Mistakes::default();
    let mut facts = Vec::new();
    let found = match data {
        Data::Struct(data) => {
            let only = part(&ident, Shape::Struct, whole, &data.fields, &mut mistakes);
            Some((Shape::Struct, vec![only]))
        }
        Data::Enum(data) => {
            facts = of_an_enum(whole, &mut mistakes);
            let variants = data.variants.iter();
            let parts = variants.map(|variant| of_a_variant(variant, &mut mistakes));
            Some((Shape::Enum, parts.collect()))
        }
        Data::Union(data) => {
            mistakes.at(
                data.union_token,
                "a union doesn't know which of its fields is there: a message is a struct or an enum",
            );
            None
        }
    };
    let target = Target { ident, generics, runtime };
    let Some((shape, parts)) = found else {
        return Err(Box::new(Refused { mistakes, target: Some(target) }));
    };
    let derived = Derived { target, shape, parts, facts };
    if mistakes.told().is_none() {
        own(&derived, &mut mistakes);
    }
    if mistakes.told().is_none() {
        return Ok(derived);
    }
    let target = (!lost_runtime).then_some(derived.target);
    Err(Box::new(Refused { mistakes, target }))
}

/// What an enum says of all its variants.
fn of_an_enum(whole: Parsed<OfWhole>, mistakes: &mut Mistakes) -> Vec<Constant> {
    let Parsed { options, mistakes: misread, .. } = whole;
    mistakes.append(misread);
    empty_texts(&options.facts, mistakes);
    if let Some(no_context) = &options.no_context {
        mistakes.at(
            &no_context.key,
            "each variant says for itself whether it carries a context: write `#[message(no_context)]` before those that don't",
        );
    }
    options.facts
}

fn of_a_variant(variant: &Variant, mistakes: &mut Mistakes) -> Part {
    let whole: Parsed<OfWhole> = marks::read(
        &variant.attrs,
        "this mark says nothing: the field that carries the context is marked `#[message(headers)]`, a variant without one `#[message(no_context)]`",
    );
    if let Some(runtime) = &whole.options.runtime {
        mistakes.at(&runtime.key, "`crate` doesn't go here, but before the type");
    }
    part(&variant.ident, Shape::Enum, whole, &variant.fields, mistakes)
}

fn part(
    ident: &Ident,
    shape: Shape,
    whole: Parsed<OfWhole>,
    fields: &Fields,
    mistakes: &mut Mistakes,
) -> Part {
    let Parsed { options: OfWhole { no_context, facts: constants, .. }, mut misread, .. } = whole;
    mistakes.append(whole.mistakes);
    empty_texts(&constants, mistakes);
    let mut part = Part { ident: ident.clone(), carrier: None, constants, told: Vec::new() };
    for (field, member) in fields.iter().zip(fields.members()) {
        let marks: Parsed<OfField> = marks::read(
            &field.attrs,
            "what is this field? Write `#[message(headers)]` before the one that carries the trace context, or what it tells, as in `#[message(id)]`",
        );
        mistakes.append(marks.mistakes);
        misread |= marks.misread;
        let OfField { headers, display, facts } = marks.options;
        let field = Field { member, ty: field.ty.clone() };
        if let Some(display) = &display {
            let any_text = facts.iter().any(|fact| matches!(fact.value.told_by, ToldBy::Text(_)));
            if !any_text && !marks.misread {
                mistakes.at(
                    &display.key,
                    "`display` says how a text is told, and there is none here: write `#[message(id, display)]`, or leave it out",
                );
            }
        }
        for Given { key, value: fact } in facts {
            if let Some(words) = told_before(&part, &key, fact, shape) {
                mistakes.at(&key, words);
            }
            part.told.push(Told { fact, field: field.clone(), display: display.is_some() });
        }
        match &headers {
            Some(headers) if part.carrier.is_some() => mistakes.at(
                &headers.key,
                "`headers` marks two fields, and a message carries one context: keep one",
            ),
            Some(_) => part.carrier = Some(field),
            None => {}
        }
    }
    match (&part.carrier, no_context) {
        (Some(_), Some(no_context)) => mistakes.at(
            &no_context.key,
            "`no_context` says that no field carries one, and one is marked `headers`: keep one of the two",
        ),
        (None, None) if !misread => mistakes.at(ident, missing(ident, shape, fields)),
        _ => {}
    }
    part
}

/// The words for a fact that is told already.
fn told_before(part: &Part, key: &Ident, fact: &Fact, shape: Shape) -> Option<String> {
    if part.constants.iter().any(|constant| constant.value.0.setter == fact.setter) {
        let part = shape.part();
        return Some(format!("`{key}` is told by the {part} and by this field: keep one"));
    }
    let before = part.told.iter().find(|told| told.fact.setter == fact.setter)?;
    Some(match before.fact.word {
        word if word == fact.word => format!("`{word}` is told by two fields: keep one"),
        word => format!("`{word}` and `{key}` tell the same: keep one"),
    })
}

/// The words for a context that is nowhere.
fn missing(ident: &Ident, shape: Shape, fields: &Fields) -> String {
    let part = shape.part();
    let otherwise = format!("`#[message(no_context)]` before the {part} if none does");
    if fields.is_empty() {
        format!(
            "`{ident}` has no field that carries the trace context: write `#[message(no_context)]` before the {part} if that is meant"
        )
    } else {
        format!(
            "which field of `{ident}` carries the trace context? Write `#[message(headers)]` before it, or {otherwise}"
        )
    }
}

/// No text is empty: it would tell nothing.
fn empty_texts(constants: &[Constant], mistakes: &mut Mistakes) {
    for Given { key, value: (_, text) } in constants {
        if let Text::Literal(literal) = text {
            if literal.value().trim().is_empty() {
                mistakes.at(literal, format!("`{key}` is empty: name it, or leave `{key}` out"));
            }
        }
    }
}

/// Whether the runtime may have been named here, in words that could not be read.
fn mentions_crate(attribute: &Attribute) -> bool {
    let is_crate = |tree| matches!(tree, TokenTree::Ident(ident) if ident == "crate");
    matches!(&attribute.meta, Meta::List(list)
        if list.path.is_ident("message") && list.tokens.clone().into_iter().any(is_crate))
}
