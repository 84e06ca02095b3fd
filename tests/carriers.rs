//! A context that is written into a message is read back from it whole, whatever the message is,
//! and headers are read and written by the design's rules on names, repeats and bytes.
//!
//! No propagator is set in this program, so the headers are W3C's, by throughline's own reader and
//! writer.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use opentelemetry::Context;
use opentelemetry::baggage::{BaggageExt, KeyValueMetadata};
use throughline::{HeaderReader, Message, MessageMut, Repeats, TraceContext, Traced};

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const STATE: &str = "vendor=opaque,other=1";
const BAGGAGE: &str = "tenant=acme%2C%20inc%3B;region=eu";

type Pairs = Vec<(String, String)>;

fn context() -> TraceContext {
    let headers = [("traceparent", SENT), ("tracestate", STATE), ("baggage", BAGGAGE)];
    let context = TraceContext::read_from(&headers);
    assert_eq!(context.traceparent().as_deref(), Some(SENT));
    context
}

fn bare_context() -> TraceContext {
    TraceContext::read_from(&[("traceparent", SENT)])
}

fn traceparent_of<M: Message + ?Sized>(message: &M) -> Option<String> {
    TraceContext::read_from(message).traceparent()
}

/// The headers that a context is written as.
fn headers_of(context: &TraceContext) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    context.write_to(&mut headers);
    headers
}

fn tracestate_of<M: Message + ?Sized>(message: &M) -> Option<String> {
    headers_of(&TraceContext::read_from(message)).remove("tracestate")
}

fn baggage_of<M: Message + ?Sized>(message: &M) -> BTreeMap<String, String> {
    let written = headers_of(&TraceContext::read_from(message)).remove("baggage");
    let members = written.iter().flat_map(|baggage| baggage.split(','));
    members
        .filter_map(|member| member.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[track_caller]
fn holds<M: Message + ?Sized>(message: &M) {
    let read = TraceContext::read_from(message);
    assert_eq!(read, context());
    let headers = headers_of(&read);
    assert_eq!(headers.get("traceparent").map(String::as_str), Some(SENT));
    assert_eq!(headers.get("tracestate").map(String::as_str), Some(STATE));
    assert_eq!(headers.get("baggage").map(String::as_str), Some(BAGGAGE));
}

/// Whole, and whole again over what was there before, and gone without a trace.
#[track_caller]
fn round_trips<M: MessageMut + ?Sized>(message: &mut M) {
    context().write_to(message);
    holds(message);
    bare_context().write_to(message);
    assert_eq!(TraceContext::read_from(message), bare_context());
    TraceContext::default().write_to(message);
    assert!(TraceContext::read_from(message).is_empty());
    context().write_to(message);
    holds(message);
}

#[test]
fn a_traced_payload_round_trips() {
    let mut message = Traced::with_context("two lemons", TraceContext::default());
    round_trips(&mut message);
    assert_eq!(*message, "two lemons");
    holds(&message.map(str::len));
}

#[test]
fn a_trace_context_round_trips() {
    round_trips(&mut TraceContext::default());
    holds(&context());
}

#[test]
fn maps_round_trip() {
    round_trips(&mut HashMap::<String, String>::new());
    round_trips(&mut HashMap::<String, Vec<u8>>::new());
    round_trips(&mut HashMap::<Box<str>, String>::new());
    round_trips(&mut BTreeMap::<String, String>::new());
    round_trips(&mut BTreeMap::<String, Vec<u8>>::new());
}

#[test]
fn vectors_of_pairs_round_trip() {
    round_trips(&mut Pairs::new());
    round_trips(&mut Vec::<(String, Vec<u8>)>::new());
}

#[test]
fn pairs_are_read_whatever_holds_them() {
    let array = [("traceparent", SENT), ("tracestate", STATE), ("baggage", BAGGAGE)];
    holds(&array);
    holds(array.as_slice());
    holds(&array.to_vec());
    holds(&array.map(|(name, value)| (name.to_owned(), value.to_owned())));
    holds(&array.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())));
    holds(&array.map(|(name, value)| (name, value.as_bytes())).to_vec());
    holds(&HashMap::from(array));
    holds(&BTreeMap::from(array));
}

