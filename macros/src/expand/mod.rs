//! The tokens. They start the span, run the body, end the span, by calls to the runtime's public builder: what the span
//! is, and when, is decided there.

mod binding;
mod body;
mod called;
mod described;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::ext::IdentExt as _;

use crate::{
    args::{Common, ConsumerOptions, ProducerOptions, TaskOptions, Text},
    check::{self, Checked},
    fallback, instrument,
    item::Function,
    message::Message,
};
use binding::Bound;
use body::Start;
pub(crate) use described::reference_at;

// Input:
//     #[async_consumer(continue, destination = "orders", fields(order.id = %msg.id))]
//     async fn charge_card(msg: OrderPlaced) -> Result<(), PaymentError> { gateway().charge(&msg.card).await }
//
// Output:
//     async fn charge_card(msg: OrderPlaced) -> Result<(), PaymentError> {
//         let mut __span = ::throughline::consume(::throughline::site!(
//                 operation: process, function: "charge_card", span: "process orders",
//                 target: ::core::module_path!(), level: INFO, fields: ["order.id"]))
//             .continue_()
//             .destination("orders")
//             .fields(&[("order.id", ::throughline::field::display(&msg.id))])
//             .start(&msg);
//         let __result = (&mut __span).run(async move {
//             /* return_type_edge */
//             { gateway().charge(&msg.card).await }
//         }).await;
//         __span.finish(::throughline::outcome!(&__result));
//         __result
//     }
pub(crate) fn consumer(options: TokenStream, item: TokenStream) -> TokenStream {
    let options = match instrument::put_first::<ConsumerOptions>(options, &item, &["instrument"]) {
        Ok(reordered) => return reordered,
        Err(options) => options,
    };
    let mentioned = described::idents(options.clone());
    let Checked { options, mut function, message } = match check::consumer(options, item) {
        Ok(checked) => checked,
        Err(refused) => return fallback::as_written(&refused.mistakes, &refused.item),
    };
    let common = &options.common;
    let consume = common.runtime("consume");
    let site = site(common, &function, "process");
    let own = described::consumer(&options);
    let shared = described::common(common, &[]);
    let bound = match &message {
        Message::Argument(position) => binding::borrowed(&mut function, *position, &mentioned),
        Message::Expression(expr) => Bound::direct(described::reference(None, expr)),
    };
    let described = quote_spanned!(mixed()=> #consume(#site) #own #shared);
    body::in_span(&function, common, &Start::AtFirstPoll { described }, &bound)
}

// Input:
//     #[async_producer(destination = "orders")]
//     async fn publish(msg: OrderPlaced) -> Result<(), BrokerError> { broker().send(msg).await }
//
// Output, but for `mut` as a consumer's:
//     async fn publish(mut msg: OrderPlaced) -> Result<(), BrokerError> {
//         let mut __span = ::throughline::produce(::throughline::site!(..))
//             .destination("orders")
//             .start(&mut msg);
//         ..
//     }
pub(crate) fn producer(options: TokenStream, item: TokenStream) -> TokenStream {
    let options = match instrument::put_first::<ProducerOptions>(options, &item, &["instrument"]) {
        Ok(reordered) => return reordered,
        Err(options) => options,
    };
    let mentioned = described::idents(options.clone());
    let Checked { options, mut function, message } = match check::producer(options, item) {
        Ok(checked) => checked,
        Err(refused) => return fallback::as_written(&refused.mistakes, &refused.item),
    };
    let common = &options.common;
    let produce = common.runtime("produce");
    let site = site(common, &function, "send");
    let own = described::producer(&options);
    let written = match &message {
        Message::Argument(position) => binding::names(&function, *position),
        Message::Expression(expr) => described::idents(expr.to_token_stream()),
    };
    let shared = described::common(common, &written);
    let bound = match &message {
        Message::Argument(position) => binding::borrowed_mut(&mut function, *position, &mentioned),
        Message::Expression(expr) => binding::place(&mut function, expr),
    };
    let described = quote_spanned!(mixed()=> #produce(#site) #own #shared);
    body::in_span(&function, common, &Start::WhenCalled { described }, &bound)
}

// Input:
//     #[async_task(continue, fields(image.id = image.id))]
//     async fn resize(image: Image) -> Result<Image, Error> { scaled(image).await }
//
// Output:
//     fn resize(image: Image) -> impl Future<Output = Result<Image, Error>> {
//         let __task = ::throughline::task(::throughline::site!(..));
//         async move {
//             let image = image;
//             let mut __span = __task
//                 .continue_()
//                 .start_with(&[("image.id", ::throughline::field::value(&image.id))]);
//             ..
//         }
//     }
pub(crate) fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    // `main` and `test` want an `async fn`, which a task no longer is.
    let before = ["instrument", "main", "test"];
    let options = match instrument::put_first::<TaskOptions>(options, &item, &before) {
        Ok(reordered) => return reordered,
        Err(options) => options,
    };
    let Checked { options, function, message: () } = match check::task(options, item) {
        Ok(checked) => checked,
        Err(refused) => return fallback::as_written(&refused.mistakes, &refused.item),
    };
    let common = &options.common;
    let task = common.runtime("task");
    let site = site(common, &function, "task");
    let own = described::task(&options);
    let shared = described::but_for_fields(common);
    let start = Start::ForCaller {
        noted: quote_spanned!(mixed()=> let __task = #task(#site);),
        described: quote_spanned!(mixed()=> __task #own #shared),
        fields: described::fields(common, &[]),
    };
    body::in_span(&function, common, &start, &Bound::none())
}

/// Our names can't be seen from the user's code, nor theirs be taken for ours.
pub(crate) fn mixed() -> Span {
    Span::mixed_site()
}

/// Ours in every way but where an error about it is shown.
fn mixed_at(location: Span) -> Span {
    mixed().located_at(location)
}

/// What is known of the span when the function is compiled.
fn site(common: &Common, function: &Function, default_operation: &str) -> TokenStream {
    let site = common.runtime("site");
    let function = function.signature.ident.unraw().to_string();
    let operation = Ident::new(default_operation, mixed());
    let destination = common.destination_template.as_ref().or(common.destination.as_ref());
    let span = match (&common.name, destination, &common.operation) {
        (Some(name), ..) => literal(&name.value),
        (None, Some(destination), None) => literal(&destination.value)
            .map(|destination| format!("{default_operation} {destination}")),
        (None, Some(destination), Some(operation)) => literal(&operation.value)
            .zip(literal(&destination.value))
            .map(|(operation, destination)| format!("{operation} {destination}")),
        (None, None, _) => None,
    }
    .unwrap_or_else(|| function.clone());
    let target = common.target.as_ref().map_or_else(
        || quote_spanned!(mixed()=> ::core::module_path!()),
        |given| given.value.to_token_stream(),
    );
    let level = match &common.level {
        Some(given) => given.value.clone(),
        None => Ident::new("INFO", mixed()),
    };
    let fields = common.fields.iter().flat_map(|given| &given.value).map(|field| &field.name);
    quote_spanned! {mixed()=>
        #site!(operation: #operation, function: #function, span: #span, target: #target, level: #level, fields: [#(#fields),*])
    }
}

fn literal(text: &Text) -> Option<String> {
    match text {
        Text::Literal(literal) => Some(literal.value()),
        Text::Computed(_) => None,
    }
}

/// The spans of all tokens, a group's as its two delimiters.
pub(crate) fn ends(tokens: TokenStream) -> Box<dyn Iterator<Item = Span>> {
    Box::new(tokens.into_iter().flat_map(|tree| match tree {
        TokenTree::Group(group) if group.delimiter() == proc_macro2::Delimiter::None => {
            ends(group.stream())
        }
        TokenTree::Group(group) => Box::new([group.span_open(), group.span_close()].into_iter()),
        other => Box::new(std::iter::once(other.span())) as Box<dyn Iterator<Item = Span>>,
    }))
}
