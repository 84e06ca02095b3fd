fn count<M: Message>(batch: &[M]) {
    let mut __span = ::throughline::consume(
            ::throughline::site!(
                operation : process, function : "count", span : "count", target :
                ::core::module_path!(), level : INFO, fields : []
            ),
        )
        .link_nested()
        .start(&batch);
    let __result = (&mut __span)
        .run_sync(move || -> () {
            COUNTER.add(batch.len());
        });
    __span.finish(::throughline::outcome!(& __result));
    __result
}
