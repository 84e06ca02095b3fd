//! The facts that a message can tell, each with the word that marks its field.
//!
//! There is no other list: for a new setter of the runtime's `Facts`, add a line.

/// A word for a fact.
pub(crate) struct Fact {
    /// As it stands in `#[message(..)]`.
    pub(crate) word: &'static str,
    /// The setter of `Facts`. Two words with one setter are two ways to tell the same.
    pub(crate) setter: &'static str,
    pub(crate) told_by: ToldBy,
}

/// What a field has to be to tell the fact.
#[derive(Clone, Copy)]
pub(crate) enum ToldBy {
    /// With an example, for it can also be said of all values of a type.
    Text(&'static str),
    Count,
    Time,
    UnixMilliseconds,
    Body,
}
use ToldBy::{Body, Count, Text, Time, UnixMilliseconds};

pub(crate) const FACTS: &[Fact] = &[
    fact("id", "id", Text("\"A-1\"")),
    fact("conversation_id", "conversation_id", Text("\"C-1\"")),
    fact("system", "system", Text("\"kafka\"")),
    fact("destination", "destination", Text("\"orders\"")),
    fact("varying_destination", "varying_destination", Text("\"orders.4711\"")),
    fact("destination_template", "destination_template", Text("\"orders.{customer}\"")),
    fact("partition", "partition", Text("\"3\"")),
    fact("subscription", "subscription", Text("\"billing\"")),
    fact("consumer_group", "consumer_group", Text("\"billing\"")),
    fact("client_id", "client_id", Text("\"billing-1\"")),
    fact("kafka_key", "kafka_key", Text("\"customer-1\"")),
    fact("rabbitmq_routing_key", "rabbitmq_routing_key", Text("\"orders.eu\"")),
    fact("body", "body_size", Body),
    fact("body_size", "body_size", Count),
    fact("envelope_size", "envelope_size", Count),
    fact("kafka_offset", "kafka_offset", Count),
    fact("rabbitmq_delivery_tag", "rabbitmq_delivery_tag", Count),
    fact("sent_at", "sent_at", Time),
    fact("sent_at_unix_ms", "sent_at", UnixMilliseconds),
    fact("attempt", "attempt", Count),
];

const fn fact(word: &'static str, setter: &'static str, told_by: ToldBy) -> Fact {
    Fact { word, setter, told_by }
}

/// The fact that a word is for.
pub(crate) fn named(word: &str) -> Option<&'static Fact> {
    FACTS.iter().find(|fact| fact.word == word)
}

/// What may stand before a field.
pub(crate) const WORDS_OF_A_FIELD: &[&str] =
    &words::<{ 2 + FACTS.len() }>(["headers", "display"], false);

/// What may stand before a type or a variant.
pub(crate) const WORDS_OF_A_WHOLE: &[&str] =
    &words::<{ 2 + texts() }>(["no_context", "crate"], true);

const fn words<const N: usize>(others: [&'static str; 2], only_texts: bool) -> [&'static str; N] {
    let mut all = [others[0]; N];
    all[1] = others[1];
    let (mut from, mut to) = (0, 2);
    while from < FACTS.len() {
        if !only_texts || matches!(FACTS[from].told_by, Text(_)) {
            all[to] = FACTS[from].word;
            to += 1;
        }
        from += 1;
    }
    all
}

const fn texts() -> usize {
    let (mut place, mut texts) = (0, 0);
    while place < FACTS.len() {
        if matches!(FACTS[place].told_by, Text(_)) {
            texts += 1;
        }
        place += 1;
    }
    texts
}