#[test]
fn http_headers_round_trip() {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("text/plain"));
    round_trips(&mut headers);
    assert_eq!(headers.len(), 4);
    assert_eq!(headers["content-type"], "text/plain");
}

#[test]
fn http_requests_and_responses_round_trip_whatever_their_body() {
    let mut request = Request::new(7);
    round_trips(&mut request);
    assert_eq!((request.headers().len(), *request.body()), (3, 7));
    let mut response = Response::new("seven");
    round_trips(&mut response);
    assert_eq!((response.headers().len(), *response.body()), (3, "seven"));
}

#[test]
fn http_headers_with_no_room_left_are_left_as_they_are() {
    let mut full = HeaderMap::new();
    for number in 0.. {
        let name = HeaderName::try_from(format!("x-{number}")).expect("a name");
        if full.try_insert(name, HeaderValue::from_static("1")).is_err() {
            break;
        }
    }
    let all = full.len();
    context().write_to(&mut full);
    assert_eq!(full.len(), all);
    assert!(TraceContext::read_from(&full).is_empty());
}

#[test]
fn pointers_to_a_message_are_messages() {
    let mut headers = Pairs::new();
    round_trips(&mut &mut headers);
    holds(&&headers);
    holds(&&mut headers);
    round_trips(&mut Box::new(Pairs::new()));
    holds(&Rc::new(headers.clone()));
    holds(&Arc::new(headers.clone()));
    holds(&Box::new(Rc::new(Arc::new(&headers))));
    holds::<Rc<dyn Message>>(&(Rc::new(headers.clone()) as Rc<dyn Message>));
    round_trips(&mut Box::new(Traced::with_context(1, TraceContext::default())));
}

#[test]
fn an_optional_message_round_trips_and_a_missing_one_holds_nothing() {
    round_trips(&mut Some(Pairs::new()));
    round_trips(&mut Some(Traced::with_context(1, TraceContext::default())));
    let mut missing = None::<Pairs>;
    context().write_to(&mut missing);
    assert_eq!(missing, None);
    assert!(TraceContext::read_from(&missing).is_empty());
    assert!(TraceContext::read_from(&None::<TraceContext>).is_empty());
}

/// A message as a broker's client has it: some headers in fields of their own, the rest in a list.
#[derive(Default)]
struct Delivery {
    traceparent: Option<[u8; 55]>,
    others: Vec<(String, Vec<u8>)>,
}

impl Message for Delivery {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        if let Some(traceparent) = &self.traceparent {
            reader.header("traceparent", traceparent.as_slice());
        }
        for (name, value) in &self.others {
            // Owned on purpose: a client may have to build what it hands out.
            reader.header_named(name.clone(), value.clone());
        }
    }
}

impl MessageMut for Delivery {
    fn set_header(&mut self, name: &str, value: &str) {
        assert_eq!(name, name.to_ascii_lowercase());
        assert_ne!(value, "", "an empty value is never written");
        if name == "traceparent" {
            self.traceparent = value.as_bytes().try_into().ok();
        } else {
            self.remove_header(name);
            self.others.push((name.to_owned(), value.as_bytes().to_vec()));
        }
    }

    fn remove_header(&mut self, name: &str) {
        if name == "traceparent" {
            self.traceparent = None;
        }
        self.others.retain(|(known, _)| known != name);
    }
}

#[test]
fn a_message_of_ones_own_round_trips_with_owned_and_typed_headers() {
    let mut delivery = Delivery::default();
    round_trips(&mut delivery);
    assert_eq!(delivery.traceparent.as_ref().map(<[u8; 55]>::as_slice), Some(SENT.as_bytes()));
}

#[test]
fn any_message_can_stand_behind_dyn() {
    let mut delivery = Delivery::default();
    let writable: &mut dyn MessageMut = &mut delivery;
    round_trips(writable);
    let readable: &dyn Message = &delivery;
    holds(readable);
    let mut boxed: Box<dyn MessageMut> = Box::new(Traced::with_context(1, TraceContext::default()));
    round_trips(&mut boxed);
    let several: Vec<Box<dyn Message>> = vec![Box::new(delivery), Box::new(context())];
    several.iter().for_each(holds);
}

