//! What a consumer's and a producer's span have in common: where it stands and what it is called.

use std::borrow::Cow;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Link, SpanContext};

use crate::carrier::{Agreement, Said};
use crate::rare::Rare;
use crate::relation::Origins;
use crate::semconv::{self, key};
use crate::span::Site;

/// An operation of the messaging conventions that is being described.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) site: Site,
    pub(crate) enabled: bool,
    pub(crate) failure_event: bool,
    pub(crate) name: Rare<Cow<'static, str>>,
    pub(crate) verb: Rare<Cow<'static, str>>,
    pub(crate) said: Said,
}

/// What the span and its operation are called.
pub(crate) struct Names {
    pub(crate) span: Cow<'static, str>,
    pub(crate) operation: Cow<'static, str>,
}

impl Operation {
    pub(crate) fn new(site: Site) -> Self {
        Self {
            site,
            enabled: true,
            failure_event: true,
            name: Rare::default(),
            verb: Rare::default(),
            said: Said::default(),
        }
    }

    /// `{operation} {destination}`; without a destination both are named after the function.
    #[inline]
    pub(crate) fn names(&self, default: &'static str, destination: Option<&str>) -> Names {
        if let (None, None, None) = (&*self.name, &*self.verb, destination) {
            let function = self.site.function();
            return Names { span: Cow::Borrowed(function), operation: Cow::Borrowed(function) };
        }
        self.names_by(default, destination)
    }

    #[inline(never)]
    fn names_by(&self, default: &'static str, destination: Option<&str>) -> Names {
        let operation = self.verb(default, destination.is_some());
        let span = match (&*self.name, destination) {
            (Some(name), _) => name.clone(),
            (None, Some(destination)) => {
                semconv::span_name(self.site.span(), &operation, destination)
            }
            (None, None) => operation.clone(),
        };
        Names { span, operation }
    }

