//! SQS, and SNS that publishes into it, by the SDK: both of one moto server.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_sdk_sns::operation::publish::builders::PublishFluentBuilder;
use aws_sdk_sns::operation::publish::{PublishError, PublishOutput};
use aws_sdk_sqs::error::SdkError;
use aws_sdk_sqs::operation::receive_message::ReceiveMessageOutput;
use aws_sdk_sqs::operation::receive_message::builders::ReceiveMessageFluentBuilder;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use aws_sdk_sqs::operation::send_message::{SendMessageError, SendMessageOutput};
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue, SendMessageBatchRequestEntry,
};
use aws_sdk_sqs::{Client, config};
use aws_smithy_http_client::Builder;
use libtest_mimic::Trial;
use throughline::testing::{Capture, Span, Traces};
use throughline::{TraceContext, async_consumer, async_producer};
use throughline_test_brokers::Server;
use throughline_tests::{SENDER, baggage, in_both_worlds};

const SQS: Server =
    Server { name: "SQS", variable: "THROUGHLINE_SQS", usual_address: "127.0.0.1:5000" };

pub(crate) fn trials() -> Vec<Trial> {
    SQS.trials(&[
        ("the_handler_continues_the_producer", the_handler_continues_the_producer),
        ("a_poll_links_to_what_it_brings", a_poll_links_to_what_it_brings),
        ("a_second_delivery_is_a_second_attempt", a_second_delivery_is_a_second_attempt),
        ("ten_messages_are_created_sent_and_received", ten_messages_are_created_sent_and_received),
        ("a_deletion_settles", a_deletion_settles),
        ("the_users_own_attributes_are_all_there", the_users_own_attributes_are_all_there),
        ("large_baggage_fails_no_send", large_baggage_fails_no_send),
        ("a_batch_of_large_messages_is_sent", a_batch_of_large_messages_is_sent),
        ("headers_of_others_are_read", headers_of_others_are_read),
        ("the_header_of_x_ray_is_read", the_header_of_x_ray_is_read),
        ("a_message_of_sns_is_continued", a_message_of_sns_is_continued),
    ])
}

/// A queue of the test's own.
#[derive(Clone)]
struct Queue {
    client: Client,
    url: String,
}

/// No test's queue or topic is another's.
fn unique_name() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("orders-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Queue {
    async fn new(address: &str) -> Self {
        let settings = config::Builder::new()
            .behavior_version(config::BehaviorVersion::latest())
            .region(config::Region::new("eu-central-1"))
            .credentials_provider(config::Credentials::new("test", "test", None, None, "static"))
            .endpoint_url(format!("http://{address}"))
            .http_client(Builder::new().build_http());
        let client = Client::from_conf(settings.build());
        let created = client.create_queue().queue_name(unique_name()).send().await;
        let url = created.expect("a queue").queue_url.expect("its URL");
        Self { client, url }
    }

    /// Its name, by which its spans are called.
    fn name(&self) -> &str {
        self.url.rsplit_once('/').expect("a path").1
    }

    fn order(&self) -> SendMessageFluentBuilder {
        self.client.send_message().queue_url(&self.url).message_body("two lemons")
    }

    fn poll(&self) -> ReceiveMessageFluentBuilder {
        self.client
            .receive_message()
            .queue_url(&self.url)
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .max_number_of_messages(10)
            .wait_time_seconds(10)
    }

    async fn next(&self) -> Message {
        let mut received = self.poll().max_number_of_messages(1).send().await.expect("a poll");
        received.messages.take().and_then(|mut it| it.pop()).expect("a message within 10 seconds")
    }
}

/// Runs `body` with a queue of its own in both worlds, and then checks what it has made.
fn with_queue(address: &str, body: &impl AsyncFn(&Queue), check: impl Fn(&Traces, &Queue)) {
    in_both_worlds(|capture: Capture| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let queue = Queue::new(address).await;
            let traces = capture.run(async {
                let made = tokio::time::timeout(Duration::from_mins(1), body(&queue)).await;
                made.expect("done within a minute");
            });
            check(&traces.await, &queue);
        });
    });
}

