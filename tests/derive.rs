//! `#[derive(Message)]` and `#[derive(MessageMut)]`: the marked fields carry the context and tell the facts, as an impl
//! written by hand would.

// No lint of the user's fires because of a derive.
#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(unused_qualifications, single_use_lifetimes)]
#![allow(clippy::redundant_pub_crate)] // at odds with `unreachable_pub`

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use throughline::testing::Span;
use throughline::{
    Facts, HeaderReader, Message, MessageMut, TraceContext, Traced, async_consumer, async_producer,
};
use throughline_tests::{Headers, OTHER_SENDER, SENDER, current_trace, from, in_both_worlds};

const TOPIC: &str = "orders";

fn id(hexadecimal: &str) -> String {
    hexadecimal.to_owned()
}

fn traceparent_of<M: Message + ?Sized>(message: &M) -> Option<String> {
    TraceContext::read_from(message).traceparent()
}

/// A context is written into the message, read back, replaced and removed.
#[track_caller]
fn round_trips<M: MessageMut>(message: &mut M) {
    for sender in [SENDER, OTHER_SENDER] {
        TraceContext::read_from(&from(sender)).write_to(message);
        assert_eq!(traceparent_of(message).as_deref(), Some(sender));
    }
    TraceContext::default().write_to(message);
    assert!(TraceContext::read_from(message).is_empty());
}

/// The attributes that a message's facts become.
fn told<M: Message>(message: &M, check: impl Fn(Span<'_>)) {
    #[async_consumer(link)]
    fn handler<M: Message>(#[message] message: &M) {
        let _ = message;
    }
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| handler(message));
        check(traces.all()[0]);
    });
}

// A message as a broker's client would have it: every fact, each from a field.

#[derive(Message, MessageMut, Clone)]
#[message(system = "shop_jobs")]
struct Job {
    #[message(id)]
    number: u64,
    #[message(conversation_id)]
    conversation: Option<String>,
    #[message(destination)]
    queue: String,
    #[message(destination_template)]
    pattern: &'static str,
    #[message(body)]
    body: Vec<u8>,
    #[message(sent_at)]
    sent: Option<SystemTime>,
    #[message(attempt)]
    attempt: u32,
    #[message(headers)]
    headers: Headers,
    note: String,
}

fn job(headers: Headers) -> Job {
    Job {
        number: 7,
        conversation: Some(id("C-1")),
        queue: id("jobs.7"),
        pattern: "jobs.{number}",
        body: vec![1, 2, 3],
        sent: Some(SystemTime::now() - Duration::from_secs(90)),
        attempt: 2,
        headers,
        note: String::new(),
    }
}

#[async_consumer(continue)]
fn run_job(job: &Job) -> String {
    assert!(job.note.is_empty());
    current_trace()
}

#[test]
fn a_handler_continues_the_sender_of_a_derived_message() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let trace = run_job(&job(from(SENDER)));
            assert!(SENDER.contains(&trace));
        });
        traces.span("process jobs.{number}").continues(SENDER);
    });
}

#[test]
fn a_derived_message_without_a_context_makes_a_root() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| run_job(&job(Headers::new())));
        traces
            .span("process jobs.{number}")
            .is_root()
            .has_no_links()
            .has_attribute("throughline.relation.reason", "no_context");
    });
}

#[test]
fn every_fact_is_an_attribute() {
    told(&job(from(SENDER)), |span| {
        let span = span
            .has_attribute("messaging.system", "shop_jobs")
            .has_attribute("messaging.message.id", "7")
            .has_attribute("messaging.message.conversation_id", "C-1")
            .has_attribute("messaging.destination.name", "jobs.7")
            .has_attribute("messaging.destination.template", "jobs.{number}")
            .has_attribute("messaging.message.body.size", 3)
            .has_attribute("throughline.message.attempt", 2);
        assert!(age_of(span).is_some_and(|age| (90.0..150.0).contains(&age)));
    });
}

fn age_of(span: Span<'_>) -> Option<f64> {
    span.attribute("throughline.message.age").and_then(|age| age.as_str().parse().ok())
}

#[test]
fn what_is_missing_is_left_out() {
    let job = Job { conversation: None, sent: None, queue: String::new(), ..job(from(SENDER)) };
    told(&job, |span| {
        span.has_no_attribute("messaging.message.conversation_id")
            .has_no_attribute("throughline.message.age")
            .has_no_attribute("messaging.destination.name")
            .has_attribute("messaging.message.id", "7");
    });
}

