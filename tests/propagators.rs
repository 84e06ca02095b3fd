//! An application that has set a propagator of its own is read and written by that one alone, and
//! what it puts into the context stays there.
//!
//! The propagator is one for the process, so each test holds [`in_use`] while it runs.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use opentelemetry::baggage::BaggageExt;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{
    Extractor, Injector, TextMapCompositePropagator, TextMapPropagator,
};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry::{Context, KeyValue, global};
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};
use throughline::propagation::W3c;
use throughline::testing::{Capture, Traces};
use throughline::{HeaderReader, Message, MessageMut, TraceContext, Traced};

const SENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const OTHER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const B3: &str = "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1";
const OTHER_B3: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1";
const UBER: &str = "0af7651916cd43dd8448eb211c80319c:b7ad6b7169203331:0:1";

/// Makes `propagator` the application's, until the guard is dropped.
fn in_use(propagator: impl TextMapPropagator + Send + Sync + 'static) -> MutexGuard<'static, ()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    global::set_text_map_propagator(propagator);
    guard
}

fn span_context(trace: &str, span: &str, sampled: bool) -> Option<SpanContext> {
    let trace = TraceId::from_hex(trace).ok()?;
    let span = SpanId::from_hex(span).ok()?;
    let flags = TraceFlags::default().with_sampled(sampled);
    Some(SpanContext::new(trace, span, flags, true, TraceState::NONE))
}

/// What only this propagator knows.
#[derive(Debug, PartialEq)]
struct DebugFlag(String);

/// The single header of B3, and a flag that has no place in a span context.
#[derive(Debug)]
struct B3Propagator([String; 2]);

impl B3Propagator {
    fn new() -> Self {
        Self(["b3".to_owned(), "X-Debug".to_owned()])
    }
}

impl TextMapPropagator for B3Propagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span = span.span_context();
        if span.is_valid() {
            let sampled = u8::from(span.is_sampled());
            injector.set("b3", format!("{}-{}-{sampled}", span.trace_id(), span.span_id()));
        }
        let debug = context.get::<DebugFlag>().map_or("", |flag| flag.0.as_str());
        injector.set("X-Debug", debug.to_owned());
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let mut context = context.clone();
        let parts: Vec<_> = extractor.get("b3").unwrap_or_default().split('-').collect();
        if let [trace, span, sampled] = parts[..] {
            if let Some(origin) = span_context(trace, span, sampled == "1") {
                context = context.with_remote_span_context(origin);
            }
        }
        match extractor.get("X-Debug") {
            Some(debug) => context.with_value(DebugFlag(debug.to_owned())),
            None => context,
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.0)
    }
}

/// As Jaeger's: baggage stands in headers whose names begin with `uberctx-`, so that the names that
/// are there have to be looked through.
#[derive(Debug)]
struct JaegerPropagator([String; 1]);

impl JaegerPropagator {
    fn new() -> Self {
        Self(["uber-trace-id".to_owned()])
    }
}

impl TextMapPropagator for JaegerPropagator {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        let span = context.span();
        let span = span.span_context();
        if span.is_valid() {
            let flags = span.trace_flags().to_u8();
            let (trace, span) = (span.trace_id(), span.span_id());
            injector.set("uber-trace-id", format!("{trace}:{span}:0:{flags}"));
        }
        for (key, (value, _)) in context.baggage() {
            injector.set(&format!("uberctx-{key}"), value.to_string());
        }
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let id = extractor.get("uber-trace-id").unwrap_or_default();
        let parts: Vec<_> = id.split(':').collect();
        let origin = match parts[..] {
            [trace, span, _, flags] => span_context(trace, span, flags == "1"),
            _ => None,
        };
        let baggage = extractor.keys().into_iter().filter_map(|name| {
            let key = name.strip_prefix("uberctx-")?;
            Some(KeyValue::new(key.to_owned(), extractor.get(name)?.to_owned()))
        });
        let context = context.with_baggage(baggage.collect::<Vec<_>>());
        match origin {
            Some(origin) => context.with_remote_span_context(origin),
            None => context,
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(&self.0)
    }
}

fn in_both_worlds(body: impl Fn(), check: impl Fn(&Traces)) {
    for capture in [Capture::new(), Capture::new().without_tracing()] {
        check(&capture.run_sync(&body));
    }
}

fn written(context: &TraceContext) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    context.write_to(&mut headers);
    headers
}