#[async_producer]
async fn publish(
    order: SendMessageFluentBuilder,
) -> Result<SendMessageOutput, SdkError<SendMessageError>> {
    order.send().await
}

#[async_consumer(continue)]
async fn charge_card(order: &Message) -> Option<String> {
    let _ = order;
    baggage("tenant")
}

fn text(value: &str) -> MessageAttributeValue {
    let value = MessageAttributeValue::builder().data_type("String").string_value(value);
    value.build().expect("it has a type")
}

fn the_handler_continues_the_producer(address: &str) {
    let body = async |queue: &Queue| {
        publish(queue.order()).await.expect("sent");
        charge_card(&queue.next().await).await;
    };
    with_queue(address, &body, |traces, queue| {
        let send = format!("send {}", queue.name());
        traces
            .span(&send)
            .is_root()
            .is_kind("producer")
            .has_attribute("messaging.system", "aws_sqs")
            .has_attribute("messaging.destination.name", queue.name())
            .has_attribute("aws.sqs.queue.url", queue.url.as_str())
            .has_attribute("messaging.message.body.size", 10)
            .status_is_unset();
        let handled = traces
            .span("charge_card")
            .continues(&send)
            .is_kind("consumer")
            .has_attribute("messaging.system", "aws_sqs")
            .has_attribute("messaging.message.body.size", 10)
            .has_attribute("throughline.message.attempt", 1)
            .status_is_unset();
        assert!(handled.attribute("messaging.message.id").is_some(), "{traces}");
        let age = handled.attribute("throughline.message.age").expect("an age").to_string();
        assert!((0.0..60.0).contains(&age.parse().expect("seconds")), "{age}");
    });
}

/// The span of a poll, as the page has it.
async fn poll(queue: &Queue) -> Result<ReceiveMessageOutput, String> {
    let poll = throughline::receive("poll").system("aws_sqs").destination("orders");
    poll.run(queue.poll().send()).await.map_err(|error| error.to_string())
}

fn a_poll_links_to_what_it_brings(address: &str) {
    let body = async |queue: &Queue| {
        publish(queue.order()).await.expect("sent");
        let received = poll(queue).await.expect("a poll");
        assert_eq!(received.messages().len(), 1);
        let none = throughline::receive("poll_again").run(queue.poll().wait_time_seconds(0).send());
        assert!(none.await.expect("a poll").messages().is_empty());
    };
    with_queue(address, &body, |traces, queue| {
        traces
            .span("receive orders")
            .is_kind("client")
            .links_to(&format!("send {}", queue.name()))
            .has_links(1)
            .has_attribute("messaging.system", "aws_sqs")
            .has_attribute("messaging.batch.message_count", 1);
        traces.span("poll_again").has_no_links().has_attribute("messaging.batch.message_count", 0);
    });
}

fn a_second_delivery_is_a_second_attempt(address: &str) {
    let body = async |queue: &Queue| {
        publish(queue.order()).await.expect("sent");
        let first = queue.next().await;
        charge_card(&first).await;
        let handle = first.receipt_handle().expect("a handle");
        let later = queue.client.change_message_visibility().queue_url(&queue.url);
        let later = later.receipt_handle(handle).visibility_timeout(0).send();
        let told = throughline::settle("change_visibility").unsettled().run(&first, later).await;
        told.expect("visible again");
        charge_card(&queue.next().await).await;
    };
    with_queue(address, &body, |traces, queue| {
        let send = format!("send {}", queue.name());
        let attempts = traces.spans("charge_card");
        let numbers = attempts.iter().map(|span| {
            span.continues(&send).attribute("throughline.message.attempt").map(ToString::to_string)
        });
        let mut numbers: Vec<_> = numbers.flatten().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, ["1", "2"]);
        traces
            .span("change_visibility")
            .is_kind("client")
            .links_to(&send)
            .has_no_attribute("messaging.operation.type");
    });
}

