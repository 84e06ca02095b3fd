//! `fields(..)`: the syntax of `tracing::instrument`.

use throughline::{async_consumer, async_producer};
use throughline_tests::{Headers, in_both_worlds};

use crate::with_a_log;

const SHARD: &str = "shard.number";
const DEFAULT_SHARD: i64 = 4;

struct Order {
    id: u32,
}

#[async_consumer(
    link,
    from = message,
    fields(
        order.id,
        ?shape,
        %customer,
        weight,
        "a quoted key" = 1,
        r#type = "express",
        sum = order.id + 1,
        shown = %customer.to_uppercase(),
        %twice = customer,
        {SHARD} = DEFAULT_SHARD,
        DEFAULT_SHARD,
        later = Empty,
        also_later = tracing::field::Empty,
    )
)]
fn every_form(message: &Headers, order: &Order, shape: (u8, u8), customer: &str, weight: f64) {
    let _ = (message, order, shape, customer, weight);
}

#[async_consumer(link)]
fn nothing_asked(#[message] message: &Headers, customer: &str) {
    let _ = (message, customer);
}

#[async_producer(destination = "orders", fields(order.id, size = message.len()))]
fn publish(order: Order, #[message] message: Headers) -> (Order, Headers) {
    (order, message)
}

#[test]
fn values_names_and_shorthands() {
    in_both_worlds(|capture| {
        let traces =
            capture.run_sync(|| every_form(&Headers::new(), &Order { id: 7 }, (1, 2), "Ada", 2.5));
        traces
            .span("every_form")
            .has_attribute("order.id", 7)
            .has_attribute("shape", "(1, 2)")
            .has_attribute("customer", "Ada")
            .has_attribute("weight", 2.5)
            .has_attribute("a quoted key", 1)
            .has_attribute("type", "express")
            .has_attribute("sum", 8)
            .has_attribute("shown", "ADA")
            .has_attribute("twice", "Ada")
            .has_attribute("shard.number", 4)
            .has_attribute("DEFAULT_SHARD", 4)
            .has_no_attribute("later")
            .has_no_attribute("also_later");
    });
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| publish(Order { id: 7 }, Headers::new()));
        traces.span("send orders").has_attribute("order.id", 7).has_attribute("size", 0);
    });
}

#[test]
fn arguments_are_not_recorded_unless_asked() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| nothing_asked(&Headers::new(), "Ada"));
        traces.span("nothing_asked").has_no_attribute("customer").has_no_attribute("message");
    });
}

#[test]
fn log_lines_have_the_fields_as_tracing_writes_them() {
    with_a_log(|capture| {
        let (_, lines) = capture(&mut || {
            #[async_consumer(link, fields(order.id, %customer, ?shape))]
            fn logging(
                #[message] message: &Headers,
                order: &Order,
                customer: &str,
                shape: (u8, u8),
            ) {
                let _ = (message, order, customer, shape);
                tracing::info!("here");
            }
            logging(&Headers::new(), &Order { id: 7 }, "Ada", (1, 2));
        });
        assert!(lines[0].contains("order.id=7 customer=Ada shape=(1, 2)"), "{lines:?}");
    });
}

#[test]
fn numbers_and_texts_of_every_type_are_what_they_are() {
    #[async_consumer(
        link,
        fields(
            byte = u8::MAX,
            small = i8::MIN,
            short = -7_i16,
            port = u16::MAX,
            size = 70_000_usize,
            offset = -7_isize,
            large = u32::MAX,
            ratio = 0.5_f32,
            fits = i64::MAX.unsigned_abs(),
            does_not_fit = u64::MAX,
            text = std::borrow::Cow::Borrowed("A cow"),
        )
    )]
    fn every_type(message: &Headers) {
        let _ = message;
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| every_type(&Headers::new()));
        traces
            .span("every_type")
            .has_attribute("byte", 255)
            .has_attribute("small", -128)
            .has_attribute("short", -7)
            .has_attribute("port", 65535)
            .has_attribute("size", 70_000)
            .has_attribute("offset", -7)
            .has_attribute("large", u32::MAX)
            .has_attribute("ratio", 0.5)
            .has_attribute("fits", i64::MAX)
            // OpenTelemetry has no number for it.
            .has_attribute("does_not_fit", "18446744073709551615")
            .has_attribute("text", "A cow");
    });
}

#[test]
fn a_part_of_an_argument_stands_for_itself_whatever_the_argument() {
    struct Shard {
        number: i64,
    }

    impl Shard {
        #[async_consumer(link, fields(self.number, first))]
        fn handled(&self, #[message] message: &Headers, whole @ (first, _): (u8, u8)) {
            let _ = (message, whole, first);
        }
    }

    in_both_worlds(|capture| {
        let shard = Shard { number: 4 };
        let traces = capture.run_sync(|| shard.handled(&Headers::new(), (1, 2)));
        traces.span("handled").has_attribute("self.number", 4).has_attribute("first", 1);
    });
}
