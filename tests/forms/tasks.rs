//! Every kind of function a task can be. What they relate to: `tests/tasks.rs`.

#![allow(clippy::non_minimal_cfg, reason = "always there, or never")]

use std::cell::RefCell;
use std::fmt::{Debug, Display};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use ::futures::future::{BoxFuture, FutureExt as _, LocalBoxFuture};
use async_trait::async_trait;
use throughline::testing::Traces;
use throughline::{Relation, async_task};
use throughline_tests::{current, in_span};

use crate::{block_on, call};

fn needs_send<T: Send>(value: T) -> T {
    value
}

fn needs_static<T: 'static>(value: T) -> T {
    value
}

/// Calls the task inside a span and runs it when that span has ended.
fn later<F: Future>(task: impl FnOnce() -> F) -> (F::Output, Traces) {
    block_on(async { in_span("caller", task).await })
}

struct Studio {
    name: String,
    resized: usize,
}

impl Studio {
    #[async_task(continue)]
    async fn by_reference(&self, image: &str) -> String {
        tokio::task::yield_now().await;
        format!("{} {image}", self.name)
    }

    #[async_task(continue)]
    async fn by_mutable_reference(&mut self, image: &str) -> &usize {
        self.resized += image.len();
        &self.resized
    }

    #[async_task(continue)]
    async fn by_value(mut self, image: String) -> String {
        self.name.push_str(&image);
        self.name
    }

    #[async_task(continue)]
    async fn by_arc(self: Arc<Self>, _image: String) -> usize {
        self.resized
    }

    #[async_task(continue)]
    async fn by_pin(self: Pin<&mut Self>) -> usize {
        self.resized
    }

    #[async_task(continue, fields(studio.name = %self.name, studio.resized = self.resized))]
    async fn described(&self) {}

    #[async_task(continue)]
    async fn without_self(image: &str) -> Self {
        Self { name: image.to_owned(), resized: 0 }
    }

    #[async_task(continue)]
    fn at_once(&mut self) -> &mut String {
        &mut self.name
    }
}

#[test]
fn methods_with_every_receiver() {
    let mut studio = Studio { name: "north".to_owned(), resized: 1 };
    let (said, traces) = later(|| needs_send(studio.by_reference("cat")));
    assert_eq!(said, "north cat");
    traces.span("by_reference").is_child_of("caller").is_kind("internal");
    let (resized, traces) = later(|| studio.by_mutable_reference("cat"));
    assert_eq!(*resized, 4);
    traces.span("by_mutable_reference").is_child_of("caller");
    let (resized, traces) = later(|| Pin::new(&mut studio).by_pin());
    assert_eq!(resized, 4);
    traces.span("by_pin").is_child_of("caller");
    let ((), traces) = later(|| studio.described());
    let span = traces.span("described").has_attribute("studio.name", "north");
    span.has_attribute("studio.resized", 4);
    let (name, traces) = call(|| studio.at_once().clone());
    assert_eq!(name, "north");
    traces.span("at_once").is_root();
    let (said, traces) = later(|| needs_static(studio.by_value("!".to_owned())));
    assert_eq!(said, "north!");
    traces.span("by_value").is_child_of("caller");
    let studio = Arc::new(Studio { name: String::new(), resized: 5 });
    let (resized, traces) = later(|| needs_static(studio.by_arc(String::new())));
    assert_eq!(resized, 5);
    traces.span("by_arc").is_child_of("caller");
    let (studio, traces) = later(|| Studio::without_self("cat"));
    assert_eq!(studio.name, "cat");
    traces.span("without_self").is_child_of("caller");
}

#[async_task(link)]
async fn generic<T, const N: usize>(parts: [T; N]) -> usize
where
    T: Debug,
{
    assert!(!format!("{parts:?}").is_empty());
    N
}