fn ten_messages_are_created_sent_and_received(address: &str) {
    #[async_consumer(link, destination = "orders")]
    async fn charge_all(orders: &ReceiveMessageOutput) -> usize {
        orders.messages().len()
    }
    let entry = |number: usize| {
        let entry = SendMessageBatchRequestEntry::builder().id(number.to_string());
        entry.message_body("two lemons").build().expect("it has an id and a body")
    };
    let body = async |queue: &Queue| {
        let mut orders: Vec<_> = (0..10).map(entry).collect();
        for order in &mut orders {
            throughline::create("new_order").destination("orders").run_sync(order, |_| ());
        }
        let publish = throughline::produce("publish").destination("orders");
        let sent = publish.run(&mut orders, |orders| {
            let batch = queue.client.send_message_batch().queue_url(&queue.url);
            batch.set_entries(Some(std::mem::take(orders))).send()
        });
        assert_eq!(sent.await.expect("sent").successful().len(), 10);
        let received = poll(queue).await.expect("a poll");
        assert_eq!(charge_all(&received).await, 10);
    };
    with_queue(address, &body, |traces, _| {
        assert_eq!(traces.spans("create orders").len(), 10);
        let about_all = |span: Span<'_>| {
            span.has_links(10).has_attribute("messaging.batch.message_count", 10);
            let linked = span.linked().into_iter().flatten();
            assert!(linked.map(Span::name).eq(["create orders"; 10]), "{traces}");
        };
        about_all(traces.span("send orders"));
        about_all(traces.span("receive orders"));
        about_all(traces.span("process orders").is_root());
    });
}

fn a_deletion_settles(address: &str) {
    let body = async |queue: &Queue| {
        publish(queue.order()).await.expect("sent");
        let order = queue.next().await;
        let handle = order.receipt_handle().expect("a handle");
        let delete = queue.client.delete_message().queue_url(&queue.url).receipt_handle(handle);
        let deleted =
            throughline::settle("delete").destination("orders").run(&order, delete.send());
        deleted.await.expect("deleted");
        let numbers = queue.client.get_queue_attributes().queue_url(&queue.url);
        let numbers = numbers.attribute_names("All".into()).send().await.expect("numbers");
        let numbers = numbers.attributes.expect("numbers");
        for (name, number) in
            numbers.iter().filter(|(name, _)| name.as_str().contains("OfMessages"))
        {
            assert_eq!(number, "0", "{name}");
        }

        let delete = queue.client.delete_message().queue_url("http://localhost/nobody/nothing");
        let refused =
            throughline::settle("delete_nothing").run(&order, delete.receipt_handle("x").send());
        assert!(refused.await.is_err());
    };
    with_queue(address, &body, |traces, queue| {
        traces
            .span("delete orders")
            .is_kind("client")
            .links_to(&format!("send {}", queue.name()))
            .has_attribute("messaging.operation.name", "delete")
            .has_attribute("messaging.operation.type", "settle")
            .has_attribute("throughline.message.attempt", 1)
            .status_is_unset();
        traces.span("delete_nothing").is_error().has_attribute("error.type", "SdkError");
    });
}

/// The names of a message's attributes, but for those of the user's own.
fn ours(message: &Message) -> Vec<&str> {
    let names = message.message_attributes().into_iter().flat_map(HashMap::keys);
    let mut names: Vec<_> =
        names.map(String::as_str).filter(|it| !it.starts_with("own-")).collect();
    names.sort_unstable();
    names
}

/// Publishes within the story of somebody else, with baggage and state.
async fn publish_for(sender: &[(&str, &str)], order: SendMessageFluentBuilder) {
    let handler = throughline::consume("handler").continue_();
    let sent = handler.run(&sender, Box::pin(async { publish(order).await.map(|_| ()) }));
    Box::pin(sent).await.expect("sent");
}