#[test]
fn names_are_matched_without_regard_to_case() {
    let headers =
        [("TraceParent", SENT), ("TRACESTATE", STATE), ("Baggage", BAGGAGE), ("X-Other", "1")];
    holds(&headers);
    holds(&HashMap::from(headers));
    holds(&BTreeMap::from(headers));
}

#[test]
fn a_name_in_its_own_casing_goes_before_any_other() {
    assert_eq!(
        traceparent_of(&[("Traceparent", OTHER), ("traceparent", SENT), ("TRACEPARENT", OTHER)]),
        Some(SENT.to_owned())
    );
    assert_eq!(
        tracestate_of(&[("traceparent", SENT), ("Tracestate", "a=1"), ("tracestate", "b=2")]),
        Some("b=2".to_owned())
    );
}

#[test]
fn different_values_under_different_casings_are_none_and_equal_ones_one() {
    assert_eq!(traceparent_of(&[("Traceparent", SENT), ("TRACEPARENT", OTHER)]), None);
    assert_eq!(
        traceparent_of(&[("Traceparent", SENT), ("TRACEPARENT", SENT)]),
        Some(SENT.to_owned())
    );
}

#[test]
fn names_are_written_in_lower_case_in_place_of_every_casing() {
    fn all_casings<C: FromIterator<(String, String)>>() -> C {
        ["Traceparent", "TRACEPARENT", "traceparent", "TraceState", "BAGGAGE", "Other"]
            .into_iter()
            .map(|name| (name.to_owned(), "old".to_owned()))
            .collect()
    }
    let expected: BTreeMap<_, _> =
        [("Other", "old"), ("traceparent", SENT), ("tracestate", STATE), ("baggage", BAGGAGE)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();

    let mut hashed: HashMap<_, _> = all_casings();
    context().write_to(&mut hashed);
    assert_eq!(hashed.into_iter().collect::<BTreeMap<_, _>>(), expected);
    let mut ordered: BTreeMap<_, _> = all_casings();
    context().write_to(&mut ordered);
    assert_eq!(ordered, expected);
    let mut listed: Pairs = all_casings();
    context().write_to(&mut listed);
    assert_eq!(listed.len(), expected.len());
    assert_eq!(listed.into_iter().collect::<BTreeMap<_, _>>(), expected);
}

#[test]
fn writing_replaces_so_that_no_stale_state_or_baggage_stays() {
    let mut headers = BTreeMap::from([
        ("traceparent".to_owned(), OTHER.to_owned()),
        ("Tracestate".to_owned(), "stale=1".to_owned()),
        ("Baggage".to_owned(), "stale=1".to_owned()),
        ("other".to_owned(), "kept".to_owned()),
    ]);
    bare_context().write_to(&mut headers);
    assert_eq!(
        headers,
        BTreeMap::from([
            ("traceparent".to_owned(), SENT.to_owned()),
            ("other".to_owned(), "kept".to_owned()),
        ])
    );
    TraceContext::default().write_to(&mut headers);
    assert_eq!(headers, BTreeMap::from([("other".to_owned(), "kept".to_owned())]));
}

#[test]
fn writing_replaces_a_header_that_is_there_several_times() {
    let mut listed = vec![
        ("traceparent".to_owned(), OTHER.to_owned()),
        ("traceparent".to_owned(), SENT.to_owned()),
        ("tracestate".to_owned(), "stale=1".to_owned()),
        ("tracestate".to_owned(), "stale=2".to_owned()),
    ];
    bare_context().write_to(&mut listed);
    assert_eq!(listed, [("traceparent".to_owned(), SENT.to_owned())]);

    let mut http = HeaderMap::new();
    for (name, value) in
        [("traceparent", OTHER), ("traceparent", SENT), ("baggage", "a=1"), ("baggage", "b=2")]
    {
        http.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    bare_context().write_to(&mut http);
    assert_eq!(http.get_all("traceparent").iter().count(), 1);
    assert_eq!(traceparent_of(&http), Some(SENT.to_owned()));
    assert!(!http.contains_key("baggage"));
}

#[test]
fn an_empty_value_is_never_written() {
    // `Delivery` refuses one; the state of this context is empty.
    let mut delivery = Delivery::default();
    bare_context().write_to(&mut delivery);
    assert!(delivery.traceparent.is_some());
    assert!(delivery.others.is_empty());
    assert_eq!(headers_of(&bare_context()).keys().collect::<Vec<_>>(), ["traceparent"]);
    assert!(headers_of(&TraceContext::default()).is_empty());
}

#[test]
fn baggage_without_a_span_is_a_context_of_its_own() {
    let context = TraceContext::read_from(&[("baggage", BAGGAGE)]);
    assert!(!context.is_empty());
    assert_eq!(context.traceparent(), None);
    let expected = BTreeMap::from([("baggage".to_owned(), BAGGAGE.to_owned())]);
    assert_eq!(headers_of(&context), expected);
}

#[test]
fn baggage_of_any_text_survives() {
    for value in
        ["acme, inc.", "50% off", "100%25", "a=b;c", "grüße", "\"quoted\" \\", "%41", "a+b"]
    {
        let baggage = [KeyValueMetadata::new("note", value, "priority=1;hidden")];
        let attached = Context::new().with_baggage(baggage).attach();
        let mut headers = Pairs::new();
        TraceContext::current().write_to(&mut headers);
        drop(attached);
        assert!(headers[0].1.is_ascii(), "{headers:?}");

        let read = TraceContext::read_from(&headers);
        let message = Traced::with_context((), read);
        throughline::consume("look").link().run_sync(&message, || {
            let current = Context::current();
            let (found, metadata) =
                current.baggage().get_with_metadata("note").expect("the entry is there");
            assert_eq!(found.as_str(), value);
            assert_eq!(metadata.as_str(), "priority=1;hidden");
        });
    }
}

#[test]
fn baggage_that_cannot_be_read_in_part_keeps_the_rest() {
    let read =
        baggage_of(&[("baggage", "good=1,, nothing ,odd=%FF,b\"d=1,=empty, spaced = 2 ,zero=")]);
    assert_eq!(read.get("good").map(String::as_str), Some("1"));
    assert_eq!(read.get("spaced").map(String::as_str), Some("2"));
    assert_eq!(read.get("zero").map(String::as_str), Some(""));
    // W3C Baggage, "value": what is no UTF-8 is replaced by U+FFFD.
    assert_eq!(read.get("odd").map(String::as_str), Some("%EF%BF%BD"));
    assert_eq!(read.len(), 4, "{read:?}");
}

#[test]
fn repeated_tracestate_and_baggage_are_joined() {
    let headers = [
        ("tracestate", "a=1"),
        ("traceparent", SENT),
        ("tracestate", "b=2, c=3"),
        ("baggage", "x=1"),
        ("tracestate", ""),
        ("baggage", "y=2"),
    ];
    assert_eq!(tracestate_of(&headers), Some("a=1,b=2,c=3".to_owned()));
    let baggage = baggage_of(&headers);
    assert_eq!(baggage.len(), 2);
    assert_eq!((baggage["x"].as_str(), baggage["y"].as_str()), ("1", "2"));
}

#[test]
fn repeated_headers_of_http_follow_the_same_rules() {
    let mut headers = HeaderMap::new();
    for (name, value) in
        [("traceparent", SENT), ("tracestate", "a=1"), ("traceparent", SENT), ("tracestate", "b=2")]
    {
        headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    assert_eq!(traceparent_of(&headers), Some(SENT.to_owned()));
    assert_eq!(tracestate_of(&headers), Some("a=1,b=2".to_owned()));
    headers.append("traceparent", HeaderValue::from_static(OTHER));
    assert_eq!(traceparent_of(&headers), None);
}

#[test]
fn identical_traceparents_count_once_and_different_ones_as_none() {
    let twice = [("traceparent", SENT), ("traceparent", SENT)];
    assert_eq!(traceparent_of(&twice), Some(SENT.to_owned()));
    assert_eq!(traceparent_of(&[("traceparent", SENT), ("traceparent", OTHER)]), None);
    assert_eq!(traceparent_of(&[("traceparent", SENT), ("traceparent", "")]), None);
    // A third one like the first does not bring the first back.
    let thrice = [("traceparent", SENT), ("traceparent", OTHER), ("traceparent", SENT)];
    assert_eq!(traceparent_of(&thrice), None);
}

struct Record(Vec<(&'static str, &'static [u8])>);

impl Message for Record {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        for (name, value) in &self.0 {
            reader.header(name, *value);
        }
        // After the headers: the order of the two makes no difference.
        reader.repeats(Repeats::LastCounts);
    }
}

#[test]
fn a_protocol_can_say_that_the_last_header_counts() {
    let record = Record(vec![
        ("traceparent", OTHER.as_bytes()),
        ("tracestate", b"a=1"),
        ("traceparent", SENT.as_bytes()),
        ("tracestate", b"b=2"),
    ]);
    assert_eq!(traceparent_of(&record), Some(SENT.to_owned()));
    assert_eq!(tracestate_of(&record), Some("b=2".to_owned()));
    let casings = Record(vec![("TRACEPARENT", OTHER.as_bytes()), ("Traceparent", SENT.as_bytes())]);
    assert_eq!(traceparent_of(&casings), Some(SENT.to_owned()));
}

#[test]
fn bytes_that_are_not_utf_8_count_as_none() {
    let broken: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\xff";
    assert_eq!(traceparent_of(&[("traceparent", broken)]), None);
    assert_eq!(traceparent_of(&HashMap::from([("traceparent", broken)])), None);
    let kept = [("traceparent", SENT.as_bytes()), ("tracestate", broken), ("baggage", broken)];
    assert_eq!(TraceContext::read_from(&kept), bare_context());
    assert_eq!(
        tracestate_of(&[
            ("traceparent", SENT.as_bytes()),
            ("tracestate", b"a=1"),
            ("tracestate", broken)
        ]),
        Some("a=1".to_owned())
    );
    let mut http = HeaderMap::new();
    http.insert("traceparent", HeaderValue::from_bytes(b"\xff\xfe").expect("opaque bytes"));
    assert_eq!(traceparent_of(&http), None);
}

#[test]
fn a_last_header_that_is_not_utf_8_counts_as_none_where_the_last_counts() {
    let record = Record(vec![("traceparent", SENT.as_bytes()), ("traceparent", b"\xff")]);
    assert_eq!(traceparent_of(&record), None);
}

#[test]
fn a_state_that_cannot_be_read_costs_the_state_and_not_the_context() {
    let headers = [("traceparent", SENT), ("tracestate", "no equals sign")];
    assert_eq!(TraceContext::read_from(&headers), bare_context());
}

/// A message of a protocol that allows so many headers and no more.
#[derive(Debug, Clone, Message, MessageMut)]
struct Narrow {
    #[message(headers)]
    headers: AtMost,
}

#[derive(Debug, Clone)]
struct AtMost {
    count: usize,
    headers: BTreeMap<String, String>,
}

impl Message for AtMost {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.headers.headers(reader);
    }
}

impl MessageMut for AtMost {
    fn set_header(&mut self, name: &str, value: &str) {
        self.headers.set_header(name, value);
        assert!(self.headers.len() <= self.count, "{self:?}");
    }

    fn remove_header(&mut self, name: &str) {
        self.headers.remove_header(name);
    }

    fn can_set_header(&self, _: &str, _: &str) -> bool {
        self.headers.len() < self.count
    }
}

#[test]
fn what_a_message_has_no_room_for_is_left_out_by_its_worth() {
    let order = ["traceparent", "throughline-break", "tracestate", "baggage", "throughline-sent"];
    let own = [("baggage".to_owned(), "old=1".to_owned()), ("tenant".to_owned(), "a".to_owned())];
    for room in 0..=order.len() {
        let headers = AtMost { count: room + 1, headers: BTreeMap::from(own.clone()) };
        let mut message = [Some(Box::new(Narrow { headers }))];
        let [narrow] = &mut message;
        let span = throughline::produce("schedule")
            .existing(throughline::Existing::Replace)
            .new_trace(true);
        let mut parent = throughline::consume("handle").continue_().start(&context());
        parent.run_sync(|| span.run_sync(narrow, |_| ()));
        parent.finish(throughline::Outcome::ok());

        let [Some(narrow)] = message else { unreachable!() };
        let mut expected: Vec<&str> = order[..room].to_vec();
        expected.push("tenant");
        expected.sort_unstable();
        assert!(narrow.headers.headers.keys().eq(expected), "{room}: {narrow:?}");
        assert_ne!(narrow.headers.headers.get("baggage").map(String::as_str), Some("old=1"));
    }
}
