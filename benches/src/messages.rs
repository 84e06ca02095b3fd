//! The messages that are handled.

use std::collections::HashMap;
use std::ops::Range;
use std::time::SystemTime;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use throughline::{Facts, HeaderReader, TraceContext, Traced};

/// A message as a broker's client would have it, for the stock propagator as well.
pub type Message = HashMap<String, String>;

/// A message that tells of itself what one of Kafka does.
pub struct Record {
    pub headers: Message,
    pub topic: String,
    pub partition: String,
    pub offset: u64,
    pub key: String,
    pub body: Vec<u8>,
}

impl throughline::Message for Record {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        facts
            .system("kafka")
            .destination(&self.topic)
            .partition(&self.partition)
            .kafka_offset(self.offset)
            .kafka_key(&self.key)
            .body_size(self.body.len() as u64);
    }
}

/// A message for a channel within the process, as one writes it by hand.
pub struct Order {
    pub sender: Context,
    pub sent: SystemTime,
    pub number: usize,
}

impl Order {
    /// Not sent yet.
    pub fn new() -> Self {
        Self { sender: Context::new(), sent: SystemTime::UNIX_EPOCH, number: 7 }
    }

    /// The same for throughline.
    pub fn traced() -> Traced<usize> {
        Traced::with_context(7, TraceContext::default())
    }
}

impl Default for Order {
    fn default() -> Self {
        Self::new()
    }
}

/// All that one run handles.
pub struct Messages {
    pub one: Message,
    pub record: Record,
    pub order: Order,
    pub traced_order: Traced<usize>,
    pub without_context: Message,
    /// Of ten messages, of as many as the SDK keeps links of, and of more.
    pub batches: [Vec<Message>; 3],
}

impl Messages {
    /// Whether the sender was sampled.
    pub fn new(sampled: bool) -> Self {
        Self {
            one: message(sampled),
            record: record(sampled),
            order: Order { sender: sender(sampled), sent: SystemTime::now(), number: 7 },
            traced_order: traced_order(sampled),
            without_context: HashMap::from([("tenant".to_owned(), "acme".to_owned())]),
            batches: [10, 128, 1000].map(|messages| batch(0..messages)),
        }
    }
}

/// It carries a `traceparent` and a header of the user's.
fn message(sampled: bool) -> Message {
    let flags = if sampled { "01" } else { "00" };
    let traceparent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}");
    HashMap::from([
        ("traceparent".to_owned(), traceparent),
        ("tenant".to_owned(), "acme".to_owned()),
    ])
}

fn sender(sampled: bool) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &message(sampled))
}

/// As it comes out of a channel that the sender has put it in.
fn traced_order(sampled: bool) -> Traced<usize> {
    let _sender = sender(sampled).attach();
    Traced::new(7)
}

fn record(sampled: bool) -> Record {
    Record {
        headers: message(sampled),
        topic: "orders".to_owned(),
        partition: "3".to_owned(),
        offset: 4711,
        key: "customer-7".to_owned(),
        body: vec![0; 120],
    }
}

/// A message of each of the senders.
pub fn batch(senders: Range<u64>) -> Vec<Message> {
    senders.map(|sender| HashMap::from([("traceparent".to_owned(), traceparent(sender))])).collect()
}

/// That of the so-manieth sender, which has a trace of its own. The ids are in no order, as those of senders are.
pub fn traceparent(sender: u64) -> String {
    // An odd factor gives each number another one.
    let id = (sender + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("00-{:016x}{id:016x}-{id:016x}-01", id.rotate_left(32))
}