#[async_producer(destination = "jobs")]
fn publish(job: Job) -> Job {
    job
}

#[test]
fn a_producer_writes_into_a_derived_message_and_its_handler_continues_there() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| run_job(&publish(job(Headers::new()))));
        traces.assert_tree(
            "
            trace A
              send jobs                          producer
                process jobs.{number}            consumer   continues A/send jobs
            ",
        );
    });
}

#[test]
fn a_context_is_written_read_back_replaced_and_removed() {
    round_trips(&mut job(Headers::new()));
    round_trips(&mut Wrapping(job(Headers::new())));
    round_trips(&mut Event::Placed(Traced::with_context(1, TraceContext::default()), 7));
    round_trips(&mut Event::Paid { headers: Some(Headers::new()), amount: 1 });
    round_trips(&mut Generic { headers: HashMap::<String, String>::new(), id: "a", extra: 1 });
}

#[async_consumer(link)]
fn run_jobs(jobs: &[Job]) -> usize {
    jobs.len()
}

#[test]
fn derived_messages_make_a_batch() {
    in_both_worlds(|capture| {
        let jobs = [job(from(SENDER)), Job { number: 8, ..job(from(OTHER_SENDER)) }];
        let traces = capture.run_sync(|| run_jobs(&jobs));
        traces
            .span("process jobs.{number}")
            .is_root()
            .has_links(2)
            .links_to(SENDER)
            .has_link_attribute(SENDER, "messaging.message.id", "7")
            .has_link_attribute(OTHER_SENDER, "messaging.message.id", "8")
            .has_attribute("messaging.batch.message_count", 2)
            .has_attribute("messaging.system", "shop_jobs");
    });
}

// The field that carries the context is a message itself.

#[derive(Message, MessageMut)]
#[message(system = "shop_bus")]
struct Wrapping(#[message(headers)] Job);

#[test]
fn what_the_inner_message_tells_is_told_and_the_outer_one_overrules_it() {
    told(&Wrapping(job(from(SENDER))), |span| {
        span.links_to(SENDER)
            .has_attribute("messaging.system", "shop_bus")
            .has_attribute("messaging.message.id", "7");
    });
}

// An enum: each variant for itself.

#[derive(Message, MessageMut)]
#[message(system = "shop_events", destination = TOPIC)]
enum Event {
    Placed(#[message(headers)] Traced<u8>, #[message(id)] u32),
    #[message(destination = "payments")]
    Paid {
        #[message(headers)]
        headers: Option<Headers>,
        amount: u32,
    },
    Returned {
        #[message(headers)]
        headers: Headers,
        #[message(destination, conversation_id)]
        counter: String,
    },
    #[message(no_context)]
    Ping,
    #[message(no_context)]
    Tick(#[message(attempt)] u64),
}

#[test]
fn each_variant_tells_its_own() {
    let placed = TraceContext::read_from(&from(SENDER));
    told(&Event::Placed(Traced::with_context(1, placed), 7), |span| {
        span.links_to(SENDER)
            .has_attribute("messaging.system", "shop_events")
            .has_attribute("messaging.destination.name", "orders")
            .has_attribute("messaging.message.id", "7");
    });
    let paid = Event::Paid { headers: Some(from(OTHER_SENDER)), amount: 1 };
    told(&paid, |span| {
        span.links_to(OTHER_SENDER)
            .has_attribute("messaging.destination.name", "payments")
            .has_no_attribute("messaging.message.id");
    });
    let returned = Event::Returned { headers: from(SENDER), counter: id("K-3") };
    told(&returned, |span| {
        span.links_to(SENDER)
            .has_attribute("messaging.destination.name", "K-3")
            .has_attribute("messaging.message.conversation_id", "K-3");
    });
    if let Event::Paid { amount, .. } = paid {
        assert_eq!(amount, 1);
    }
}

#[test]
fn a_variant_without_a_context_carries_none_and_takes_none() {
    for mut event in [Event::Ping, Event::Tick(3)] {
        told(&event, |span| {
            span.is_root()
                .has_no_links()
                .has_attribute("throughline.relation.reason", "no_context")
                .has_attribute("messaging.destination.name", "orders");
        });
        TraceContext::read_from(&from(SENDER)).write_to(&mut event);
        assert!(TraceContext::read_from(&event).is_empty());
    }
    told(&Event::Tick(3), |span| {
        span.has_attribute("throughline.message.attempt", 3);
    });
}

#[async_consumer(link)]
fn record(events: Vec<Event>) {
    drop(events);
}

#[test]
fn different_variants_make_a_batch() {
    in_both_worlds(|capture| {
        let events = || {
            let returned = Event::Returned { headers: from(SENDER), counter: id("K-3") };
            vec![
                returned,
                Event::Paid { headers: Some(from(OTHER_SENDER)), amount: 1 },
                Event::Ping,
            ]
        };
        let traces = capture.run_sync(|| record(events()));
        traces.span("record").is_root().has_links(2).links_to(SENDER).links_to(OTHER_SENDER);
    });
}

// A type that says for all its values that they carry none.

#[derive(Message)]
#[message(no_context, destination = self.describe_place())]
struct Tick {
    #[message(id, display)]
    at: Place,
}

struct Place(u8);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "place {}", self.0)
    }
}