    /// The operation's own name.
    pub(crate) fn verb(&self, default: &'static str, has_destination: bool) -> Cow<'static, str> {
        let without_verb = if has_destination { default } else { self.site.function() };
        self.verb.as_ref().map_or(Cow::Borrowed(without_verb), Cow::clone)
    }
}

/// A list with room for what a span mostly says of itself and its messages, which begins with the operation's
/// name and other texts.
pub(crate) fn attribute_list<const N: usize>(
    operation_name: Cow<'static, str>,
    told: [(&'static str, &'static str); N],
) -> Vec<KeyValue> {
    let mut attributes = Vec::with_capacity(12);
    match operation_name {
        Cow::Borrowed(name) => tell(&mut attributes, [(key::OPERATION_NAME, name)]),
        Cow::Owned(name) => attributes.push(KeyValue::new(key::OPERATION_NAME, name)),
    }
    tell(&mut attributes, told);
    attributes
}

/// The attribute that tells one function from another, where there is one and not only a name.
pub(crate) fn function(site: Site) -> Option<KeyValue> {
    let is_known = site.qualified_function() != site.function();
    is_known.then(|| KeyValue::new(key::FUNCTION_NAME, site.qualified_function()))
}

/// A link to each of the origins, up to so many: with what their messages tell where `all` differ.
pub(crate) fn take_links_to(
    origins: &mut Origins<'_>,
    all: &Agreement<'_>,
    operation_type: &str,
    at_most: usize,
) -> Vec<Link> {
    let (mut links, origins) = origins.take_links(at_most);
    for (link, origin) in links.iter_mut().zip(origins) {
        if let Some(facts) = origin.facts() {
            link.attributes = facts.attributes_where_differing(all, operation_type);
        }
        if origin.messages > 1 {
            link.attributes.push(count(key::LINK_MESSAGE_COUNT, origin.messages));
        }
    }
    links
}

/// A link that says what it is to the span.
pub(crate) fn link_with_role(to: &SpanContext, role: &'static str) -> Link {
    Link::new(to.clone(), vec![KeyValue::new(key::LINK_ROLE, role)], 0)
}

/// How many of so many distinct origins have no link then.
pub(crate) fn left_out(distinct: usize, at_most: usize) -> Option<KeyValue> {
    let left_out = distinct.saturating_sub(at_most);
    (left_out > 0).then(|| count(key::LINKS_LEFT_OUT, left_out))
}

/// Adds texts to a list, each of which is made where it stays: what is made apart and then moved there is
/// waited for.
pub(crate) fn tell(
    attributes: &mut Vec<KeyValue>,
    told: impl IntoIterator<Item = (&'static str, &'static str)>,
) {
    attributes.extend(told.into_iter().map(|(key, text)| KeyValue::new(key, text)));
}

pub(crate) fn count(key: &'static str, count: usize) -> KeyValue {
    KeyValue::new(key, i64::try_from(count).unwrap_or(i64::MAX))
}

/// The setters that all builders have; they set what stands at `self.$operation`.
macro_rules! setters {
    () => {
        crate::operation::setters!(operation);
    };
    ($($operation:ident).+) => {
        /// The span's name, in place of `{operation} {destination}`.
        pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
            self.$($operation).+.name = Some(name.into()).into();
            self
        }

        /// `messaging.system`, in place of what the message says.
        pub fn system(mut self, system: impl Into<Cow<'static, str>>) -> Self {
            self.$($operation).+.said.system(system.into());
            self
        }

        /// The topic or queue, in place of what the message says. It becomes part of the span's
        /// name, so it must be one of few.
        pub fn destination(mut self, destination: impl Into<Cow<'static, str>>) -> Self {
            self.$($operation).+.said.destination(destination.into());
            self
        }

        /// The pattern of the topic's or queue's name, `orders.{customer}`: it stands in the span's name
        /// in place of a name that only the message knows.
        pub fn destination_template(mut self, template: impl Into<Cow<'static, str>>) -> Self {
            self.$($operation).+.said.destination_template(template.into());
            self
        }

        /// `messaging.client.id`: the id of the client that does this.
        pub fn client_id(mut self, id: impl Into<Cow<'static, str>>) -> Self {
            self.$($operation).+.said.client_id(id.into());
            self
        }

        /// The broker's host, which may have a port: `broker:9092`, as `server.address` and
        /// `server.port`.
        pub fn server(mut self, server: impl Into<Cow<'static, str>>) -> Self {
            self.$($operation).+.said.server(server.into());
            self
        }

        /// What the system calls the operation: `consume`, `publish`.
        pub fn operation(mut self, operation: impl Into<Cow<'static, str>>) -> Self {
            self.$($operation).+.verb = Some(operation.into()).into();
            self
        }

        /// Whether a span is made at all; it is unless told otherwise. Where none is made, the
        /// context passes through to the work inside as if the span were filtered out. The feature
        /// `metrics` measures it all the same.
        pub fn enabled(mut self, enabled: bool) -> Self {
            self.$($operation).+.enabled = enabled;
            self
        }

        /// Whether a failure is told in one `tracing` event inside the span, as
        /// `messaging.{operation}.exception` (conventions, "Messaging exceptions"); it is unless
        /// told otherwise. Without the feature `tracing` there is none.
        pub fn failure_event(mut self, failure_event: bool) -> Self {
            self.$($operation).+.failure_event = failure_event;
            self
        }
    };
}

/// The setters of those that consume; they set what stands at `self.operation`.
macro_rules! setters_of_a_consumer {
    () => {
        crate::operation::setters_of_a_consumer!(operation);
    };
    ($($operation:ident).+) => {
        /// `messaging.consumer.group.name`: the group of consumers that this is one of.
        pub fn consumer_group(mut self, group: impl Into<Cow<'static, str>>) -> Self {
            self.$($operation).+.said.consumer_group(group.into());
            self
        }
    };
}

pub(crate) use {setters, setters_of_a_consumer};