fn owned(headers: &[(&str, &str)]) -> BTreeMap<String, String> {
    headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn the_applications_propagator_reads_in_place_of_ours() {
    let _in_use = in_use(B3Propagator::new());
    let context = TraceContext::read_from(&[("traceparent", OTHER), ("b3", B3)]);
    assert_eq!(context.traceparent().as_deref(), Some(SENT));
    assert!(TraceContext::read_from(&[("traceparent", SENT)]).is_empty());
    assert_eq!(TraceContext::read_from(&[("B3", B3)]), context);
    assert_eq!(TraceContext::read_from(&HashMap::from([("b3", B3.as_bytes())])), context);
}

#[test]
fn the_applications_propagator_writes_in_place_of_ours_in_lower_case() {
    let _in_use = in_use(B3Propagator::new());
    let context = TraceContext::read_from(&[("b3", B3), ("x-debug", "on")]);
    assert_eq!(written(&context), owned(&[("b3", B3), ("x-debug", "on")]));

    let mut headers = owned(&[("B3", "old"), ("X-Debug", "old"), ("x-debug", "older")]);
    TraceContext::read_from(&[("b3", B3)]).write_to(&mut headers);
    assert_eq!(headers, owned(&[("b3", B3)]), "what is stale or empty is not there");
}

#[test]
fn repeated_headers_of_any_propagator_count_once_or_as_none() {
    let _in_use = in_use(B3Propagator::new());
    let traceparent = |headers: &[(&str, &str)]| TraceContext::read_from(headers).traceparent();
    assert_eq!(traceparent(&[("b3", B3), ("b3", B3)]).as_deref(), Some(SENT));
    assert_eq!(traceparent(&[("b3", B3), ("b3", OTHER_B3)]), None);
    assert_eq!(traceparent(&[("B3", OTHER_B3), ("b3", B3)]).as_deref(), Some(SENT));
}

#[test]
fn a_message_without_headers_is_not_taken_for_the_ambient_spans() {
    let _in_use = in_use(B3Propagator::new());
    let ambient = TraceContext::read_from(&[("b3", B3)]);
    throughline::consume("outer").continue_().run_sync(&ambient, || {
        assert!(!TraceContext::current().is_empty());
        assert!(TraceContext::read_from(&[("content-type", "text/plain")]).is_empty());
    });
}

#[test]
fn handlers_and_producers_use_the_applications_propagator() {
    let _in_use = in_use(B3Propagator::new());
    in_both_worlds(
        || {
            throughline::consume("handle").continue_().run_sync(&[("b3", B3)], || {
                let mut sent = owned(&[("b3", B3)]);
                throughline::produce("send").run_sync(&mut sent, |_| ());
                let own = TraceContext::read_from(&sent).traceparent();
                assert!(own.is_some_and(|own| own != SENT && own[..36] == SENT[..36]));
                let mut names: Vec<_> = sent.keys().collect();
                names.sort();
                assert_eq!(names, ["b3", "throughline-sent"]);
            });
        },
        |traces| {
            traces.span("handle").continues(SENT);
            traces.span("send").is_child_of("handle").is_kind("producer");
        },
    );
}

#[test]
fn a_header_of_the_applications_propagator_that_cannot_be_read_is_told() {
    let _in_use = in_use(B3Propagator::new());
    in_both_worlds(
        || throughline::consume("handle").continue_().run_sync(&[("b3", "nonsense")], || ()),
        |traces| {
            traces
                .span("handle")
                .is_root()
                .has_attribute("throughline.relation.reason", "unreadable");
        },
    );
}

#[test]
fn what_a_propagator_keeps_in_the_context_survives_in_memory() {
    let _in_use = in_use(B3Propagator::new());
    let headers = [("b3", B3), ("x-debug", "on")];
    let kept = Traced::with_context(7, TraceContext::read_from(&headers));
    let mut copy = Traced::with_context(8, TraceContext::default());
    kept.context().clone().write_to(&mut copy);
    assert_eq!(written(copy.context()), owned(&headers));

    in_both_worlds(
        || {
            throughline::consume("handle").continue_().run_sync(&copy, || {
                assert_eq!(
                    Context::current().get::<DebugFlag>(),
                    Some(&DebugFlag("on".to_owned()))
                );
                assert_eq!(written(&TraceContext::current())["x-debug"], "on");
                assert_eq!(written(Traced::new(9).context())["x-debug"], "on");
            });
        },
        |traces| {
            traces.span("handle").continues(SENT);
        },
    );
}

#[test]
fn a_propagator_can_look_through_the_names_that_are_there() {
    let _in_use = in_use(JaegerPropagator::new());
    let headers = [("uber-trace-id", UBER), ("uberctx-tenant", "acme"), ("other", "1")];
    let context = TraceContext::read_from(&headers);
    assert_eq!(context.traceparent().as_deref(), Some(SENT));
    assert_eq!(written(&context), owned(&headers[..2]));
    assert_eq!(TraceContext::read_from(&HashMap::from(headers)), context);
}

#[test]
fn the_sdks_own_propagators_together_read_and_write_all_three_headers() {
    let _in_use = in_use(TextMapCompositePropagator::new(vec![
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ]));
    let headers = [("traceparent", SENT), ("tracestate", "a=1"), ("baggage", "tenant=acme%2C")];
    let context = TraceContext::read_from(&headers);
    assert_eq!(context.traceparent().as_deref(), Some(SENT));
    assert_eq!(written(&context), owned(&headers));

    let mut stale = owned(&headers);
    TraceContext::read_from(&[("traceparent", OTHER)]).write_to(&mut stale);
    assert_eq!(stale, owned(&[("traceparent", OTHER)]), "an empty tracestate is not written");
}

#[test]
fn the_sdks_propagator_alone_leaves_baggage_to_others() {
    let _in_use = in_use(TraceContextPropagator::new());
    let headers = [("traceparent", SENT), ("baggage", "tenant=acme")];
    let context = TraceContext::read_from(&headers);
    assert_eq!(written(&context), owned(&headers[..1]));

    let mut message = owned(&headers);
    context.write_to(&mut message);
    assert_eq!(message, owned(&headers), "a header that is not the propagator's is not touched");
}

#[test]
fn a_propagator_without_fields_counts_as_none_set() {
    let _in_use = in_use(TextMapCompositePropagator::new(Vec::new()));
    let context = TraceContext::read_from(&[("traceparent", SENT)]);
    assert_eq!(written(&context), owned(&[("traceparent", SENT)]));
}

#[test]
fn headers_are_captured_whichever_propagator_reads() {
    let _in_use = in_use(B3Propagator::new());
    in_both_worlds(
        || {
            let headers = [("b3", B3), ("tenant", "acme")];
            let consume = throughline::consume("handle").continue_().capture_headers(&["tenant"]);
            consume.run_sync(&headers, || ());
        },
        |traces| {
            let span = traces.span("handle").continues(SENT);
            assert!(span.attribute("throughline.message.header.tenant").is_some(), "{traces}");
        },
    );
}

/// Takes one header and no more.
#[derive(Debug, Default, PartialEq)]
struct One(BTreeMap<String, String>);

impl Message for One {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        self.0.headers(reader);
    }
}

