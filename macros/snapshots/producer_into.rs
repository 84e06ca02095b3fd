fn publish(topic: &str, mut record: Record) -> Result<(), BrokerError> {
    let mut __span = ::throughline::produce(
            ::throughline::site!(
                operation : send, function : "publish", span : "publish", target :
                ::core::module_path!(), level : INFO, fields : []
            ),
        )
        .start(&mut record.headers);
    let __result = (&mut __span)
        .run_sync(move || -> Result<(), BrokerError> {
            #[allow(unused_variables)]
            let record = record;
            { queue(topic).push(record) }
        });
    __span.finish(::throughline::outcome!(& __result));
    __result
}