fn the_users_own_attributes_are_all_there(address: &str) {
    let body = async |queue: &Queue| {
        let all: [&[&str]; 5] = [
            &["baggage", "traceparent", "tracestate"],
            &["baggage", "traceparent", "tracestate"],
            &["traceparent", "tracestate"],
            &["traceparent"],
            &[],
        ];
        let sender = [("traceparent", SENDER), ("tracestate", "a=1"), ("baggage", "tenant=acme")];
        for (count, expected) in (6..).zip(all) {
            let own = |order: SendMessageFluentBuilder, number| {
                order.message_attributes(format!("own-{number}"), text("x"))
            };
            publish_for(&sender, (0..count).fold(queue.order(), own)).await;
            let order = queue.next().await;
            assert_eq!(ours(&order), expected, "{count} of the user's own");
            let all = order.message_attributes().map_or(0, HashMap::len);
            assert_eq!(all, count + expected.len());
            let tenant = charge_card(&order).await;
            assert_eq!(tenant.as_deref(), expected.contains(&"baggage").then_some("acme"));
        }
    };
    with_queue(address, &body, |traces, queue| {
        let (without, with): (Vec<_>, Vec<_>) = traces
            .spans("charge_card")
            .into_iter()
            .partition(|span| span.attribute("throughline.relation.reason").is_some());
        assert_eq!(with.len(), 4, "{traces}");
        for span in with {
            assert_eq!(span.parent().map(Span::name), Some(&*format!("send {}", queue.name())));
        }
        let [without] = without[..] else { panic!("one without a context: {traces}") };
        without.is_root().has_attribute("throughline.relation.reason", "no_context");
    });
}

fn large_baggage_fails_no_send(address: &str) {
    let body = async |queue: &Queue| {
        for (body, cart, expected) in [
            (10, 8000, &["baggage", "traceparent"][..]),
            (256 * 1024 - 1000, 8000, &["traceparent"]),
            // An entry that is too large for any baggage is left out, the others go on.
            (10, 1_000_000, &["baggage", "traceparent"]),
        ] {
            let large = format!("tenant=acme,cart={}", "x".repeat(cart));
            let order = queue.order().message_body("x".repeat(body));
            publish_for(&[("traceparent", SENDER), ("baggage", &large)], order).await;
            let order = queue.next().await;
            assert_eq!(ours(&order), expected, "{cart} bytes beside {body}");
            charge_card(&order).await;
        }
    };
    with_queue(address, &body, |traces, queue| {
        let (send, handled) = (format!("send {}", queue.name()), traces.spans("charge_card"));
        assert_eq!(handled.len(), 3);
        for span in handled {
            assert_eq!(span.parent().map(Span::name), Some(&*send), "{traces}");
        }
    });
}

fn a_batch_of_large_messages_is_sent(address: &str) {
    let body = async |queue: &Queue| {
        let baggage = format!("cart={}", "x".repeat(8000));
        let sender = [("traceparent", SENDER), ("baggage", &baggage)];
        let sender = TraceContext::read_from(&sender);
        let entry = |number: usize| {
            let entry = SendMessageBatchRequestEntry::builder().id(number.to_string());
            entry.message_body("x".repeat(100_000)).build().expect("it has an id and a body")
        };
        let mut orders: Vec<_> = (0..10).map(entry).collect();
        for order in &mut orders {
            sender.write_to(order);
        }
        let batch = queue.client.send_message_batch().queue_url(&queue.url);
        let sent = batch.set_entries(Some(orders)).send().await.expect("sent");
        assert_eq!(sent.successful().len(), 10);
        charge_card(&queue.next().await).await;
    };
    with_queue(address, &body, |traces, _| {
        traces.span("charge_card").continues(SENDER);
    });
}

