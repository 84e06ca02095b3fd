//! What a consumer's and a producer's span have in common: where it stands and what it is called.

use std::borrow::Cow;

use crate::semconv;
use crate::span::{FieldValue, Site};

/// An operation of the messaging conventions that is being described.
#[derive(Debug)]
pub(crate) struct Operation<'a> {
    pub(crate) site: Site,
    pub(crate) name: Option<Cow<'static, str>>,
    pub(crate) system: Option<Cow<'static, str>>,
    pub(crate) destination: Option<Cow<'static, str>>,
    pub(crate) verb: Option<Cow<'static, str>>,
    pub(crate) fields: &'a [(&'static str, FieldValue<'a>)],
}

/// What the span and its operation are called.
pub(crate) struct Names {
    pub(crate) span: Cow<'static, str>,
    pub(crate) operation: Cow<'static, str>,
}

impl Operation<'_> {
    pub(crate) fn new(site: Site) -> Self {
        Self { site, name: None, system: None, destination: None, verb: None, fields: &[] }
    }

    /// `{operation} {destination}`; without a destination both are named after the function.
    pub(crate) fn names(&self, default: &'static str, destination: Option<&str>) -> Names {
        let without_name = if destination.is_some() { default } else { self.site.function };
        let operation = self.verb.clone().unwrap_or(Cow::Borrowed(without_name));
        let span = match (&self.name, destination) {
            (Some(name), _) => name.clone(),
            (None, Some(_)) => semconv::span_name(&operation, destination),
            (None, None) => operation.clone(),
        };
        Names { span, operation }
    }
}

/// The setters that both builders have.
macro_rules! setters {
    () => {
        /// The span's name, in place of `{operation} {destination}`.
        pub fn name(mut self, name: impl Into<Cow<'static, str>>) -> Self {
            self.operation.name = Some(name.into());
            self
        }

        /// `messaging.system`, in place of what the message says.
        pub fn system(mut self, system: impl Into<Cow<'static, str>>) -> Self {
            self.operation.system = Some(system.into());
            self
        }

        /// The topic or queue, in place of what the message says. It becomes part of the span's
        /// name, so it must be one of few.
        pub fn destination(mut self, destination: impl Into<Cow<'static, str>>) -> Self {
            self.operation.destination = Some(destination.into());
            self
        }

        /// What the system calls the operation: `consume`, `publish`.
        pub fn operation(mut self, operation: impl Into<Cow<'static, str>>) -> Self {
            self.operation.verb = Some(operation.into());
            self
        }
    };
}

pub(crate) use setters;
