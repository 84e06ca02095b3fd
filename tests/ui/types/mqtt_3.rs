#![allow(dead_code, unused)]
use throughline::{async_consumer, async_producer};

#[async_consumer(continue, destination = "devices")]
async fn store(state: rumqttc::Publish) {}

#[async_producer(destination = "devices")]
async fn publish(state: rumqttc::Publish) {}

fn main() {}
