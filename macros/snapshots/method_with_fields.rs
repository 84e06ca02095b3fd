/// Puts the order's goods aside.
#[must_use]
pub async fn reserve(
    &self,
    msg: &OrderPlaced,
    state: State,
    shop: &Shop,
) -> impl Display {
    let mut __span = ::throughline::consume(
            ::throughline::site!(
                operation : process, function : "reserve", span : "reserve", target :
                ::core::module_path!(), level : DEBUG, fields : ["order.id", "state",
                "shop key", "outcome"]
            ),
        )
        .link()
        .destination(::std::string::ToString::to_string(&self.topic))
        .fields(
            &[
                ("order.id", ::throughline::field::display(&msg.id)),
                ("state", ::throughline::field::debug(&state)),
                ("shop key", ::throughline::field::value(&(shop.key + 1))),
                ("outcome", ::throughline::field::empty()),
            ],
        )
        .start(&msg);
    #[allow(clippy::async_yields_async)]
    let __result = (&mut __span)
        .run(async move { self.stock.reserve(&msg.goods, state).await })
        .await;
    __span.finish(::throughline::outcome!(& __result));
    __result
}
