//! Where a span is made in the source: what `tracing` needs to know once, before it is made.

/// The place in the source where a handler or a producer stands: its function's name and, with the
/// feature `tracing`, the call site that filters and formatters see.
///
/// A name is enough where there is no function to annotate; [`site!`](crate::site) makes one with
/// a target, a level and fields of its own.
///
/// ```
/// use throughline::Site;
///
/// let by_name: Site = "charge_card".into();
/// let in_full = throughline::site!(
///     function: "charge_card",
///     span: "process orders",
///     target: module_path!(),
///     level: INFO,
///     fields: ["order.id"],
/// );
/// # let _ = (by_name, in_full);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Site {
    pub(crate) function: &'static str,
    /// With its module, where it is known.
    pub(crate) qualified_function: &'static str,
    #[cfg(feature = "tracing")]
    pub(crate) callsite: &'static tracing::callsite::DefaultCallsite,
}

impl Site {
    #[doc(hidden)]
    pub const fn __new(
        function: &'static str,
        qualified_function: &'static str,
        #[cfg(feature = "tracing")] callsite: &'static tracing::callsite::DefaultCallsite,
    ) -> Self {
        Self {
            function,
            qualified_function,
            #[cfg(feature = "tracing")]
            callsite,
        }
    }
}

/// All handlers that have only a name share one call site, with the target `throughline`.
impl From<&'static str> for Site {
    fn from(function: &'static str) -> Self {
        Self {
            function,
            qualified_function: function,
            #[cfg(feature = "tracing")]
            callsite: crate::site!(
                function: "handler",
                span: "handler",
                target: "throughline",
                level: INFO,
                fields: [],
            )
            .callsite,
        }
    }
}

/// The [`Site`](crate::Site) of a handler or a producer: function, span name, target, level and
/// the names of its fields. See there for an example.
#[cfg(feature = "tracing")]
#[macro_export]
macro_rules! site {
    (
        function: $function:literal,
        span: $span:literal,
        target: $target:expr,
        level: $level:ident,
        fields: [$($field:literal),* $(,)?] $(,)?
    ) => {{
        static METADATA: $crate::private::tracing::Metadata<'static> =
            $crate::private::tracing::Metadata::new(
                $span,
                $target,
                $crate::private::tracing::Level::$level,
                ::core::option::Option::Some(::core::file!()),
                ::core::option::Option::Some(::core::line!()),
                ::core::option::Option::Some(::core::module_path!()),
                $crate::private::tracing::field::FieldSet::new(
                    &["otel.name", "otel.kind", $($field),*],
                    $crate::private::tracing::callsite::Identifier(&CALLSITE),
                ),
                $crate::private::tracing::metadata::Kind::SPAN,
            );
        static CALLSITE: $crate::private::tracing::callsite::DefaultCallsite =
            $crate::private::tracing::callsite::DefaultCallsite::new(&METADATA);
        $crate::Site::__new(
            $function,
            ::core::concat!(::core::module_path!(), "::", $function),
            &CALLSITE,
        )
    }};
}

/// The [`Site`](crate::Site) of a handler or a producer: function, span name, target, level and
/// the names of its fields. See there for an example.
#[cfg(not(feature = "tracing"))]
#[macro_export]
macro_rules! site {
    (
        function: $function:literal,
        span: $span:literal,
        target: $target:expr,
        level: $level:ident,
        fields: [$($field:literal),* $(,)?] $(,)?
    ) => {
        $crate::Site::__new($function, ::core::concat!(::core::module_path!(), "::", $function))
    };
}