impl MessageMut for One {
    fn set_header(&mut self, name: &str, value: &str) {
        self.0.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        self.0.remove_header(name);
    }

    fn can_set_header(&self, _: &str, _: &str) -> bool {
        self.0.is_empty()
    }
}

#[test]
fn where_there_is_no_room_for_all_a_context_is_never_written_in_part() {
    let written = |headers: &[(&str, &str)]| {
        let mut message = One::default();
        TraceContext::read_from(headers).write_to(&mut message);
        message
    };
    {
        let _in_use = in_use(B3Propagator::new());
        assert_eq!(written(&[("b3", B3)]), One(owned(&[("b3", B3)])));
        assert_eq!(written(&[("b3", B3), ("x-debug", "on")]), One::default());
    }
    let _in_use = in_use(JaegerPropagator::new());
    let headers = [("uberctx-tenant", "acme"), ("uber-trace-id", UBER)];
    assert_eq!(written(&headers), One(owned(&headers[1..])), "baggage is not what names the span");
}

#[test]
fn what_the_sending_side_notes_is_read_whichever_propagator_reads() {
    let _in_use = in_use(B3Propagator::new());
    in_both_worlds(
        || {
            let continued = |name, note: (&str, &str)| {
                throughline::consume(name).continue_().run_sync(&[("b3", B3), note], || ());
            };
            continued("broken", ("throughline-break", "1"));
            continued("again", ("throughline-attempt", OTHER));
            continued("again in capitals", ("THROUGHLINE-ATTEMPT", OTHER));
            continued("sent", ("throughline-sent", "1"));
        },
        |traces| {
            let broken = traces.span("broken").is_root().links_to(SENT);
            broken.has_attribute("throughline.relation.reason", "sender");
            for again in ["again", "again in capitals"] {
                traces.span(again).continues(SENT).has_link_attribute(
                    OTHER,
                    "throughline.link.role",
                    "attempt",
                );
            }
            let sent = traces.span("sent").continues(SENT);
            assert!(sent.attribute("throughline.message.age").is_some(), "{traces}");
        },
    );
}

