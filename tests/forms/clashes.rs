//! Names of the user's that are like ours.

use std::future::Future;
use throughline::{async_consumer, async_producer, async_task};
use throughline_tests::{Headers, SENDER, from};

use crate::{block_on, call};

/// A trait whose methods every type has, by the names that ours have.
trait Everywhere {
    fn run(&self) -> u8 {
        1
    }
    fn run_sync(&self) -> u8 {
        2
    }
    fn outcome(&self) -> u8 {
        3
    }
    fn start(&self) -> u8 {
        4
    }
    fn finish(&self) -> u8 {
        5
    }
    fn prepare(self) -> u8
    where
        Self: Sized,
    {
        6
    }
    fn start_with(&mut self) -> u8 {
        7
    }
    fn link(&self) -> u8 {
        8
    }
}

impl<T: ?Sized> Everywhere for T {}

#[async_consumer(link)]
async fn handled(message: Headers) -> u8 {
    message.run() + message.outcome()
}

#[async_consumer(link)]
fn handled_at_once(message: &Headers) -> u8 {
    message.run_sync() + message.start() + message.finish()
}

#[async_consumer(link)]
fn handled_later(message: Headers) -> impl Future<Output = u8> {
    let prepared = message.prepare();
    async move { prepared }
}

#[async_producer]
fn sent_later(message: Headers) -> impl Future<Output = u8> {
    let prepared = message.prepare();
    async move { prepared }
}

#[async_task(link, fields(image = image))]
async fn resize(image: u8) -> u8 {
    image.run() + image.outcome()
}

#[async_task(link, fields(image = image))]
fn resize_later(mut image: u8) -> impl Future<Output = u8> {
    let prepared = image.prepare() + image.start_with();
    async move { prepared + image.link() }
}

#[test]
fn methods_that_every_type_has() {
    let (sum, traces) = block_on(handled(from(SENDER)));
    assert_eq!(sum, 4);
    traces.span("handled").links_to(SENDER);
    let (sum, traces) = call(|| handled_at_once(&from(SENDER)));
    assert_eq!(sum, 11);
    traces.span("handled_at_once").links_to(SENDER);
    let (sum, traces) = block_on(handled_later(from(SENDER)));
    assert_eq!(sum, 6);
    traces.span("handled_later").links_to(SENDER);
    let (sum, traces) = block_on(async { sent_later(from(SENDER)).await });
    assert_eq!(sum, 6);
    traces.span("sent_later").is_kind("client");
    let (sum, traces) = block_on(resize(1));
    assert_eq!(sum, 4);
    traces.span("resize").has_attribute("image", 1);
    let (sum, traces) = block_on(resize_later(1));
    assert_eq!(sum, 21);
    traces.span("resize_later").has_attribute("image", 1);
}

#[async_consumer(link)]
async fn arguments_named_as_ours(
    #[message] message: Headers,
    __span: u8,
    __result: u8,
    __future: u8,
) -> u8 {
    drop(message);
    __span + __result + __future
}

#[async_consumer(link, fields(r#type = r#type))]
async fn r#move(#[message] r#match: Headers, r#type: u8) -> usize {
    r#match.len() + usize::from(r#type)
}

#[test]
fn arguments_and_raw_names() {
    let (sum, _) = block_on(arguments_named_as_ours(from(SENDER), 1, 2, 3));
    assert_eq!(sum, 6);
    let (sum, traces) = block_on(r#move(from(SENDER), 1));
    assert_eq!(sum, 2);
    traces.span("move").links_to(SENDER).has_attribute("type", 1);
}
