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
    let __result = (&mut __span)
        .run(async move {
            #[allow(clippy::result_large_err)]
            if false {
                return (|| -> Result<(), BrokerError> { ::core::unreachable!() })();
            }
            #[allow(unused_variables)]
            let msg = msg;
            { self.broker.send(msg).await }
        })
        .await;
    __span.finish(::throughline::outcome!(& __result));
    __result
}
