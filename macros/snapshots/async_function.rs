async fn charge_card(msg: OrderPlaced) -> Result<(), PaymentError> {
    let mut __span = ::throughline::consume(
            ::throughline::site!(
                function : "charge_card", span : "process orders", target :
                ::core::module_path!(), level : INFO, fields : []
            ),
        )
        .continue_()
        .destination("orders")
        .start(&msg);
    let __result: Result<(), PaymentError> = __span
        .run(async move {
            #[allow(
                unreachable_code,
                clippy::diverging_sub_expression,
                clippy::empty_loop,
                clippy::let_unit_value,
                clippy::let_with_type_underscore,
                clippy::needless_return,
                clippy::type_complexity
            )]
            if false {
                let __returned: Result<(), PaymentError> = loop {};
                return __returned;
            }
            { gateway().charge(&msg.card).await }
        })
        .await;
    __span.finish(::throughline::outcome!(& __result));
    __result
}
