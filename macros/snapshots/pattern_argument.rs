async fn welcome(__message: SignedUp) {
    #[allow(unused_variables)]
    let SignedUp { customer, mail, .. } = &__message;
    let mut __span = ::throughline::consume(
            ::throughline::site!(
                function : "welcome", span : "welcome", target : ::core::module_path!(),
                level : INFO, fields : ["customer"]
            ),
        )
        .relation(relation(customer))
        .fields(&[("customer", ::throughline::field::value(&customer))])
        .start(&__message);
    let __result: () = __span
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
                let __returned: () = loop {};
                return __returned;
            }
            let SignedUp { ref customer, mut mail, .. } = __message;
            {
                mail.greet(customer).await;
            }
        })
        .await;
    __span.finish(::throughline::outcome!(& __result));
    __result
}