#[async_task(link)]
async fn two_lifetimes<'a, 'b: 'a>(one: &'a str, other: &'b str) -> &'a str {
    if one.is_empty() { other } else { one }
}

#[async_task(link)]
async fn elided(one: &mut Vec<u8>, other: &u8, _unused: &str) -> usize {
    one.push(*other);
    one.len()
}

#[async_task(link)]
async fn elided_in_the_output(one: &str) -> Result<&str, std::fmt::Error> {
    if one.is_empty() {
        return Err(std::fmt::Error);
    }
    Ok(one)
}

#[async_task(link)]
async fn with_impl_trait(shown: impl Display, other: &impl Debug) -> impl Iterator<Item = String> {
    std::iter::once(format!("{shown} {other:?}"))
}

#[async_task(link)]
async fn with_impl_inside(size: &str) -> Result<impl Debug + use<>, std::num::ParseIntError> {
    let small = size.parse::<u8>()?;
    Ok(small)
}

#[async_task(link)]
async fn boxed_output(fails: bool) -> Result<Box<dyn Display>, Box<dyn std::error::Error>> {
    if fails {
        return Err("it fails".into());
    }
    Ok(Box::new(7))
}

#[test]
fn generics_lifetimes_and_impl_trait() {
    let (size, traces) = later(|| generic(["a", "b"]));
    assert_eq!(size, 2);
    traces.span("generic").links_to("caller");
    let (one, traces) = later(|| two_lifetimes("", "other"));
    assert_eq!(one, "other");
    traces.span("two_lifetimes").links_to("caller");
    let mut bytes = Vec::new();
    let (size, traces) = later(|| elided(&mut bytes, &7, ""));
    assert_eq!(size, 1);
    traces.span("elided").links_to("caller");
    let (result, traces) = later(|| elided_in_the_output(""));
    assert!(result.is_err());
    traces.span("elided_in_the_output").links_to("caller").has_attribute("error.type", "Error");
    let (shown, _) = later(|| with_impl_trait(7, &"x"));
    assert_eq!(shown.collect::<Vec<_>>(), ["7 \"x\""]);
    let (result, traces) = later(|| needs_static(with_impl_inside("300")));
    assert!(result.is_err());
    traces.span("with_impl_inside").has_attribute("error.type", "ParseIntError");
    let (result, traces) = later(|| boxed_output(true));
    assert!(result.is_err());
    traces.span("boxed_output").is_error_with("it fails").has_attribute("error.type", "_OTHER");
    let (result, _) = later(|| boxed_output(false));
    assert_eq!(result.expect("it does not fail").to_string(), "7");
}

struct Image {
    name: String,
    size: (u32, u32),
}

#[async_task(link, fields(name = %name, width))]
async fn patterns(
    Image { name, size: (width, mut height) }: Image,
    _: Image,
    mut parts: Vec<u32>,
    ref borrowed: String,
    whole @ [first, ..]: [u32; 2],
) -> u32 {
    height += 1;
    parts.push(height);
    drop(name);
    width + parts.iter().sum::<u32>() + whole[0] + first + u32::from(borrowed.is_empty())
}

#[async_task(link)]
async fn attributes(
    #[allow(unused_variables, reason = "it is there")] one: u8,
    #[expect(unused_variables)] other: u8,
    #[cfg(any())] gone: u8,
    #[cfg(all())] there: u8,
) -> u8 {
    there
}

#[test]
fn patterns_and_attributes_of_arguments() {
    let image = |name: &str| Image { name: name.to_owned(), size: (1, 2) };
    let (sum, traces) = later(|| patterns(image("a"), image("b"), vec![], String::new(), [8, 9]));
    assert_eq!(sum, 1 + 3 + 8 + 8 + 1);
    traces.span("patterns").has_attribute("name", "a").has_attribute("width", 1);
    let (there, traces) = later(|| attributes(1, 2, 3));
    assert_eq!(there, 3);
    traces.span("attributes").links_to("caller");
}

