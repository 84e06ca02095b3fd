//! The options between an attribute's parentheses.

mod consumer;
mod duration;
mod fields;
mod producer;
mod task;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{
    Expr, ExprLit, Ident, Lit, LitStr, Path, Token, UnOp,
    ext::IdentExt as _,
    parse::{Parse, ParseStream, Parser, discouraged::Speculative as _},
    spanned::Spanned as _,
    token::Paren,
};

pub(crate) use consumer::{ConsumerOptions, Limits, Relation, Within};
pub(crate) use fields::{Field, Name, Recorded};
pub(crate) use producer::{Existing, ProducerOptions};
pub(crate) use task::TaskOptions;

use crate::{mistakes::Mistakes, nearest::nearest};

/// The options of one macro.
pub(crate) trait Options: Default {
    /// The macro, as its user writes it.
    const MACRO: &'static str;
    /// Every option's name.
    const KNOWN: &'static [&'static str];

    /// Reads the option `key`, whose name has been read, if it is one of this macro's.
    fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> Read;

    /// What to say of a name that isn't an option here but is elsewhere, or was meant to be something else.
    fn advice(key: &str) -> Option<&'static str>;
}

/// The options of a macro that makes a span.
pub(crate) trait SpanOptions: Options {
    /// Those shared by all of them.
    fn common(&self) -> &Common;
}

/// What became of an option: its name may be unknown (`None`), its value wrong.
pub(crate) type Read = Option<syn::Result<()>>;

/// Options as far as they could be read.
#[derive(Default)]
pub(crate) struct Parsed<O> {
    pub(crate) options: O,
    pub(crate) mistakes: Mistakes,
    /// Something wasn't understood, so what seems to be missing may be there.
    pub(crate) misread: bool,
}

/// A value together with the keyword it was given by, which is where a conflict is reported.
pub(crate) struct Given<T> {
    pub(crate) key: Ident,
    pub(crate) value: T,
}

/// The options that all macros share; of the texts a task has its name alone.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) name: Option<Given<Text>>,
    pub(crate) system: Option<Given<Text>>,
    pub(crate) destination: Option<Given<Text>>,
    pub(crate) destination_template: Option<Given<Text>>,
    pub(crate) operation: Option<Given<Text>>,
    pub(crate) consumer_group: Option<Given<Text>>,
    pub(crate) client_id: Option<Given<Text>>,
    pub(crate) server: Option<Given<Text>>,
    pub(crate) fields: Option<Given<Vec<Field>>>,
    pub(crate) level: Option<Given<Ident>>,
    pub(crate) target: Option<Given<Expr>>,
    pub(crate) err: Option<Given<FailureEvent>>,
    pub(crate) enabled: Option<Given<Expr>>,
    pub(crate) runtime: Option<Given<Path>>,
}

/// A text that is known when the handler is compiled, or an expression that yields it when the handler is called.
pub(crate) enum Text {
    Literal(LitStr),
    Computed(Expr),
}

/// How a failure is told in the log.
#[derive(Clone, Copy)]
pub(crate) enum FailureEvent {
    Off,
    Display,
    Debug,
}

/// Reads all options there are, and gathers what is wrong with them.
pub(crate) fn parse<O: Options>(tokens: TokenStream) -> Parsed<O> {
    let mut parsed = Parsed::default();
    let read = |input: ParseStream<'_>| read_all(&mut parsed, input);
    if let Err(mistake) = read.parse2(tokens) {
        parsed.misread(mistake);
    }
    parsed
}

impl<O> Parsed<O> {
    /// Notes a mistake that may hide an option.
    pub(crate) fn misread(&mut self, mistake: syn::Error) {
        self.mistakes.push(mistake);
        self.misread = true;
    }
}

