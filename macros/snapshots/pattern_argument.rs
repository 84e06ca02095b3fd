async fn welcome(message: SignedUp) {
    #[allow(unused_mut, unused_variables, non_shorthand_field_patterns)]
    let SignedUp { customer, mail, .. } = &message;
    let mut __span = ::throughline::consume(
            ::throughline::site!(
                operation : process, function : "welcome", span : "welcome", target :
                ::core::module_path!(), level : INFO, fields : ["customer"]
            ),
        )
        .relation(relation(customer))
        .fields(&[("customer", ::throughline::field::value(&customer))])
        .start(&message);
    let __result = (&mut __span)
        .run(async move {
            #[allow(clippy::result_large_err)]
            if false {
                return (|| -> () { ::core::unreachable!() })();
            }
            let SignedUp { ref customer, mut mail, .. } = message;
            {
                mail.greet(customer).await;
            }
        })
        .await;
    __span.finish(::throughline::outcome!(& __result));
    __result
}
