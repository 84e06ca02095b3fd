#![allow(dead_code, unused)]
#![deny(deprecated)]
use throughline::{Traced, async_consumer, async_producer};

struct Service;

impl Service {
    #[async_consumer(
        link,
        fields(
            messaging.kafka.consumer.group = "billing",
            messaging.system = "kafka",
            "messaging.client_id" = "c1",
            messaging.message.ids = 7,
        )
    )]
    fn handler(&self, m: Traced<u8>) {}
}

fn main() {}
