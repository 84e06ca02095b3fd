//! The service around a handler.

use std::any::type_name;
use std::fmt;
use std::task::{Context, Poll};

use tower_service::Service;

use super::{
    DefaultReadRequest, DefaultResponseOutcome, ReadRequest, ResponseFuture, ResponseOutcome,
};

/// A service under a [`ConsumerLayer`](super::ConsumerLayer): the handler's span runs around each
/// of its calls. Ready when the service is.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use throughline::{Traced, tower::ConsumerLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// let charge_card = service_fn(async |order: Traced<u32>| Ok::<_, std::fmt::Error>(*order * 100));
/// let charge_card = ConsumerLayer::new("charge_card").continue_().layer(charge_card);
/// assert_eq!(charge_card.oneshot(Traced::new(7)).await, Ok(700));
/// # }
/// ```
#[derive(Clone)]
pub struct ConsumerService<S, Read = DefaultReadRequest, Ended = DefaultResponseOutcome> {
    pub(super) inner: S,
    pub(super) read_request: Read,
    pub(super) response_outcome: Ended,
}

impl<S, Read, Ended> ConsumerService<S, Read, Ended> {
    /// The service below.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service below, to be changed.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service below alone.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, Request, Read, Ended> Service<Request> for ConsumerService<S, Read, Ended>
where
    S: Service<Request>,
    Read: ReadRequest<Request>,
    Ended: ResponseOutcome<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, Ended>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let span = self.read_request.read_request(&request);
        ResponseFuture::new(span, self.inner.call(request), self.response_outcome.clone())
    }
}

impl<S: fmt::Debug, Read, Ended> fmt::Debug for ConsumerService<S, Read, Ended> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerService")
            .field("inner", &self.inner)
            .field("read_request", &format_args!("{}", type_name::<Read>()))
            .field("response_outcome", &format_args!("{}", type_name::<Ended>()))
            .finish()
    }
}
