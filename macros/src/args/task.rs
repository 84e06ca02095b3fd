//! The options of `#[async_task(..)]`.

use syn::{Ident, parse::ParseStream};

use super::{
    Common, Given, Limits, Options, Read, Relation, SpanOptions,
    consumer::{mode, not_assigned},
    stands_alone,
};

/// What `#[async_task(..)]` was told.
#[derive(Default)]
pub(crate) struct TaskOptions {
    pub(crate) common: Common,
    /// In the order they were written; one is right.
    pub(crate) relations: Vec<Given<Relation>>,
    pub(crate) limits: Limits,
}

impl Options for TaskOptions {
    const MACRO: &'static str = "async_task";
    const KNOWN: &'static [&'static str] = &[
        "link", "continue", "mode", "within", "max_hops", "name", "fields", "err", "enabled",
        "level", "target", "crate",
    ];

    fn read(&mut self, key: &Ident, input: ParseStream<'_>) -> Read {
        let read = match key.to_string().as_str() {
            "link" => stands_alone(key, input).map(|()| self.push(key, Relation::Link)),
            "continue" => stands_alone(key, input).map(|()| self.push(key, Relation::Continue)),
            "mode" => mode(key, input).map(|chosen| self.push(key, Relation::Chosen(chosen))),
            "relation" => Err(not_assigned::<Self>(key, input)),
            // Of messages, and so unknown here.
            "system"
            | "destination"
            | "destination_template"
            | "operation"
            | "consumer_group"
            | "client_id"
            | "server"
            | "heed_break" => return None,
            _ => {
                return self.limits.read(key, input).or_else(|| self.common.read(key, input));
            }
        };
        Some(read)
    }

    fn advice(key: &str) -> Option<&'static str> {
        match key {
            "nested" => Some(
                "`nested` is for handlers, which run inside a poll loop; a task knows only its caller: write `continue` to be its child, or `link` alone",
            ),
            "ignore" => Some(
                "`ignore` is for senders that are not trusted, and a task is called by this very program: write `link` for a trace of its own",
            ),
            "from" | "into" | "existing" => Some(
                "a task has no message, its context is that of its caller: leave this out; a function that is given a message takes `#[async_consumer(..)]`, one that sends a message `#[async_producer(..)]`",
            ),
            "destination"
            | "destination_template"
            | "system"
            | "operation"
            | "consumer_group"
            | "client_id"
            | "server" => Some(
                "this describes a message, and a task has none: write `name = ..` for the span's name, or `fields(..)`",
            ),
            "heed_break" => Some("only the sender of a message can ask for a break: leave it out"),
            "new_trace" | "retry" => {
                Some("this is for `#[async_producer(..)]`, which sends messages: leave it out")
            }
            "capture_headers" | "max_links" => {
                Some("this is for `#[async_consumer(..)]`, which reads messages: leave it out")
            }
            _ => None,
        }
    }
}

impl SpanOptions for TaskOptions {
    fn common(&self) -> &Common {
        &self.common
    }
}

impl TaskOptions {
    fn push(&mut self, key: &Ident, value: Relation) {
        let key = key.clone();
        self.relations.push(Given { key, value });
    }
}
