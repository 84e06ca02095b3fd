fn count(batch: &[Message], id: Id) {
    {
        mod messaging {
            #[deprecated(note = "`messaging.client_id` is now `messaging.client.id`")]
            macro_rules! client_id {
                () => {};
            }
            #[allow(deprecated)]
            pub(super) use client_id;
        }
        messaging::client_id!();
    }
    let mut __span = ::throughline::consume(
            ::throughline::site!(
                operation : process, function : "count", span : "count", target :
                ::core::module_path!(), level : INFO, fields : ["messaging.client_id",
                "messaging.client.id"]
            ),
        )
        .link()
        .fields(
            &[
                ("messaging.client_id", ::throughline::field::display(&id)),
                ("messaging.client.id", ::throughline::field::display(&id)),
            ],
        )
        .start(&batch);
    let __result = (&mut __span)
        .run_sync(move || -> () {
            COUNTER.add(batch.len());
        });
    __span.finish(::throughline::outcome!(& __result));
    __result
}
