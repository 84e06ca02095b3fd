async fn publish(&self, mut msg: OrderPlaced) -> Result<(), BrokerError> {
    let mut __span = ::throughline::produce(
            ::throughline::site!(
                operation : send, function : "publish", span : "send orders", target :
                ::core::module_path!(), level : INFO, fields : ["order.id"]
            ),
        )
        .existing(::throughline::Existing::Keep)
        .destination("orders")
        .fields(&[("order.id", ::throughline::field::display(&msg.id).into_owned())])
        .start(&mut msg);
    let __result: Result<(), BrokerError> = (&mut __span)
        .run(async move {
            if let ::core::option::Option::Some(__returned) = ::core::option::Option::<
                Result<(), BrokerError>,
            >::None {
                return __returned;
            }
            { self.broker.send(msg).await }
        })
        .await;
    __span.finish(::throughline::outcome!(& __result));
    __result
}
