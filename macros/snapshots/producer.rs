async fn publish(&self, mut msg: OrderPlaced) -> Result<(), BrokerError> {
    let mut __span = ::throughline::produce(
            ::throughline::site!(
                function : "publish", span : "send orders", target :
                ::core::module_path!(), level : INFO, fields : ["order.id"]
            ),
        )
        .existing(::throughline::Existing::Keep)
        .destination("orders")
        .fields(&[("order.id", ::throughline::field::display(&msg.id).into_owned())])
        .start(&mut msg);
    let __result: Result<(), BrokerError> = __span
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
                let __returned: Result<(), BrokerError> = loop {};
                return __returned;
            }
            { self.broker.send(msg).await }
        })
        .await;
    __span.finish(::throughline::outcome!(& __result));
    __result
}