impl Tick {
    fn describe_place(&self) -> String {
        format!("ticks.{}", self.at.0)
    }
}

#[test]
fn an_expression_of_the_type_sees_the_message() {
    told(&Tick { at: Place(3) }, |span| {
        span.has_no_links()
            .has_attribute("messaging.destination.name", "ticks.3")
            .has_attribute("messaging.message.id", "place 3");
    });
}

// What fields can be.

#[derive(Message)]
struct Fields<'a> {
    #[message(headers)]
    headers: &'a Headers,
    #[message(id)]
    id: Arc<str>,
    #[message(conversation_id)]
    conversation: Option<Cow<'a, str>>,
    #[message(system)]
    system: &'a str,
    #[message(destination, display)]
    destination: Option<Place>,
    #[message(body_size)]
    size: usize,
    #[message(sent_at_unix_ms)]
    sent: i64,
    #[message(attempt)]
    attempt: Option<Rc<i32>>,
}

#[test]
fn fields_can_be_borrowed_shared_optional_and_shown() {
    let headers = from(SENDER);
    let mut fields = Fields {
        headers: &headers,
        id: Arc::from("A-1"),
        conversation: Some(Cow::Borrowed("C-1")),
        system: "shop",
        destination: Some(Place(4)),
        size: 12,
        sent: 0,
        attempt: Some(Rc::new(5)),
    };
    told(&fields, |span| {
        let span = span
            .links_to(SENDER)
            .has_attribute("messaging.message.id", "A-1")
            .has_attribute("messaging.message.conversation_id", "C-1")
            .has_attribute("messaging.system", "shop")
            .has_attribute("messaging.destination.name", "place 4")
            .has_attribute("messaging.message.body.size", 12)
            .has_attribute("throughline.message.attempt", 5);
        let since_1970 = SystemTime::UNIX_EPOCH.elapsed().expect("it is later than that");
        let age = age_of(span).expect("an age");
        assert!((age - since_1970.as_secs_f64()).abs() < 60.0);
    });
    fields.destination = None;
    fields.sent = -1;
    fields.attempt = Some(Rc::new(-1));
    told(&fields, |span| {
        span.has_no_attribute("messaging.destination.name")
            .has_no_attribute("throughline.message.age")
            .has_no_attribute("throughline.message.attempt");
    });
}

/// As the time types of other crates are.
#[derive(Clone)]
struct Stamp(u64);

impl From<Stamp> for SystemTime {
    fn from(Stamp(seconds): Stamp) -> Self {
        Self::now() - Duration::from_secs(seconds)
    }
}

#[derive(Message)]
struct Stamped<B>(
    #[message(headers)] TraceContext,
    #[message(sent_at)] Stamp,
    #[message(body)] Option<B>,
);

#[test]
fn times_and_bodies_of_other_crates_are_understood() {
    let context = TraceContext::read_from(&from(SENDER));
    told(&Stamped(context.clone(), Stamp(601), Some("two lemons")), |span| {
        let span = span.links_to(SENDER).has_attribute("messaging.message.body.size", 10);
        assert!(age_of(span).is_some_and(|age| (601.0..660.0).contains(&age)));
    });
    told(&Stamped(context, Stamp(601), None::<Arc<[u8]>>), |span| {
        span.has_no_attribute("messaging.message.body.size");
    });
}

// Generics: a condition for each field that needs one, and for no other.

#[derive(Message, MessageMut)]
struct Generic<H, I: Clone, E>
where
    E: Copy,
{
    #[message(headers)]
    headers: H,
    #[message(id)]
    id: I,
    extra: E,
}

/// Tells nothing, carries nothing.
#[derive(Clone, Copy)]
struct Opaque;