/// Notes when it is dropped.
struct Noted(&'static str, Rc<RefCell<Vec<&'static str>>>);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0);
    }
}

#[test]
fn arguments_live_as_long_as_those_of_an_async_fn() {
    #[allow(clippy::unused_async, reason = "as the other is")]
    async fn plain(_first: Noted, _: Noted, (_a, _b): (Noted, Noted), used: Noted, _last: Noted) {
        used.1.borrow_mut().push("body");
    }

    #[async_task(link)]
    async fn traced(_first: Noted, _: Noted, (_a, _b): (Noted, Noted), used: Noted, _last: Noted) {
        used.1.borrow_mut().push("body");
    }

    macro_rules! noted {
        ($function:ident) => {{
            let notes = Rc::<RefCell<Vec<_>>>::default();
            let new = |name| Noted(name, Rc::clone(&notes));
            let pair = (new("a"), new("b"));
            let future = $function(new("first"), new("second"), pair, new("used"), new("last"));
            (future, notes)
        }};
    }

    let (future, notes) = noted!(traced);
    block_on(future);
    // The body's own are dropped with it, inside its span; the others after it, the last one first.
    assert_eq!(*notes.borrow(), ["body", "used", "last", "b", "a", "second", "first"]);
    let (future, notes) = noted!(plain);
    block_on(future);
    assert_eq!(*notes.borrow(), ["body", "last", "used", "b", "a", "second", "first"]);

    let (future, notes) = noted!(traced);
    drop(future);
    let never_polled = std::mem::take(&mut *notes.borrow_mut());
    let (future, notes) = noted!(plain);
    drop(future);
    assert_eq!(never_polled, *notes.borrow());
}

impl Noted {
    #[async_task(link)]
    async fn unused_self(self, _other: Noted) {}
}

#[test]
fn a_self_that_is_not_used_lives_as_long_as_the_future() {
    let notes = Rc::<RefCell<Vec<_>>>::default();
    let new = |name| Noted(name, Rc::clone(&notes));
    let future = new("self").unused_self(new("other"));
    assert!(notes.borrow().is_empty());
    block_on(future);
    assert_eq!(*notes.borrow(), ["other", "self"]);
}

trait Resizes {
    type Error;

    async fn resize(&self, image: String) -> Result<usize, Self::Error>;

    fn later(&self, image: &str) -> impl Future<Output = usize> + Send;

    #[async_task(continue)]
    async fn by_default(&self, image: String) -> usize {
        image.len()
    }
}

impl Resizes for Studio {
    type Error = String;

    #[async_task(continue)]
    async fn resize(&self, image: String) -> Result<usize, Self::Error> {
        if image.is_empty() { Err(self.name.clone()) } else { Ok(image.len()) }
    }

    #[async_task(continue)]
    async fn later(&self, image: &str) -> usize {
        self.name.len() + image.len()
    }
}

#[async_trait]
trait DynResizes: Sync {
    async fn resize(&self, image: &str) -> Result<usize, String>;

    #[async_task(link, fields(size = image.len()))]
    async fn by_default(&mut self, image: String) -> usize {
        image.len()
    }
}

#[async_trait]
impl DynResizes for Studio {
    #[async_task(continue)]
    async fn resize(&self, image: &str) -> Result<usize, String> {
        tokio::task::yield_now().await;
        if image.is_empty() { Err(self.name.clone()) } else { Ok(image.len()) }
    }
}

