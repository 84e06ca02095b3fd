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
    let __result: Result<(), PaymentError> = (&mut __span)
        .run(async move {
            if let ::core::option::Option::Some(__returned) = ::core::option::Option::<
                Result<(), PaymentError>,
            >::None {
                return __returned;
            }
            { gateway().charge(&msg.card).await }
        })
        .await;
    __span.finish(::throughline::outcome!(& __result));
    __result
}