#[test]
fn a_type_parameter_needs_only_what_its_field_is_marked_for() {
    let generic = Generic { headers: from(SENDER), id: 9_u8, extra: Opaque };
    let Opaque = generic.extra;
    told(&generic, |span| {
        span.links_to(SENDER).has_attribute("messaging.message.id", "9");
    });
}

#[derive(Message, MessageMut)]
enum Parametrised<'m, T, H, const N: usize> {
    Carried(#[message(headers)] &'m mut Vec<(String, H)>, #[message(sent_at)] Option<T>),
    Shown {
        #[message(headers)]
        r#type: Option<Traced<T>>,
        #[message(id, display)]
        r#match: Option<T>,
        #[message(body)]
        body: [u8; N],
    },
}

#[test]
fn lifetimes_constants_and_raw_names_are_understood() {
    let mut headers = from(SENDER);
    let mut carried: Parametrised<'_, _, _, 1> = Parametrised::Carried(&mut headers, Some(Time(1)));
    round_trips(&mut carried);
    told(&carried, |span| assert!(age_of(span).is_some()));
    let shown: Parametrised<'_, _, String, 4> = Parametrised::Shown {
        r#type: Some(Traced::new(Time(1))),
        r#match: Some(Time(2)),
        body: [0; 4],
    };
    told(&shown, |span| {
        span.has_attribute("messaging.message.id", "2")
            .has_attribute("messaging.message.body.size", 4);
    });
}

/// Both a time and something to be shown.
#[derive(Clone)]
struct Time(u64);

