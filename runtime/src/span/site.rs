//! Where a span is made in the source: what `tracing` needs to know once, before it is made.

#[cfg(feature = "tracing")]
use tracing::callsite::DefaultCallsite;

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
    place: &'static Place,
    /// Where all that have only a name share a place.
    named: Option<&'static str>,
}

/// What is known of a [`Site`] when it is compiled.
#[doc(hidden)]
#[derive(Debug)]
pub struct Place {
    function: &'static str,
    /// With its module.
    qualified_function: &'static str,
    /// What its span is called, as far as that can be known.
    span: &'static str,
    #[cfg(feature = "tracing")]
    callsite: &'static DefaultCallsite,
    /// The event that tells of a failure.
    #[cfg(feature = "tracing")]
    failure: &'static DefaultCallsite,
}

impl Place {
    #[doc(hidden)]
    pub const fn __new(
        function: &'static str,
        qualified_function: &'static str,
        span: &'static str,
        #[cfg(feature = "tracing")] callsite: &'static DefaultCallsite,
        #[cfg(feature = "tracing")] failure: &'static DefaultCallsite,
    ) -> Self {
        Self {
            function,
            qualified_function,
            span,
            #[cfg(feature = "tracing")]
            callsite,
            #[cfg(feature = "tracing")]
            failure,
        }
    }
}

/// The fields that a span has before the user's. Two are recorded. The others stand for attributes, which are
/// set past `tracing` so that no log line repeats them. They are named all the same: a bridge makes room for as
/// many attributes as a span has fields, and to move those later takes a tenth of all that a span takes.
#[cfg(feature = "tracing")]
pub mod own_fields {
    use crate::semconv::key;

    /// Of a handler, a producer, a poll or a settlement.
    pub const OF_AN_OPERATION: [&str; 6] = [
        "otel.name",
        "otel.kind",
        key::OPERATION_NAME,
        key::OPERATION_TYPE,
        key::FUNCTION_NAME,
        key::RELATION_KIND,
    ];

    /// Of a task.
    pub const OF_A_TASK: [&str; 6] = [
        "otel.name",
        "otel.kind",
        key::FUNCTION_NAME,
        key::RELATION_KIND,
        key::RELATION_REASON,
        key::ERROR_TYPE,
    ];
}

impl Site {
    #[doc(hidden)]
    #[inline]
    pub const fn __at(place: &'static Place) -> Self {
        Self { place, named: None }
    }

    pub(crate) fn function(self) -> &'static str {
        self.named.unwrap_or(self.place.function)
    }

    /// With its module, where it is known.
    pub(crate) fn qualified_function(self) -> &'static str {
        self.named.unwrap_or(self.place.qualified_function)
    }

    /// What its span is called, as far as that was known when it was compiled.
    pub(crate) fn span(self) -> &'static str {
        self.place.span
    }

    #[cfg(feature = "tracing")]
    pub(crate) fn callsite(self) -> &'static DefaultCallsite {
        self.place.callsite
    }

    /// The event that tells of a failure.
    #[cfg(feature = "tracing")]
    pub(crate) fn failure(self) -> &'static DefaultCallsite {
        self.place.failure
    }
}

/// All handlers that have only a name share one call site, with the target `throughline`; so do all
/// producers, all tasks and so on.
impl From<&'static str> for Site {
    fn from(function: &'static str) -> Self {
        Self { named: Some(function), ..named() }
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
                let shared = crate::site!(
                    operation: $operation,
                    function: "",
                    span: $span,
                    target: "throughline",
                    level: INFO,
                    fields: [],
                );
                Self { named: self.named, ..shared }
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
        std::ptr::eq(self.place, named().place)
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
            $crate::__fields!($operation: $($field),*)
        );
        $crate::__callsite!(
            FAILURE: EVENT, $crate::private::failure::$operation::NAME, $target,
            $crate::private::failure::$operation::LEVEL, $crate::private::failure::FIELDS
        );
        static PLACE: $crate::private::Place = $crate::private::Place::__new(
            $function,
            ::core::concat!(::core::module_path!(), "::", $function),
            $span,
            &SPAN,
            &FAILURE,
        );
        $crate::Site::__at(&PLACE)
    }};
}

/// The names of a span's own fields, and then of the user's.
#[cfg(feature = "tracing")]
#[doc(hidden)]
#[macro_export]
macro_rules! __fields {
    (task: $($field:expr),*) => {
        $crate::__fields!($crate::private::own_fields::OF_A_TASK; $($field),*)
    };
    ($operation:ident: $($field:expr),*) => {
        $crate::__fields!($crate::private::own_fields::OF_AN_OPERATION; $($field),*)
    };
    ($own:path; $($field:expr),*) => {
        &[$own[0], $own[1], $own[2], $own[3], $own[4], $own[5], $($field),*]
    };
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
    ) => {{
        static PLACE: $crate::private::Place = $crate::private::Place::__new(
            $function,
            ::core::concat!(::core::module_path!(), "::", $function),
            $span,
        );
        $crate::Site::__at(&PLACE)
    }};
}
