//! An order sent and handled by way of Amazon SQS, refused once, and the trace that is left of it.
//!
//!     cargo run --example sqs --features sqs
//!
//! `AWS_ENDPOINT_URL_SQS` says where the service is, if not at `http://127.0.0.1:5000`, where moto plays
//! it: `pip install 'moto[server]'` and `moto_server`.

use std::env;
use std::error::Error;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName as System};
use aws_smithy_http_client::Builder;
use throughline::testing::Capture;
use throughline::{async_consumer, async_producer};

const ORDERS: &str = "throughline-example-orders";

#[async_producer]
async fn place_order(
    order: SendMessageFluentBuilder,
) -> Result<SendMessageOutput, SdkError<SendMessageError>> {
    order.send().await
}

#[async_consumer(continue, destination = ORDERS)]
async fn charge_card(order: &Message) -> Result<(), &'static str> {
    let attempt = order.attributes().and_then(|told| told.get(&System::ApproximateReceiveCount));
    if attempt.is_some_and(|attempt| attempt == "1") {
        return Err("the bank is closed");
    }
    println!("charged for {}", order.body().unwrap_or_default());
    Ok(())
}

async fn sell(client: &Client) -> Result<(), Box<dyn Error>> {
    let queue = client.create_queue().queue_name(ORDERS).send().await?;
    let queue = queue.queue_url().ok_or("a queue without a URL")?;

    place_order(client.send_message().queue_url(queue).message_body("two lemons")).await?;

    loop {
        let poll = client
            .receive_message()
            .queue_url(queue)
            .message_attribute_names("All") // the context: without this there is none
            .message_system_attribute_names(System::All) // age and attempt
            .wait_time_seconds(20);
        let poll =
            throughline::receive("poll").system("aws_sqs").destination(ORDERS).run(poll.send());
        for order in poll.await?.messages() {
            let handle = order.receipt_handle().ok_or("a message without a handle")?;
            if charge_card(order).await.is_ok() {
                let delete = client.delete_message().queue_url(queue).receipt_handle(handle);
                let delete = delete.send();
                throughline::settle("delete").destination(ORDERS).run(order, delete).await?;
                return Ok(()); // here a service would go on
            }
            let retry = client.change_message_visibility().queue_url(queue).receipt_handle(handle);
            let retry = retry.visibility_timeout(0).send();
            let told = throughline::settle("change_visibility").unsettled().destination(ORDERS);
            told.run(order, retry).await?;
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let endpoint = env::var("AWS_ENDPOINT_URL_SQS");
    // A service takes its settings from `aws_config::load_from_env()`.
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "static"))
        .endpoint_url(endpoint.unwrap_or_else(|_| "http://127.0.0.1:5000".to_owned()))
        .http_client(Builder::new().build_http())
        .build();
    let client = Client::from_conf(config);

    let mut sold = Ok(());
    // A service has a `tracing` subscriber or a global tracer provider in its place. Through `tracing` the
    // SDK would show its own spans as well.
    let traces = Capture::new().without_tracing();
    let traces = traces.run(async { sold = sell(&client).await }).await;
    println!("\n{traces}");
    sold
}