#[test]
fn traits() {
    let mut studio = Studio { name: "north".to_owned(), resized: 0 };
    let (result, traces) = later(|| Resizes::resize(&studio, String::new()));
    assert_eq!(result, Err("north".to_owned()));
    traces.span("resize").is_child_of("caller").is_error_with("north");
    let (size, traces) = later(|| needs_send(Resizes::later(&studio, "cat")));
    assert_eq!(size, 8);
    traces.span("later").is_child_of("caller");
    let (size, traces) = later(|| Resizes::by_default(&studio, "cat".to_owned()));
    assert_eq!(size, 3);
    traces.span("by_default").is_child_of("caller");

    let (result, traces) = {
        let studio: &dyn DynResizes = &studio;
        later(|| studio.resize(""))
    };
    assert_eq!(result, Err("north".to_owned()));
    traces.span("resize").is_child_of("caller").is_error_with("north");
    let (size, traces) = later(|| DynResizes::by_default(&mut studio, "cat".to_owned()));
    assert_eq!(size, 3);
    traces.span("by_default").links_to("caller").has_attribute("size", 3);
}

#[async_task(continue, fields(size = image.len()))]
fn opaque(image: String) -> impl Future<Output = Result<usize, String>> + Send {
    let before = current();
    async move { if before == current() { Err("the same".to_owned()) } else { Ok(image.len()) } }
}

#[async_task(continue)]
fn pinned<'a>(image: &'a str) -> Pin<Box<dyn Future<Output = &'a str> + Send + 'a>> {
    Box::pin(async move { image })
}

#[async_task(continue)]
fn boxed(image: String) -> BoxFuture<'static, usize> {
    async move { image.len() }.boxed()
}

#[async_task(continue)]
fn local(image: String) -> LocalBoxFuture<'static, usize> {
    let shared = Rc::new(image);
    async move { shared.len() }.boxed_local()
}

#[async_task(continue)]
fn unpin(image: String) -> impl Future<Output = usize> + Unpin {
    std::future::ready(image.len())
}

type Resizing = Pin<Box<dyn Future<Output = usize>>>;

#[async_task(continue)]
fn by_another_name(image: String) -> Resizing {
    Box::pin(async move { image.len() })
}

#[test]
fn functions_that_return_a_future() {
    let (result, traces) = later(|| needs_send(opaque("cat".to_owned())));
    assert_eq!(result, Ok(3));
    traces.span("opaque").is_child_of("caller").has_attribute("size", 3);
    let (image, traces) = later(|| needs_send(pinned("cat")));
    assert_eq!(image, "cat");
    traces.span("pinned").is_child_of("caller");
    let (size, traces) = later(|| boxed("cat".to_owned()));
    assert_eq!(size, 3);
    traces.span("boxed").is_child_of("caller");
    let (size, traces) = later(|| local("cat".to_owned()));
    assert_eq!(size, 3);
    traces.span("local").is_child_of("caller");
    let (size, traces) = later(|| unpin("cat".to_owned()));
    assert_eq!(size, 3);
    traces.span("unpin").is_child_of("caller");
    let (size, traces) = later(|| by_another_name("cat".to_owned()));
    assert_eq!(size, 3);
    traces.span("by_another_name").is_child_of("caller");
}

#[async_task(continue)]
#[tracing::instrument(name = "inner", skip_all, fields(size = image.len()))]
async fn instrument_below(image: String) -> usize {
    image.len()
}

#[tracing::instrument(name = "inner", skip_all)]
#[async_task(continue)]
async fn instrument_above(image: String) -> usize {
    image.len()
}

#[tokio::test]
#[async_task(link)]
async fn a_test_above_a_task() {
    tokio::task::yield_now().await;
}

#[async_task(link)]
#[tokio::test]
async fn a_test_below_a_task() -> Result<(), String> {
    tokio::task::yield_now().await;
    Ok(())
}

#[async_task(link)]
#[test]
fn a_plain_test_below_a_task() {}

#[async_task(link)]
#[tokio::main(flavor = "current_thread")]
async fn main_below(image: String) -> usize {
    tokio::task::yield_now().await;
    image.len()
}

