//! What describes the handler, and puts a service under its span.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;

use tower_layer::Layer;

use super::{ConsumerService, DefaultReadRequest, DefaultResponseOutcome};
use crate::consumer::{AnyNumber, One, Receive, TakenBy, UnstartedSpan};
use crate::outcome::Outcome;
use crate::relation::Relation;
use crate::span::Site;

/// A layer that makes a handler's span around each call: see the [module](super).
///
/// The handler is described as with [`consume`](crate::consume), by methods of the same names.
///
/// ```
/// use throughline::tower::ConsumerLayer;
///
/// let layer = ConsumerLayer::new("charge_card")
///     .continue_() // or `.link()`, `.link_nested()`, `.ignore()`, `.relation(Relation::LINK)`
///     .system("kafka")
///     .destination("orders")
///     .operation("consume")
///     .capture_headers(&["tenant"]);
/// # let _ = layer;
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until a service is put under it"]
pub struct ConsumerLayer<Read = DefaultReadRequest, Ended = DefaultResponseOutcome> {
    read_request: Read,
    response_outcome: Ended,
}

impl ConsumerLayer {
    /// A layer for requests that are messages. Takes the handler's name, or a [`Site`]. Unless told
    /// otherwise the span links.
    pub fn new(site: impl Into<Site>) -> Self {
        Self {
            read_request: DefaultReadRequest::new(site.into()),
            response_outcome: DefaultResponseOutcome::default(),
        }
    }
}

impl<Read> ConsumerLayer<Read> {
    /// A layer whose span is described call by call, by a closure that ends in
    /// [`Consumer::read`](crate::Consumer::read): for what depends on the request, and for messages
    /// that have to be put together first.
    ///
    /// ```
    /// use throughline::{consume, tower::ConsumerLayer};
    ///
    /// struct Job {
    ///     queue: String,
    ///     metadata: Vec<String>, // as "name=value"
    /// }
    ///
    /// let layer = ConsumerLayer::read_with(|job: &Job| {
    ///     let pairs = job.metadata.iter().filter_map(|entry| entry.split_once('='));
    ///     let headers: Vec<(&str, &str)> = pairs.collect();
    ///     consume("run_job").link().destination(job.queue.clone()).read(&headers)
    /// });
    /// # let _ = layer;
    /// ```
    pub fn read_with<Request>(read_request: Read) -> Self
    where
        Read: Fn(&Request) -> UnstartedSpan,
    {
        Self { read_request, response_outcome: DefaultResponseOutcome::default() }
    }
}

impl<Number, Ended> ConsumerLayer<DefaultReadRequest<Number>, Ended> {
    crate::operation::setters!(read_request.operation);

    /// How many links the span may have: see [`Consumer::max_links`](crate::Consumer::max_links).
    pub fn max_links(mut self, max_links: usize) -> Self {
        self.read_request.max_links = max_links;
        self
    }

