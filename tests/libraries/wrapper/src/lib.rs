//! A crate that wraps throughline for the services of one company.
//!
//! It shows how to hand on the attributes to crates that do not depend on throughline: re-export
//! the crate, and say with `crate = PATH` where generated code finds it. In a `macro_rules!` the
//! path begins with `$crate`, so it holds whatever a service calls this crate. The features that
//! services need are handed on in `Cargo.toml`. `../wrapper-user` is such a service.

pub use throughline;

/// A handler as this company wants it: it says where its messages come from, and all of them come
/// over the company's bus. Further options are those of `async_consumer`.
///
/// ```
/// use throughline_test_wrapper::{handler, throughline::Traced};
///
/// handler! {
///     (link, "orders", fields(order.id = *order))
///     async fn send_newsletter(order: Traced<u32>) {}
/// }
/// ```
#[macro_export]
macro_rules! handler {
    (($relation:ident, $destination:expr $(, $($option:tt)+)?) $handler:item) => {
        #[$crate::throughline::async_consumer(
            $relation,
            system = "company_bus",
            destination = $destination,
            crate = $crate::throughline
            $(, $($option)+)?
        )]
        $handler
    };
}
