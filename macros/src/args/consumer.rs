//! The options of `#[async_consumer(..)]`.

use quote::quote;
use syn::{Expr, Ident, Lit, parse::ParseStream};

use super::{Common, Given, Options, Read, bare, literal, set_once, stands_alone, value};

/// What `#[async_consumer(..)]` was told.
#[derive(Default)]
pub(crate) struct ConsumerOptions {
    pub(crate) common: Common,
    /// In the order they were written; one is right.
    pub(crate) relations: Vec<Given<Relation>>,
    pub(crate) nested: Option<Given<()>>,
    pub(crate) from: Option<Given<Expr>>,
}

/// How the handler's span relates to the message's sender.
pub(crate) enum Relation {
    Link,
    Continue,
    Ignore,
    /// `mode = EXPR`: decided for each call.
    Chosen(Expr),
}

impl Options for ConsumerOptions {
    const MACRO: &'static str = "async_consumer";
    const KNOWN: &'static [&'static str] = &[
        "link",
        "nested",
        "continue",
        "ignore",
        "mode",
        "from",
        "name",
        "system",
        "destination",
        "operation",
        "fields",
        "level",
        "target",
        "crate",
    ];

    fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> Read {
        let read = match key.to_string().as_str() {
            "link" => self.relation(key, input, Relation::Link),
            "continue" => self.relation(key, input, Relation::Continue),
            "ignore" => self.relation(key, input, Relation::Ignore),
            "nested" => stands_alone(key, input).and_then(|()| set_once(&mut self.nested, key, ())),
            "mode" => mode(key, input).map(|chosen| self.push(key, Relation::Chosen(chosen))),
            "from" => value(key, input, "msg.headers")
                .and_then(|value| set_once(&mut self.from, key, value)),
            "relation" => Err(not_assigned(key, input)),
            _ => return self.common.read(key, input),
        };
        Some(read)
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn advice(key: &str) -> Option<&'static str> {
        match key {
            "into" => {
                Some("`into` is where a producer writes; a consumer reads: write `from = ..`")
            }
            "existing" => Some(
                "`existing` is for `#[async_producer(..)]`; a consumer leaves its message as it is",
            ),
            _ => None,
        }
    }
}

impl ConsumerOptions {
    fn relation(
        &mut self,
        key: &Ident,
        input: ParseStream<'_>,
        relation: Relation,
    ) -> syn::Result<()> {
        stands_alone(key, input)?;
        self.push(key, relation);
        Ok(())
    }

    fn push(&mut self, key: &Ident, value: Relation) {
        let key = key.clone();
        self.relations.push(Given { key, value });
    }
}

fn mode(key: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    let chosen = value(key, input, "self.relation()")?;
    match literal_relation(&chosen) {
        Some(relation) => Err(syn::Error::new_spanned(
            &chosen,
            format!(
                "`mode` is for a relation chosen while the program runs; for a fixed one write `{relation}` alone"
            ),
        )),
        None if literal(&chosen).is_some() => Err(syn::Error::new_spanned(
            &chosen,
            "`mode` is an expression that yields a `Relation`: write `mode = self.relation()`",
        )),
        None => Ok(chosen),
    }
}

/// A relation written where an expression belongs.
fn literal_relation(expr: &Expr) -> Option<&'static str> {
    let written = match bare(expr) {
        Expr::Continue(_) => "continue".to_owned(),
        Expr::Lit(_) => match literal(expr)? {
            Lit::Str(text) => text.value(),
            _ => return None,
        },
        Expr::Path(path) => path.path.get_ident()?.to_string(),
        _ => return None,
    };
    ["link", "continue", "ignore"].into_iter().find(|known| *known == written)
}

/// `relation = "link"` and its like.
fn not_assigned(key: &Ident, input: ParseStream<'_>) -> syn::Error {
    let meant = value(key, &input.fork(), "..").ok();
    let relation = meant.as_ref().and_then(literal_relation).unwrap_or("link");
    let written = meant.map_or_else(|| quote!(#key), |value| quote!(#key = #value));
    syn::Error::new_spanned(
        written,
        format!("a relation stands alone: write `#[async_consumer({relation})]`"),
    )
}