    /// The message's headers that are to stand on the span: see
    /// [`Consumer::capture_headers`](crate::Consumer::capture_headers).
    pub fn capture_headers(mut self, names: &'static [&'static str]) -> Self {
        self.read_request.headers = names;
        self
    }

    /// The span is the root of its own trace, with a link back to each sender. The default.
    pub fn link(self) -> ConsumerLayer<DefaultReadRequest, Ended> {
        self.relation(Relation::LINK)
    }

    /// As [`link`](Self::link), but under the span that is active where the response future is
    /// first polled.
    pub fn link_nested(self) -> ConsumerLayer<DefaultReadRequest, Ended> {
        self.relation(Relation::LINK.nested())
    }

    /// The span is a child of the sender's. A batch can't be continued: it does not compile.
    pub fn continue_(self) -> ConsumerLayer<DefaultReadRequest<One>, Ended> {
        self.with(Relation::CONTINUE)
    }

    /// The message's context is not looked at: for senders that are not trusted.
    pub fn ignore(self) -> ConsumerLayer<DefaultReadRequest, Ended> {
        self.relation(Relation::IGNORE)
    }

    /// A relation chosen at run time; `continue` on a batch links.
    pub fn relation(self, relation: Relation) -> ConsumerLayer<DefaultReadRequest, Ended> {
        self.with::<AnyNumber>(relation)
    }

    fn with<Other>(self, relation: Relation) -> ConsumerLayer<DefaultReadRequest<Other>, Ended> {
        ConsumerLayer {
            read_request: self.read_request.with(relation),
            response_outcome: self.response_outcome,
        }
    }

    /// Points at the message, or the batch, that is a part of the request. It comes after what
    /// describes the handler. A batch that is to be continued does not compile.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use throughline::{Traced, tower::ConsumerLayer};
    ///
    /// struct Job {
    ///     headers: HashMap<String, String>,
    /// }
    /// struct Sales {
    ///     orders: Vec<Traced<u32>>,
    /// }
    ///
    /// let one = ConsumerLayer::new("run_job").continue_().from(|job: &Job| &job.headers);
    /// let many = ConsumerLayer::new("add_up").link().from(|sales: &Sales| &sales.orders);
    /// # let _ = (one, many);
    /// ```
    pub fn from<Request, M, K>(
        self,
        message: impl Fn(&Request) -> &M + Clone,
    ) -> ConsumerLayer<impl Fn(&Request) -> UnstartedSpan + Clone, Ended>
    where
        M: Receive<K> + ?Sized,
        K: TakenBy<Number>,
    {
        let described = self.read_request;
        ConsumerLayer {
            read_request: move |request: &Request| described.consumer().read(message(request)),
            response_outcome: self.response_outcome,
        }
    }
}

impl<Read, Ended> ConsumerLayer<Read, Ended> {
    /// Says how a call ended, in place of what its error tells by `Display`: for errors that are
    /// boxed or have codes, and for responses that are failures.
    ///
    /// ```
    /// use throughline::{Outcome, Traced, outcome, tower::ConsumerLayer};
    ///
    /// # #[derive(Debug)]
    /// struct PaymentError;
    /// # impl std::fmt::Display for PaymentError {
    /// #     fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { Ok(()) }
    /// # }
    /// # impl std::error::Error for PaymentError {}
    /// type Error = Box<dyn std::error::Error + Send + Sync>;
    ///
    /// enum Reply {
    ///     Charged,
    ///     Refused,
    /// }
    ///
    /// let layer = ConsumerLayer::new("charge_card").continue_().outcome(
    ///     |result: &Result<Reply, Error>| match result {
    ///         Ok(Reply::Refused) => Outcome::error("refused"),
    ///         Err(error) => match error.downcast_ref::<PaymentError>() {
    ///             Some(error) => Outcome::of_error(error),
    ///             None => outcome!(result), // what it would be without a word of ours
    ///         },
    ///         Ok(Reply::Charged) => Outcome::ok(),
    ///     },
    /// );
    /// # let _ = (layer, Reply::Charged, Reply::Refused);
    /// ```
    pub fn outcome<Response, Error, Say>(self, response_outcome: Say) -> ConsumerLayer<Read, Say>
    where
        Say: Fn(&Result<Response, Error>) -> Outcome,
    {
        ConsumerLayer { read_request: self.read_request, response_outcome }
    }
}

impl<S, Read: Clone, Ended: Clone> Layer<S> for ConsumerLayer<Read, Ended> {
    type Service = ConsumerService<S, Read, Ended>;

    fn layer(&self, inner: S) -> Self::Service {
        ConsumerService {
            inner,
            read_request: self.read_request.clone(),
            response_outcome: self.response_outcome.clone(),
        }
    }
}

/// Closures have no words of their own.
impl<Read, Ended> fmt::Debug for ConsumerLayer<Read, Ended> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerLayer")
            .field("read_request", &format_args!("{}", type_name::<Read>()))
            .field("response_outcome", &format_args!("{}", type_name::<Ended>()))
            .finish()
    }
}
