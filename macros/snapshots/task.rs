fn resize(
    &self,
    image: Image,
    __argument2: (u32, u32),
) -> impl ::core::future::Future<Output = Result<Image, ImageError>> {
    let __task = ::throughline::task(
        ::throughline::site!(
            operation : task, function : "resize", span : "resize", target :
            ::core::module_path!(), level : INFO, fields : ["image.id", "size"]
        ),
    );
    async move {
        let _ = &self;
        let mut image = image;
        let __argument2 = __argument2;
        #[allow(unused)]
        let size @ (width, _) = __argument2;
        let mut __span = __task
            .continue_()
            .start_with(
                &[
                    ("image.id", ::throughline::field::value(&image.id)),
                    ("size", ::throughline::field::debug(&size)),
                ],
            );
        let __result = (&mut __span)
            .run(async move {
                #[allow(clippy::result_large_err)]
                if false {
                    return (|| -> Result<Image, ImageError> {
                        ::core::unreachable!()
                    })();
                }
                {
                    image.scale(width);
                    self.store.write(image).await
                }
            })
            .await;
        __span.finish(::throughline::outcome!(& __result));
        __result
    }
}