#[test]
fn headers_of_any_propagator_are_found_in_whatever_casing_and_place() {
    let _in_use = in_use(B3Propagator::new());
    let written = |headers: &[(&str, &str)]| written(&TraceContext::read_from(headers));
    // Of several casings none is nearer than another.
    let casings = [("b3", B3), ("x-debug", "on"), ("X-DEBUG", "off")];
    assert_eq!(written(&casings), owned(&casings[..1]));
    // What comes after a repeated header is there as well.
    let repeated = [("own", "1"), ("own", "1"), ("b3", B3), ("x-debug", "on")];
    assert_eq!(written(&repeated), owned(&repeated[2..]));
}

#[test]
fn a_span_says_that_a_context_is_unreadable_where_it_is_and_not_else() {
    let _in_use = in_use(B3Propagator::new());
    in_both_worlds(
        || {
            let linked = |name, b3| throughline::consume(name).run_sync(&[b3], || ());
            linked("readable", ("B3", B3));
            linked("unreadable", ("B3", "nonsense"));
            linked("missing", ("own", "header"));
        },
        |traces| {
            let reason = "throughline.relation.reason";
            traces.span("readable").links_to(SENT).has_no_attribute(reason);
            traces.span("unreadable").has_no_links().has_attribute(reason, "unreadable");
            traces.span("missing").has_no_links().has_attribute(reason, "no_context");
        },
    );
}

/// Counts how often it is asked to read, on its way to the propagator of the W3C's headers.
#[derive(Debug)]
struct Counting(W3c, Arc<AtomicUsize>);

impl TextMapPropagator for Counting {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        self.0.inject_context(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.extract_with_context(context, extractor)
    }

    fn fields(&self) -> FieldIter<'_> {
        self.0.fields()
    }
}

#[test]
fn ours_as_the_global_one_counts_until_another_is_set_and_so_does_every_other() {
    let times_asked = Arc::new(AtomicUsize::new(0));
    let counting = || Counting(W3c::new(), Arc::clone(&times_asked));
    let headers = [("traceparent", SENT), ("b3", OTHER_B3), ("baggage", "tenant=acme")];
    let read = || TraceContext::read_from(&headers);
    let _in_use = in_use(counting());
    assert_eq!((written(&read()), times_asked.swap(0, Ordering::Relaxed)), (w3c(&headers), 1));

    // Set once more, it takes its own place.
    for _ in 0..2 {
        throughline::propagation::set_global();
        assert_eq!(written(&read()), w3c(&headers));
        // All others find it as well.
        let elsewhere = global::get_text_map_propagator(|it| {
            it.extract_with_context(&Context::new(), &HashMap::from([owned_header(headers[0])]))
        });
        assert_eq!(elsewhere.span().span_context().span_id().to_string(), SENT[36..52]);
    }
    assert_eq!(times_asked.load(Ordering::Relaxed), 0);

    global::set_text_map_propagator(B3Propagator::new());
    assert_eq!(written(&read()), owned(&[("b3", OTHER_B3)]));
    throughline::propagation::set_global();
    assert_eq!(written(&read()), w3c(&headers));
    global::set_text_map_propagator(counting());
    assert_eq!((written(&read()), times_asked.load(Ordering::Relaxed)), (w3c(&headers), 1));
}