fn headers_of_others_are_read(address: &str) {
    let body = async |queue: &Queue| {
        let bytes = |bytes: &[u8]| {
            let value = MessageAttributeValue::builder().data_type("Binary");
            value.binary_value(Blob::new(bytes)).build().expect("it has a type")
        };
        for (name, value) in [
            ("Traceparent", text(SENDER)),
            ("traceparent", bytes(SENDER.as_bytes())),
            ("traceparent", bytes(&[0xff, 0x00])),
            ("traceparent", text("junk")),
        ] {
            queue.order().message_attributes(name, value).send().await.expect("sent");
            charge_card(&queue.next().await).await;
        }
        // Nobody has asked for the attributes.
        queue.order().message_attributes("traceparent", text(SENDER)).send().await.expect("sent");
        let poll = queue.client.receive_message().queue_url(&queue.url).wait_time_seconds(10);
        let received = poll.send().await.expect("a poll");
        assert_eq!(received.messages().len(), 1);
        charge_card(&received.messages()[0]).await;
    };
    with_queue(address, &body, |traces, _| {
        let because = |reason: &str| {
            let is_so = |span: &Span<'_>| {
                span.attribute("throughline.relation.reason")
                    .is_some_and(|it| it.as_str() == reason)
            };
            traces.spans("charge_card").into_iter().filter(is_so).count()
        };
        let of_sender = |span: &Span<'_>| SENDER.contains(&span.trace_id().to_string());
        assert_eq!(traces.spans("charge_card").iter().filter(|it| of_sender(it)).count(), 2);
        assert_eq!((because("unreadable"), because("no_context")), (2, 1), "{traces}");
    });
}

fn the_header_of_x_ray_is_read(address: &str) {
    let body = async |queue: &Queue| {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let header =
            MessageSystemAttributeValue::builder().data_type("String").string_value(header);
        let by_xray = queue.order().message_system_attributes(
            MessageSystemAttributeNameForSends::AwsTraceHeader,
            header.build().expect("it has a type"),
        );
        by_xray.clone().send().await.expect("sent");
        charge_card(&queue.next().await).await;
        by_xray.message_attributes("traceparent", text(SENDER)).send().await.expect("sent");
        charge_card(&queue.next().await).await;
    };
    with_queue(address, &body, |traces, _| {
        let mut of: Vec<_> =
            traces.spans("charge_card").iter().map(|span| span.trace_id().to_string()).collect();
        of.sort_unstable();
        assert_eq!(of, ["0af7651916cd43dd8448eb211c80319c", "5759e988bd862e3fe1be46a994272793"]);
    });
}

#[async_producer]
async fn announce(order: PublishFluentBuilder) -> Result<PublishOutput, SdkError<PublishError>> {
    order.send().await
}

fn a_message_of_sns_is_continued(address: &str) {
    let sns = || {
        use aws_sdk_sns::config;
        let settings = config::Builder::new()
            .behavior_version(config::BehaviorVersion::latest())
            .region(config::Region::new("eu-central-1"))
            .credentials_provider(config::Credentials::new("test", "test", None, None, "static"))
            .endpoint_url(format!("http://{address}"))
            .http_client(Builder::new().build_http());
        aws_sdk_sns::Client::from_conf(settings.build())
    };
    for raw in [false, true] {
        let body = async |queue: &Queue| {
            let sns = sns();
            let topic = sns.create_topic().name(queue.name()).send().await.expect("a topic");
            let topic = topic.topic_arn.expect("its ARN");
            let queue_arn = format!("arn:aws:sqs:eu-central-1:123456789012:{}", queue.name());
            let subscription =
                sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue_arn);
            let subscription = subscription.attributes("RawMessageDelivery", raw.to_string());
            subscription.send().await.expect("a subscription");

            let order = sns.publish().topic_arn(&topic).message("two lemons");
            announce(order).await.expect("published");
            let order = queue.next().await;
            assert_eq!(order.body() == Some("two lemons"), raw, "{order:?}");
            charge_card(&order).await;
        };
        with_queue(address, &body, |traces, queue| {
            let send = format!("send {}", queue.name());
            let topic = format!("arn:aws:sns:eu-central-1:123456789012:{}", queue.name());
            traces
                .span(&send)
                .has_attribute("messaging.system", "aws.sns")
                .has_attribute("messaging.destination.name", queue.name())
                .has_attribute("aws.sns.topic.arn", topic);
            traces
                .span("charge_card")
                .continues(&send)
                .has_attribute("messaging.system", "aws_sqs");
        });
    }
}
