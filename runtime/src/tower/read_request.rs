//! How a request is read: as a message itself, or by a closure.

use std::fmt;
use std::marker::PhantomData;

use crate::carrier::Message;
use crate::consumer::{AnyNumber, Consumer, One, TakenBy, UnstartedSpan};
use crate::operation::Operation;
use crate::relation::{MAX_LINKS, Relation};
use crate::span::Site;

/// How a [`ConsumerService`](super::ConsumerService) reads the message out of a request.
///
/// Closures do it, as [`ConsumerLayer::read_with`](super::ConsumerLayer::read_with) takes them; there is nothing to implement here.
#[diagnostic::on_unimplemented(
    message = "no trace context can be read from the request `{Request}`",
    label = "no message can be read from this service's requests",
    note = "where the context is in a part of the request, point at it: `ConsumerLayer::new(..).from(|request: &R| &request.headers)`",
    note = "where it is a batch, say so: `.from(|messages: &Vec<M>| messages)`",
    note = "for a type of your own, implement `throughline::Message`"
)]
pub trait ReadRequest<Request> {
    /// Reads the message. Its handler's span starts later.
    fn read_request(&self, request: &Request) -> UnstartedSpan;
}

impl<Request, F> ReadRequest<Request> for F
where
    F: Fn(&Request) -> UnstartedSpan,
{
    fn read_request(&self, request: &Request) -> UnstartedSpan {
        self(request)
    }
}

/// The request is itself a message: what [`ConsumerLayer::new`](super::ConsumerLayer::new) begins with.
pub struct DefaultReadRequest<Number = AnyNumber> {
    pub(super) operation: Operation,
    pub(super) relation: Relation,
    pub(super) max_links: usize,
    pub(super) headers: &'static [&'static str],
    number: PhantomData<fn() -> Number>,
}

impl DefaultReadRequest {
    pub(super) fn new(site: Site) -> Self {
        Self {
            operation: Operation::new(site),
            relation: Relation::LINK,
            max_links: MAX_LINKS,
            headers: &[],
            number: PhantomData,
        }
    }
}

impl<Number> DefaultReadRequest<Number> {
    pub(super) fn with<Other>(self, relation: Relation) -> DefaultReadRequest<Other> {
        let Self { operation, max_links, headers, .. } = self;
        DefaultReadRequest { operation, relation, max_links, headers, number: PhantomData }
    }

    /// The builder of one call's span.
    pub(super) fn consumer(&self) -> Consumer<'static, Number> {
        Consumer::described(self.operation.clone(), self.relation, self.max_links, self.headers)
    }
}

impl<Request: Message, Number> ReadRequest<Request> for DefaultReadRequest<Number>
where
    One: TakenBy<Number>,
{
    fn read_request(&self, request: &Request) -> UnstartedSpan {
        self.consumer().read::<One, _>(request)
    }
}

impl<Number> Clone for DefaultReadRequest<Number> {
    fn clone(&self) -> Self {
        Self { operation: self.operation.clone(), number: PhantomData, ..*self }
    }
}

impl<Number> fmt::Debug for DefaultReadRequest<Number> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.consumer().fmt(f)
    }
}
