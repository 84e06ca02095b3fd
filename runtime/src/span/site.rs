//! Where a span is made in the source: what `tracing` needs to know once, before it is made.

/// The place in the source where a handler, a producer or a task stands: its function's name and,
/// with the feature `tracing`, the call site that filters and formatters see.
///
/// A name is enough where there is no function to annotate; [`site!`](crate::site) makes one with
/// a target, a level and fields of its own.
///
/// ```
/// use throughline::Site;
///
/// let by_name: Site = "charge_card".into();
/// let in_full = throughline::site!(
///     operation: process,
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
    /// The event that tells of a failure.
    #[cfg(feature = "tracing")]
    pub(crate) failure: &'static tracing::callsite::DefaultCallsite,
}

impl Site {
    #[doc(hidden)]
    pub const fn __new(
        function: &'static str,
        qualified_function: &'static str,
        #[cfg(feature = "tracing")] callsite: &'static tracing::callsite::DefaultCallsite,
        #[cfg(feature = "tracing")] failure: &'static tracing::callsite::DefaultCallsite,
    ) -> Self {
        Self {
            function,
            qualified_function,
            #[cfg(feature = "tracing")]
            callsite,
            #[cfg(feature = "tracing")]
            failure,
        }
    }
}

/// All handlers that have only a name share one call site, with the target `throughline`; so do all
/// producers, all tasks and so on.
impl From<&'static str> for Site {
    fn from(function: &'static str) -> Self {
        let mut site = named();
        site.function = function;
        site.qualified_function = function;
        site
    }
}

/// What has only a name says in log lines what it is, and tells a failure as what it is.
macro_rules! sites_by_name {
    ($($of:ident: $operation:ident, $span:literal;)+) => {
        impl Site {$(
            #[cfg(feature = "tracing")]
            pub(crate) fn $of(self) -> Self {
                if !self.has_only_a_name() {
                    return self;
                }
                let Self { function, qualified_function, .. } = self;
                let shared = crate::site!(
                    operation: $operation,
                    function: "",
                    span: $span,
                    target: "throughline",
                    level: INFO,
                    fields: [],
                );
                Self { function, qualified_function, ..shared }
            }

            #[cfg(not(feature = "tracing"))]
            pub(crate) fn $of(self) -> Self {
                self
            }
        )+}
    };
}

sites_by_name! {
    of_a_task: task, "task";
    of_a_send: send, "send";
    of_a_create: create, "create";
    of_a_receive: receive, "receive";
    of_a_settle: settle, "settle";
}

#[cfg(feature = "tracing")]
impl Site {
    fn has_only_a_name(self) -> bool {
        std::ptr::eq(self.callsite, named().callsite)
    }
}

fn named() -> Site {
    crate::site!(
        operation: process,
        function: "handler",
        span: "handler",
        target: "throughline",
        level: INFO,
        fields: [],
    )
}

/// The [`Site`](crate::Site) of a handler, a producer or a task: what it is (`process`, `send`,
/// `create`, `receive`, `settle` or `task`), function, span name, target, level and the names of its fields. See there for an
/// example.
#[cfg(feature = "tracing")]
#[macro_export]
macro_rules! site {
    (
        operation: $operation:ident,
        function: $function:literal,
        span: $span:literal,
        target: $target:expr,
        level: $level:ident,
        fields: [$($field:expr),* $(,)?] $(,)?
    ) => {{
        $crate::__callsite!(
            SPAN: SPAN, $span, $target, $crate::private::tracing::Level::$level,
            &["otel.name", "otel.kind", $($field),*]
        );
        $crate::__callsite!(
            FAILURE: EVENT, $crate::private::failure::$operation::NAME, $target,
            $crate::private::failure::$operation::LEVEL, $crate::private::failure::FIELDS
        );
        $crate::Site::__new(
            $function,
            ::core::concat!(::core::module_path!(), "::", $function),
            &SPAN,
            &FAILURE,
        )
    }};
}

/// A call site of `tracing`, as its own macros make one.
#[cfg(feature = "tracing")]
#[doc(hidden)]
#[macro_export]
macro_rules! __callsite {
    (
        $callsite:ident: $kind:ident, $name:expr, $target:expr, $level:expr, $fields:expr
    ) => {
        static $callsite: $crate::private::tracing::callsite::DefaultCallsite = {
            static METADATA: $crate::private::tracing::Metadata<'static> =
                $crate::private::tracing::Metadata::new(
                    $name,
                    $target,
                    $level,
                    ::core::option::Option::Some(::core::file!()),
                    ::core::option::Option::Some(::core::line!()),
                    ::core::option::Option::Some(::core::module_path!()),
                    $crate::private::tracing::field::FieldSet::new(
                        $fields,
                        $crate::private::tracing::callsite::Identifier(&$callsite),
                    ),
                    $crate::private::tracing::metadata::Kind::$kind,
                );
            $crate::private::tracing::callsite::DefaultCallsite::new(&METADATA)
        };
    };
}

/// The [`Site`](crate::Site) of a handler, a producer or a task: what it is (`process`, `send`,
/// `create`, `receive`, `settle` or `task`), function, span name, target, level and the names of its fields. See there for an
/// example.
#[cfg(not(feature = "tracing"))]
#[macro_export]
macro_rules! site {
    (
        operation: $operation:ident,
        function: $function:literal,
        span: $span:literal,
        target: $target:expr,
        level: $level:ident,
        fields: [$($field:expr),* $(,)?] $(,)?
    ) => {
        $crate::Site::__new($function, ::core::concat!(::core::module_path!(), "::", $function))
    };
}