impl From<Time> for SystemTime {
    fn from(Time(seconds): Time) -> Self {
        Self::UNIX_EPOCH + Duration::from_secs(seconds)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Its own type is among its fields', by its name.
#[allow(clippy::use_self)]
#[derive(Message, MessageMut)]
enum Sent<M> {
    Once(#[message(headers)] M),
    Again(#[message(headers)] Box<Sent<M>>, #[message(attempt)] u8),
}

#[test]
fn a_message_can_hold_one_of_its_own_type() {
    let mut again = Sent::Again(Box::new(Sent::Once(job(Headers::new()))), 4);
    round_trips(&mut again);
    told(&again, |span| {
        span.has_attribute("messaging.message.id", "7")
            .has_attribute("throughline.message.attempt", 4);
    });
}

#[derive(Message)]
enum Nobody {}

#[test]
fn a_type_without_values_is_a_message_all_the_same() {
    assert!(TraceContext::read_from(&None::<Nobody>).is_empty());
}

// Conditional fields.

#[derive(Message, MessageMut)]
struct Conditional {
    #[cfg(any())]
    #[message(headers)]
    headers: NoSuchType,
    #[cfg(not(any()))]
    #[message(headers)]
    headers: Headers,
    #[cfg_attr(not(any()), message(id))]
    #[cfg_attr(any(), message(no_such_word))]
    id: u8,
}

#[derive(Message)]
struct ConditionalPlaces(
    #[cfg(any())]
    #[message(headers)]
    NoSuchType,
    #[message(headers)] Headers,
);

#[test]
fn fields_that_are_not_there_are_not_seen() {
    let mut message = Conditional { headers: Headers::new(), id: 3 };
    round_trips(&mut message);
    told(&message, |span| {
        span.has_attribute("messaging.message.id", "3");
    });
    assert_eq!(traceparent_of(&ConditionalPlaces(from(SENDER))).as_deref(), Some(SENDER));
}

// Only one of the two derived, the other written by hand.

#[derive(MessageMut)]
struct Prefixed<T> {
    #[message(headers)]
    headers: Headers,
    payload: T,
}

impl<T: fmt::Debug> Message for Prefixed<T> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        let _ = facts.id(format!("{:?}", self.payload));
    }
}

#[test]
fn writing_can_be_derived_alone() {
    let mut message = Prefixed { headers: Headers::new(), payload: 5 };
    round_trips(&mut message);
    told(&message, |span| {
        span.has_attribute("messaging.message.id", "5");
    });
}

// Whatever is in scope where the type is.

mod clashes {
    #![deny(unused_results)]

    use ::throughline::Message as Derived;

    #[allow(dead_code)]
    struct Some;
    #[allow(dead_code)]
    struct Option;
    #[allow(dead_code, non_camel_case_types)]
    struct u8;
    #[allow(dead_code, non_camel_case_types)]
    struct str;
    #[allow(dead_code, non_camel_case_types)]
    struct bool;
    #[allow(dead_code)]
    trait Message {}
    #[allow(dead_code)]
    mod throughline {}
    #[allow(dead_code)]
    mod std {}
    #[allow(dead_code, non_upper_case_globals)]
    const reader: u16 = 1;
    #[allow(dead_code, non_upper_case_globals)]
    const facts: u16 = 1;
    #[allow(dead_code, non_upper_case_globals)]
    const name: u16 = 1;
    #[allow(dead_code, non_upper_case_globals)]
    const told: u16 = 1;
    #[allow(dead_code, non_upper_case_globals)]
    const headers: u16 = 1;

    #[derive(Derived, ::throughline::MessageMut)]
    pub(super) struct Clash<B> {
        #[message(headers)]
        pub(super) headers: super::Headers,
        #[message(id)]
        pub(super) facts: u16,
        #[message(body)]
        pub(super) reader: B,
    }

    #[derive(Derived, ::throughline::MessageMut)]
    pub(super) enum Clashes {
        Of {
            #[message(headers)]
            headers: super::Headers,
            #[message(id)]
            facts: u16,
        },
    }
}

#[test]
fn names_in_scope_are_not_taken_for_ours() {
    round_trips(&mut clashes::Clash { headers: Headers::new(), facts: 1, reader: "" });
    round_trips(&mut clashes::Clashes::Of { headers: Headers::new(), facts: 1 });
}

// Fields and variants that nobody is to use any more are used by nobody.

#[derive(Message, MessageMut)]
#[deprecated]
struct Old {
    #[deprecated]
    #[message(headers)]
    headers: Headers,
}

#[derive(Message, MessageMut)]
enum Older {
    #[deprecated]
    #[message(no_context)]
    Gone,
    Here(#[message(headers)] Headers),
}

#[test]
#[allow(deprecated)]
fn deprecated_types_are_messages() {
    round_trips(&mut Old { headers: Headers::new() });
    let _ = Older::Gone;
    round_trips(&mut Older::Here(Headers::new()));
}

// Behind a macro of the user's.

macro_rules! message {
    ($name:ident, $headers:ident: $type:ty, $id:ident, $topic:expr) => {
        #[derive(Message, MessageMut)]
        #[message(destination = $topic)]
        struct $name {
            #[message(headers)]
            $headers: $type,
            #[message(id)]
            $id: &'static str,
            #[message(attempt)]
            attempt: u8,
        }
    };
}

message!(Declared, headers: Headers, id, concat!("orders", ".", "eu"));

#[test]
fn a_macro_can_declare_the_type() {
    let mut message = Declared { headers: Headers::new(), id: "1", attempt: 2 };
    round_trips(&mut message);
    told(&message, |span| {
        span.has_attribute("messaging.destination.name", "orders.eu")
            .has_attribute("messaging.message.id", "1")
            .has_attribute("throughline.message.attempt", 2);
    });
}

// What the clients of Kafka and RabbitMQ know besides.

#[derive(Message)]
#[message(system = "kafka", varying_destination = "orders.4711", consumer_group = "billing")]
struct Delivered {
    #[message(headers)]
    headers: Headers,
    #[message(partition)]
    partition: i32,
    #[message(subscription)]
    subscription: &'static str,
    #[message(client_id)]
    client: Option<&'static str>,
    #[message(envelope_size)]
    size: u64,
    #[message(kafka_key)]
    key: Option<&'static str>,
    #[message(kafka_offset)]
    offset: i64,
    #[message(rabbitmq_routing_key)]
    routing_key: &'static str,
    #[message(rabbitmq_delivery_tag)]
    tag: u64,
}

#[test]
fn what_only_some_systems_know_is_told_as_well() {
    let delivered = Delivered {
        headers: from(SENDER),
        partition: 3,
        subscription: "all-orders",
        client: Some("billing-1"),
        size: 99,
        key: None,
        offset: 42,
        routing_key: "orders.eu",
        tag: 5,
    };
    told(&delivered, |span| {
        assert_eq!(span.name(), "handler");
        span.has_attribute("messaging.destination.name", "orders.4711")
            .has_attribute("messaging.consumer.group.name", "billing")
            .has_attribute("messaging.destination.partition.id", "3")
            .has_attribute("messaging.destination.subscription.name", "all-orders")
            .has_attribute("messaging.client.id", "billing-1")
            .has_attribute("messaging.message.envelope.size", 99)
            .has_no_attribute("messaging.kafka.message.key")
            .has_attribute("messaging.kafka.offset", 42)
            .has_attribute("messaging.rabbitmq.destination.routing_key", "orders.eu")
            .has_attribute("messaging.rabbitmq.message.delivery_tag", 5);
    });
}
