async fn charge_card(msg: OrderPlaced) -> Result<(), PaymentError> {
    let mut __span = ::throughline::consume(
            ::throughline::site!(
                operation : process, function : "charge_card", span : "process orders",
                target : ::core::module_path!(), level : INFO, fields : []
            ),
        )
        .continue_()
        .destination("orders")
        .start(&msg);
    let __result = (&mut __span)
        .run(async move {
            #[allow(clippy::result_large_err)]
            if false {
                return (|| -> Result<(), PaymentError> { ::core::unreachable!() })();
            }
            { gateway().charge(&msg.card).await }
        })
        .await;
    __span.finish(::throughline::outcome!(& __result));
    __result
}
