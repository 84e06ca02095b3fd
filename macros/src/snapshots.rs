//! Whole expansions, as a person would read them, in `macros/snapshots/`.
//!
//! `THROUGHLINE_SNAPSHOTS=overwrite cargo test -p throughline-macros` writes them anew; read the difference then.

use std::{fs, path::PathBuf};

use proc_macro2::TokenStream;
use quote::quote;

use crate::{derive, expand};

fn assert_snapshot(name: &str, expansion: TokenStream) {
    let file: syn::File = syn::parse2(expansion).expect("an expansion is made of items");
    let printed = prettyplease::unparse(&file);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("snapshots").join(name);
    if std::env::var_os("THROUGHLINE_SNAPSHOTS").is_some_and(|wish| wish == "overwrite") {
        fs::write(&path, &printed).expect("the snapshot can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(printed, expected, "{name} differs from what the macro now writes");
}

/// `#[derive(Message, MessageMut)]`
fn derived(item: &TokenStream) -> TokenStream {
    let input = || syn::parse2(item.clone()).expect("a struct or an enum");
    [derive::message(input()), derive::message_mut(input())].into_iter().collect()
}

#[test]
fn async_function() {
    let options = quote!(continue, destination = "orders");
    let item = quote! {
        async fn charge_card(msg: OrderPlaced) -> Result<(), PaymentError> {
            gateway().charge(&msg.card).await
        }
    };
    assert_snapshot("async_function.rs", expand::consumer(options, item));
}

#[test]
fn method_with_fields() {
    let options = quote!(
        link,
        destination = self.topic,
        level = "debug",
        fields(order.id = %msg.id, ?state, "shop key" = shop.key + 1, outcome = Empty)
    );
    let item = quote! {
        /// Puts the order's goods aside.
        #[must_use]
        pub async fn reserve(&self, #[message] msg: &OrderPlaced, state: State, shop: &Shop) -> impl Display {
            self.stock.reserve(&msg.goods, state).await
        }
    };
    assert_snapshot("method_with_fields.rs", expand::consumer(options, item));
}

#[test]
fn sync_function() {
    let options = quote!(link, nested);
    let item = quote! {
        fn count<M: Message>(batch: &[M]) {
            COUNTER.add(batch.len());
        }
    };
    assert_snapshot("sync_function.rs", expand::consumer(options, item));
}

#[test]
fn pattern_argument() {
    let options = quote!(mode = relation(customer), fields(customer));
    let item = quote! {
        async fn welcome(SignedUp { ref customer, mut mail, .. }: SignedUp) {
            mail.greet(customer).await;
        }
    };
    assert_snapshot("pattern_argument.rs", expand::consumer(options, item));
}

#[test]
fn producer() {
    let options = quote!(destination = "orders", existing = keep, fields(order.id = %msg.id));
    let item = quote! {
        async fn publish(&self, msg: OrderPlaced) -> Result<(), BrokerError> {
            self.broker.send(msg).await
        }
    };
    assert_snapshot("producer.rs", expand::producer(options, item));
}

#[test]
fn producer_into() {
    let options = quote!(into = record.headers);
    let item = quote! {
        fn publish(topic: &str, record: Record) -> Result<(), BrokerError> {
            queue(topic).push(record)
        }
    };
    assert_snapshot("producer_into.rs", expand::producer(options, item));
}

#[test]
fn derived_struct() {
    let item = quote! {
        #[message(system = "shop", destination = self.topic())]
        pub struct Job<'a, H> {
            #[message(headers)]
            headers: H,
            #[message(id)]
            number: u64,
            #[message(conversation_id, display)]
            conversation: &'a Uuid,
            #[message(body)]
            r#type: Vec<u8>,
            note: String,
        }
    };
    assert_snapshot("derived_struct.rs", derived(&item));
}

#[test]
fn derived_enum() {
    let item = quote! {
        #[message(system = "shop", crate = company::throughline)]
        enum Event<P> {
            Placed(#[message(headers)] Traced<P>, #[message(id)] u64),
            #[message(no_context, destination = "ticks")]
            Tick,
        }
    };
    assert_snapshot("derived_enum.rs", derived(&item));
}

#[test]
fn derived_mistake() {
    let item = quote! {
        struct Job<H> {
            #[message(haeders)]
            headers: H,
        }
    };
    assert_snapshot("derived_mistake.rs", derived(&item));
}

#[test]
fn task() {
    let options = quote!(continue, fields(image.id = image.id, ?size));
    let item = quote! {
        async fn resize(&self, mut image: Image, #[allow(unused)] size @ (width, _): (u32, u32)) -> Result<Image, ImageError> {
            image.scale(width);
            self.store.write(image).await
        }
    };
    assert_snapshot("task.rs", expand::task(options, item));
}

#[test]
fn task_that_returns_a_future() {
    let options = quote!(link, fields(image.id = image.id));
    let item = quote! {
        fn resize(image: Image) -> BoxFuture<'static, Result<Image, ImageError>> {
            let store = store();
            async move { store.write(image).await }.boxed()
        }
    };
    assert_snapshot("task_that_returns_a_future.rs", expand::task(options, item));
}

#[test]
fn warning() {
    let options = quote!(link, fields(messaging.client_id = %id, messaging.client.id = %id));
    let item = quote! {
        fn count(#[message] batch: &[Message], id: Id) {
            COUNTER.add(batch.len());
        }
    };
    assert_snapshot("warning.rs", expand::consumer(options, item));
}

#[test]
fn mistake() {
    let options = quote!(lnk);
    let item = quote! {
        async fn charge_card(#[message] msg: OrderPlaced, now: Instant) {}
    };
    assert_snapshot("mistake.rs", expand::consumer(options, item));
}
