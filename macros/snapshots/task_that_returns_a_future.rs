fn resize(image: Image) -> BoxFuture<'static, Result<Image, ImageError>> {
    let __task = ::throughline::task(
        ::throughline::site!(
            operation : task, function : "resize", span : "resize", target :
            ::core::module_path!(), level : INFO, fields : ["image.id"]
        ),
    );
    let __task = __task
        .link()
        .fields(&[("image.id", ::throughline::field::value(&image.id))]);
    let __future = (&__task)
        .prepare(move || -> BoxFuture<'static, Result<Image, ImageError>> {
            let store = store();
            async move { store.write(image).await }.boxed()
        });
    ::std::boxed::Box::pin(async move {
        let mut __span = __task.start();
        let __result: Result<Image, ImageError> = (&mut __span).run(__future).await;
        __span.finish(::throughline::outcome!(& __result));
        __result
    })
}