fn owned_header((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// What a propagator of the W3C's headers passes on of `headers`.
fn w3c(headers: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut headers = owned(headers);
    headers.retain(|name, _| ["traceparent", "tracestate", "baggage"].contains(&&**name));
    headers
}

/// Says that it looks for the W3C's headers alone, and looks for others.
#[derive(Debug)]
struct Indiscreet {
    w3c: W3c,
    looks_through_names: bool,
}

#[derive(Debug, PartialEq)]
struct Tenant(String);

impl TextMapPropagator for Indiscreet {
    fn inject_context(&self, context: &Context, injector: &mut dyn Injector) {
        self.w3c.inject_context(context, injector);
    }

    fn extract_with_context(&self, context: &Context, extractor: &dyn Extractor) -> Context {
        let context = self.w3c.extract_with_context(context, extractor);
        let tenant = if self.looks_through_names {
            let name = extractor.keys().into_iter().find(|name| name.starts_with("ten"));
            name.and_then(|name| extractor.get(name))
        } else {
            extractor.get("tenant")
        };
        match tenant {
            Some(tenant) => context.with_value(Tenant(tenant.to_owned())),
            None => context,
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        self.w3c.fields()
    }
}

#[test]
fn a_propagator_gets_every_header_it_asks_for_whatever_it_says_it_looks_for() {
    for looks_through_names in [false, true] {
        let _in_use = in_use(Indiscreet { w3c: W3c::new(), looks_through_names });
        in_both_worlds(
            || {
                let headers = [
                    ("traceparent", SENT),
                    ("tenant", "acme"),
                    ("throughline-attempt", OTHER),
                    ("color", "red"),
                ];
                let consume = throughline::consume("handle").continue_();
                consume.capture_headers(&["color"]).run_sync(&headers, || {
                    let context = Context::current();
                    assert_eq!(context.get::<Tenant>(), Some(&Tenant("acme".to_owned())));
                });
            },
            |traces| {
                let span = traces.span("handle").continues(SENT);
                span.has_link_attribute(OTHER, "throughline.link.role", "attempt");
                assert!(span.attribute("throughline.message.header.color").is_some(), "{traces}");
            },
        );
    }
}

#[test]
fn headers_that_the_sdks_propagators_read_are_told_as_unreadable_and_captured_as_well() {
    let _in_use = in_use(TraceContextPropagator::new());
    in_both_worlds(
        || {
            let unreadable = [("TraceParent", "nonsense"), ("color", "red")];
            let consume = throughline::consume("unreadable").capture_headers(&["color"]);
            consume.run_sync(&unreadable, || ());
            throughline::consume("missing").run_sync(&[("color", "red")], || ());
            let own = [("TRACEPARENT", SENT), ("throughline-break", "1")];
            throughline::consume("broken").continue_().run_sync(&own, || ());
        },
        |traces| {
            let reason = "throughline.relation.reason";
            let unreadable = traces.span("unreadable").has_attribute(reason, "unreadable");
            assert!(unreadable.attribute("throughline.message.header.color").is_some());
            traces.span("missing").has_attribute(reason, "no_context");
            traces.span("broken").links_to(SENT).has_attribute(reason, "sender");
        },
    );
}

/// A message whose own code sets the propagator, for which nobody may be holding the present one.
struct Sets(BTreeMap<String, String>);

impl Message for Sets {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        global::set_text_map_propagator(B3Propagator::new());
        self.0.headers(reader);
    }
}

impl MessageMut for Sets {
    fn set_header(&mut self, name: &str, value: &str) {
        global::set_text_map_propagator(B3Propagator::new());
        self.0.set_header(name, value);
    }

    fn remove_header(&mut self, name: &str) {
        global::set_text_map_propagator(B3Propagator::new());
        self.0.remove_header(name);
    }
}

#[test]
fn a_messages_own_code_runs_where_no_propagator_is_locked() {
    let indiscreet = Indiscreet { w3c: W3c::new(), looks_through_names: true };
    let _in_use = in_use(indiscreet);
    let (done, is_done) = mpsc::channel();
    // Where it is locked, this thread waits for itself.
    thread::spawn(move || {
        let mut message = Sets(owned(&[("traceparent", SENT), ("b3", OTHER_B3)]));
        let read = TraceContext::read_from(&message);
        global::set_text_map_propagator(TraceContextPropagator::new());
        TraceContext::read_from(&[("traceparent", SENT)]).write_to(&mut message);
        done.send((read, message.0)).expect("it is waited for");
    });
    let (read, headers) = is_done.recv_timeout(Duration::from_secs(30)).expect("not locked");
    assert_eq!(read.traceparent().as_deref(), Some(OTHER), "the one that it has set");
    assert_eq!(headers, owned(&[("traceparent", SENT), ("b3", OTHER_B3)]));
}