/// Goes on after a mistake, to the end of the options or to what can't be told from the next one.
pub(crate) fn read_all<O: Options>(
    parsed: &mut Parsed<O>,
    input: ParseStream<'_>,
) -> syn::Result<()> {
    while !input.is_empty() {
        if let Err(mistake) = read_one(parsed, input) {
            parsed.misread(mistake);
            skip_option(input);
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn read_one<O: Options>(parsed: &mut Parsed<O>, input: ParseStream<'_>) -> syn::Result<()> {
    let before = input.fork();
    let Ok(key) = input.call(Ident::parse_any) else {
        return Err(not_a_name::<O>(&before));
    };
    if input.peek(Token![::]) {
        return Err(not_a_word::<O>(&before));
    }
    let Some(read) = parsed.options.read(&key, input) else {
        return Err(syn::Error::new(key.span(), unknown::<O>(&key)));
    };
    read?;
    if input.is_empty() || input.peek(Token![,]) {
        Ok(())
    } else {
        Err(input.error("expected `,` before the next option"))
    }
}

fn not_a_name<O: Options>(input: ParseStream<'_>) -> syn::Error {
    let Ok(token) = input.parse::<TokenTree>() else {
        return input.error("expected an option");
    };
    let (inside, marks) = match &token {
        TokenTree::Group(group) => (group.stream().to_string(), "parentheses"),
        other => (other.to_string().trim_matches('"').to_owned(), "quotes"),
    };
    let inside = inside.trim();
    if !inside.is_empty() && inside.split(',').all(|word| O::KNOWN.contains(&word.trim())) {
        return syn::Error::new(token.span(), format!("write `{inside}` without the {marks}"));
    }
    syn::Error::new(token.span(), knows::<O>("this is no option"))
}

/// `Relation::LINK` and its like.
fn not_a_word<O: Options>(input: ParseStream<'_>) -> syn::Error {
    let path = match input.parse::<Path>() {
        Ok(path) => path,
        Err(mistake) => return mistake,
    };
    let relations = ["link", "continue", "ignore"].map(|it| O::KNOWN.contains(&it));
    let words = match relations {
        [true, true, true] => "write `link`, `continue` or `ignore`",
        [true, true, false] => "write `link` or `continue`",
        _ => return syn::Error::new_spanned(&path, knows::<O>("an option is a word")),
    };
    let written = path.to_token_stream().to_string().replace(' ', "");
    syn::Error::new_spanned(
        &path,
        format!(
            "an option is a word: {words}, or `mode = {written}` for a relation that is chosen for each call"
        ),
    )
}

fn knows<O: Options>(words: &str) -> String {
    format!("{words}: `#[{}(..)]` knows `{}`", O::MACRO, O::KNOWN.join("`, `"))
}

fn unknown<O: Options>(key: &Ident) -> String {
    let written = key.unraw().to_string();
    if let Some(advice) = O::advice(&written) {
        return advice.to_owned();
    }
    match nearest(&written, O::KNOWN) {
        Some(near) => format!("unknown option `{key}`: did you mean `{near}`?"),
        None => knows::<O>(&format!("unknown option `{key}`")),
    }
}

/// Goes on to the next option. A value is read as an expression where it is one, for its commas are its own.
fn skip_option(input: ParseStream<'_>) {
    if input.parse::<Option<Token![=]>>().is_ok_and(|eq| eq.is_some()) {
        let _ = attempt(input, Expr::parse);
    }
    while !input.is_empty() && !input.peek(Token![,]) {
        let _ = input.parse::<TokenTree>();
    }
}

/// Keeps the first value of an option and refuses a second one.
pub(crate) fn set_once<T>(slot: &mut Option<Given<T>>, key: &Ident, value: T) -> syn::Result<()> {
    if slot.is_some() {
        return Err(syn::Error::new(key.span(), format!("`{key}` is given twice: keep one")));
    }
    *slot = Some(Given { key: key.clone(), value });
    Ok(())
}

/// An option that is a word by itself.
pub(crate) fn stands_alone(key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    if input.peek(Token![=]) || input.peek(Paren) {
        return Err(syn::Error::new(
            key.span(),
            format!("`{key}` takes no value: write `{key}` alone"),
        ));
    }
    Ok(())
}

/// The expression after `key =`; `example` is what a value looks like.
fn value(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<Expr> {
    assigned(key, input, &format!("{key} = {example}"))
}

fn assigned<T: Parse>(key: &Ident, input: ParseStream<'_>, whole: &str) -> syn::Result<T> {
    if input.peek(Paren) {
        return Err(syn::Error::new(key.span(), format!("`{key}` is assigned: write `{whole}`")));
    }
    let missing = || syn::Error::new(key.span(), format!("`{key}` needs a value: write `{whole}`"));
    if input.parse::<Option<Token![=]>>()?.is_none() {
        return Err(missing());
    }
    if input.is_empty() || input.peek(Token![,]) {
        return Err(missing());
    }
    attempt(input, T::parse).map_err(|_| {
        let span = input.fork().parse::<TokenTree>().map_or(key.span(), |tree| tree.span());
        syn::Error::new(span, format!("this can't be the value of `{key}`: write `{whole}`"))
    })
}

/// Reads all or nothing: what is left half read would be a mistake of its own.
fn attempt<T>(
    input: ParseStream<'_>,
    read: impl FnOnce(ParseStream<'_>) -> syn::Result<T>,
) -> syn::Result<T> {
    let ahead = input.fork();
    let value = read(&ahead)?;
    input.advance_to(&ahead);
    Ok(value)
}

/// The expression after `from =` or `into =`: an argument or a part of one, not a literal.
fn place(key: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    let value = value(key, input, "msg.headers")?;
    match literal(&value) {
        None => Ok(value),
        Some(Lit::Str(text)) if text.parse::<Expr>().is_ok() => Err(syn::Error::new_spanned(
            text,
            format!("write `{key} = {}` without the quotes", text.value()),
        )),
        Some(other) => Err(wrong_kind(key, other, "where the headers are", "msg.headers")),
    }
}

/// An expression without the invisible delimiters that a `macro_rules!` leaves round what it passes on.
pub(crate) fn bare(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => bare(&group.expr),
        other => other,
    }
}

fn literal(expr: &Expr) -> Option<&Lit> {
    match bare(expr) {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        _ => None,
    }
}

pub(crate) fn text(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<Text> {
    let value = value(key, input, example)?;
    match literal(&value) {
        Some(Lit::Str(literal)) => Ok(Text::Literal(literal.clone())),
        Some(other) => Err(wrong_kind(key, other, "a string", example)),
        None if matches!(bare(&value), Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_))) => {
            Err(wrong_kind(key, &value, "a string", example))
        }
        None => Ok(Text::Computed(value)),
    }
}

fn wrong_kind(key: &Ident, value: impl ToTokens, kind: &str, example: &str) -> syn::Error {
    syn::Error::new_spanned(value, format!("`{key}` is {kind}: write `{key} = {example}`"))
}

impl Common {
    fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> Read {
        // A second value is read like the first, so that nothing but the repetition is wrong with it.
        let read = match key.to_string().as_str() {
            "name" => text(key, input, "\"charge the card\"")
                .and_then(|value| set_once(&mut self.name, key, value)),
            "system" => text(key, input, "\"kafka\"")
                .and_then(|value| set_once(&mut self.system, key, value)),
            "destination" => text(key, input, "\"orders\"")
                .and_then(|value| set_once(&mut self.destination, key, value)),
            "destination_template" => text(key, input, "\"orders.{customer}\"")
                .and_then(|value| set_once(&mut self.destination_template, key, value)),
            "operation" => text(key, input, "\"process\"")
                .and_then(|value| set_once(&mut self.operation, key, value)),
            "consumer_group" => text(key, input, "\"billing\"")
                .and_then(|value| set_once(&mut self.consumer_group, key, value)),
            "client_id" => text(key, input, "\"billing-1\"")
                .and_then(|value| set_once(&mut self.client_id, key, value)),
            "server" => text(key, input, "\"broker:9092\"")
                .and_then(|value| set_once(&mut self.server, key, value)),
            "fields" => {
                fields::parse(key, input).and_then(|value| set_once(&mut self.fields, key, value))
            }
            "level" => level(key, input).and_then(|value| set_once(&mut self.level, key, value)),
            "target" => target(key, input).and_then(|value| set_once(&mut self.target, key, value)),
            "err" => err(key, input).and_then(|value| set_once(&mut self.err, key, value)),
            "enabled" => {
                enabled(key, input).and_then(|value| set_once(&mut self.enabled, key, value))
            }
            "crate" => {
                runtime(key, input).and_then(|value| set_once(&mut self.runtime, key, value))
            }
            _ => return None,
        };
        Some(read)
    }

    /// The path of something in the runtime crate, as the function's body sees it.
    pub(crate) fn runtime(&self, item: &str) -> TokenStream {
        in_runtime(self.runtime.as_ref(), item)
    }

    /// What `in_runtime` needs in the function's body.
    pub(crate) fn import(&self) -> Option<TokenStream> {
        import(self.runtime.as_ref())
    }

    /// The path of one of the attributes.
    pub(crate) fn attribute(&self, name: &str) -> TokenStream {
        let name = Ident::new(name, Span::mixed_site());
        match &self.runtime {
            None => quote_spanned!(Span::mixed_site()=> ::throughline::#name),
            Some(given) => {
                let path = &given.value;
                quote_spanned!(Span::mixed_site()=> #path::#name)
            }
        }
    }

    /// The texts, with their names.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &Given<Text>> {
        let texts = [
            &self.name,
            &self.system,
            &self.destination,
            &self.destination_template,
            &self.operation,
            &self.consumer_group,
            &self.client_id,
            &self.server,
        ];
        texts.into_iter().flatten()
    }
}

/// The path of something in the runtime crate, as it is seen beside `import`.
pub(crate) fn in_runtime(runtime: Option<&Given<Path>>, item: &str) -> TokenStream {
    let item = Ident::new(item, Span::mixed_site());
    if runtime.is_some() {
        quote_spanned!(Span::mixed_site()=> __throughline::#item)
    } else {
        quote_spanned!(Span::mixed_site()=> ::throughline::#item)
    }
}

/// Where the user has said which crate the runtime is: an import, so that a wrong path is told once, where it stands.
pub(crate) fn import(runtime: Option<&Given<Path>>) -> Option<TokenStream> {
    let path = &runtime?.value;
    let private = Ident::new("private", path.span());
    Some(quote_spanned!(Span::mixed_site()=> use #path::#private as __throughline;))
}

fn level(key: &Ident, input: ParseStream<'_>) -> syn::Result<Ident> {
    let value = value(key, input, "\"info\"")?;
    let written = match bare(&value) {
        Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) => Some(name.value()),
        Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
        _ => None,
    };
    let known = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR"];
    written
        .map(|name| name.to_uppercase())
        .filter(|name| known.contains(&name.as_str()))
        .map(|name| Ident::new(&name, Span::mixed_site()))
        .ok_or_else(|| {
            wrong_kind(
                key,
                &value,
                "one of \"trace\", \"debug\", \"info\", \"warn\" and \"error\"",
                "\"info\"",
            )
        })
}

fn target(key: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    let value = value(key, input, "\"my_app::orders\"")?;
    match bare(&value) {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().is_empty() => {
            Err(syn::Error::new_spanned(text, "`target` is empty: name it, or leave `target` out"))
        }
        // A span's target is part of its static description.
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) | Expr::Path(_) | Expr::Macro(_) => Ok(value),
        _ => Err(wrong_kind(key, &value, "a string literal or a constant", "\"my_app::orders\"")),
    }
}

/// `err` alone is as `tracing::instrument` has it.
fn err(key: &Ident, input: ParseStream<'_>) -> syn::Result<FailureEvent> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(FailureEvent::Display);
    }
    let value = value(key, input, "debug")?;
    let word = match bare(&value) {
        Expr::Path(path) => path.path.get_ident().map(Ident::to_string),
        _ => None,
    };
    match word.as_deref() {
        Some("off") => Ok(FailureEvent::Off),
        Some("display") => Ok(FailureEvent::Display),
        Some("debug") => Ok(FailureEvent::Debug),
        _ => Err(wrong_kind(key, &value, "one of `off`, `display` and `debug`", "debug")),
    }
}

fn enabled(key: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    truth(key, input, "settings.traced")
}

fn truth(key: &Ident, input: ParseStream<'_>, example: &str) -> syn::Result<Expr> {
    let value = value(key, input, example)?;
    match literal(&value) {
        None | Some(Lit::Bool(_)) => Ok(value),
        Some(_) => Err(wrong_kind(
            key,
            &value,
            "`true`, `false` or an expression that yields one",
            example,
        )),
    }
}

pub(crate) fn runtime(key: &Ident, input: ParseStream<'_>) -> syn::Result<Path> {
    let example = "::my_framework::throughline";
    let value = value(key, input, example)?;
    match bare(&value) {
        Expr::Path(path) if path.qself.is_none() => Ok(path.path.clone()),
        _ => Err(wrong_kind(key, &value, "a path", example)),
    }
}