#[test]
fn other_attributes() {
    let (size, traces) = later(|| instrument_below("cat".to_owned()));
    assert_eq!(size, 3);
    traces.span("instrument_below").is_child_of("caller");
    traces.span("inner").is_child_of("instrument_below");
    let (size, traces) = later(|| instrument_above("cat".to_owned()));
    assert_eq!(size, 3);
    traces.span("instrument_above").is_child_of("caller");
    traces.span("inner").is_child_of("instrument_above");
    let (size, traces) = call(|| main_below("cat".to_owned()));
    assert_eq!(size, 3);
    traces.span("main_below").is_root();
}

#[must_use]
#[async_task(link)]
async fn answer() -> u8 {
    7
}

#[async_task(link)]
async fn yields_a_future() -> impl Future<Output = u8> {
    async { 7 }
}

#[async_task(link)]
async fn never_ends() -> ! {
    loop {
        tokio::task::yield_now().await;
    }
}

#[async_task(continue)]
async fn recursive(depth: u8) -> u8 {
    if depth == 0 { 0 } else { 1 + Box::pin(recursive(depth - 1)).await }
}

#[test]
fn unusual_ones() {
    let (seven, _) = later(answer);
    assert_eq!(seven, 7);
    let (future, _) = later(yields_a_future);
    assert_eq!(block_on(future).0, 7);
    let ((), traces) = block_on(async {
        let mut never = Box::pin(never_ends());
        assert!(::futures::poll!(&mut never).is_pending());
    });
    traces.span("never_ends").has_attribute("error.type", "cancelled");
    let (depth, traces) = later(|| recursive(3));
    assert_eq!(depth, 3);
    assert_eq!(traces.len(), 5);
}

#[async_task(
    mode = if sent { Relation::CONTINUE } else { Relation::LINK },
    name = title,
    level = "debug",
    target = "studio",
    err = debug,
    enabled = !title.is_empty(),
    fields(size = size, shown = %title, debugged = ?title, later = Empty),
)]
async fn every_option(title: &str, size: usize, sent: bool) -> Result<(), std::fmt::Error> {
    throughline::record("later", true);
    Err(std::fmt::Error)
}

#[test]
fn every_option_does_what_it_says() {
    let (_, traces) = later(|| every_option("resize a cat", 3, true));
    traces
        .span("resize a cat")
        .is_child_of("caller")
        .has_attribute("size", 3)
        .has_attribute("shown", "resize a cat")
        .has_attribute("debugged", "\"resize a cat\"")
        .has_attribute("later", true);
    let (_, traces) = later(|| every_option("resize", 3, false));
    traces.span("resize").is_root().links_to("caller");
    let (_, traces) = later(|| every_option("", 3, true));
    assert_eq!(traces.len(), 1);
}

/// Names of the user's that are like ours.
#[async_task(link)]
async fn arguments_named_as_ours(__task: u8, __span: u8, __argument0: u8, _: u8) -> u8 {
    __task + __span + __argument0
}

#[async_task(link, fields(r#type = r#type))]
async fn r#move(r#match: u8, r#type: u8) -> u8 {
    r#match + r#type
}

macro_rules! task {
    ($name:ident, $relation:tt, $argument:ident, $body:block) => {
        #[async_task($relation)]
        async fn $name($argument: u8) -> u8 $body
    };
}

task!(made_to_continue, continue, image, { image + 1 });
task!(made_to_link, link, image, { image + 2 });

#[test]
fn names_and_macros() {
    let (sum, _) = later(|| arguments_named_as_ours(1, 2, 3, 4));
    assert_eq!(sum, 6);
    let (sum, traces) = later(|| r#move(1, 2));
    assert_eq!(sum, 3);
    traces.span("move").has_attribute("type", 2);
    let (sum, traces) = later(|| made_to_continue(1));
    assert_eq!(sum, 2);
    traces.span("made_to_continue").is_child_of("caller");
    let (sum, traces) = later(|| made_to_link(1));
    assert_eq!(sum, 3);
    traces.span("made_to_link").is_root();
}
