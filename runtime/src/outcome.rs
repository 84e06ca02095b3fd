//! How a handler ended, as a span tells it.

use std::any::type_name;
use std::borrow::Cow;
use std::fmt::{Debug, Display};
use std::hash::{Hash, Hasher};
use std::mem::discriminant;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanRef, Status};

use crate::semconv::{error_type, key, outcome};

/// How a handler ended.
///
/// Success leaves the span's status unset, as the conventions ask (section "Recording errors").
///
/// ```
/// use throughline::Outcome;
///
/// let refused = Outcome::error("card_refused").describe("the bank said no");
/// assert!(refused.is_error());
/// assert!(!Outcome::ok().is_error());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    name: Option<Cow<'static, str>>,
    failure: Option<Failure>,
    is_retried: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) error_type: Cow<'static, str>,
    pub(crate) description: Cow<'static, str>,
    detail: Option<String>,
}

impl Failure {
    /// What a log says of it.
    #[cfg(feature = "tracing")]
    pub(crate) fn text(&self) -> &str {
        self.detail.as_deref().unwrap_or(&self.description)
    }
}

impl Outcome {
    /// It did what it was to do.
    pub fn ok() -> Self {
        Self { name: None, failure: None, is_retried: false }
    }

    /// It failed. `error_type` becomes `error.type` and must be one of few values: a type's name,
    /// a code, never a text with ids in it.
    pub fn error(error_type: impl Into<Cow<'static, str>>) -> Self {
        let failure =
            Failure { error_type: error_type.into(), description: Cow::Borrowed(""), detail: None };
        Self { failure: Some(failure), ..Self::ok() }
    }

    /// Adds what a person wants to read about the failure. Has no effect on a success.
    #[must_use]
    pub fn describe(mut self, description: impl Into<Cow<'static, str>>) -> Self {
        if let Some(failure) = &mut self.failure {
            failure.description = description.into();
        }
        self
    }

    /// Adds what the log is to say of the failure in place of the description: more than a span
    /// should hold. Has no effect on a success.
    ///
    /// ```
    /// use throughline::Outcome;
    /// let refused = Outcome::error("Refused").describe("no funds").detail("balance: 3, asked: 12");
    /// # assert!(refused.is_error());
    /// ```
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        if let Some(failure) = &mut self.failure {
            failure.detail = Some(detail.into());
        }
        self
    }

    /// Names the outcome, as `throughline.outcome.name`: `ack`, `nack`, `requeue`, `dead_letter`. One of
    /// few.
    ///
    /// ```
    /// use throughline::Outcome;
    /// let acknowledged = Outcome::ok().named("ack");
    /// # assert!(!acknowledged.is_error());
    /// ```
    #[must_use]
    pub fn named(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// It failed and will be tried again: no final failure, so the span is no error (conventions,
    /// "Recording errors"). It is named `retry` unless it has a name of its own, and what failed stands
    /// in `throughline.outcome.reason`. Has no effect on a success.
    ///
    /// ```
    /// use throughline::Outcome;
    /// let later = Outcome::error("PaymentTimeout").retried();
    /// assert!(!later.is_error());
    /// ```
    #[must_use]
    pub fn retried(mut self) -> Self {
        self.is_retried = self.failure.is_some();
        self
    }

    /// Whether it failed for good.
    pub fn is_error(&self) -> bool {
        self.failure.is_some() && !self.is_retried
    }

    /// The outcome of an error that can be displayed, named after its own type.
    ///
    /// ```
    /// use throughline::Outcome;
    /// let error = "x".parse::<u8>().unwrap_err();
    /// assert_eq!(
    ///     Outcome::of_error(&error),
    ///     Outcome::error("ParseIntError").describe("invalid digit found in string"),
    /// );
    /// ```
    pub fn of_error<E: Display + ?Sized>(error: &E) -> Self {
        Self::error(error_type_name::<E>()).describe(error.to_string())
    }

    pub(crate) fn panicked() -> Self {
        Self::error(error_type::PANIC)
    }

    pub(crate) fn cancelled() -> Self {
        Self::error(error_type::CANCELLED)
    }

    /// Tells the span of it.
    #[inline]
    pub(crate) fn tell(self, span: &SpanRef<'_>) {
        if self.name.is_some() || self.failure.is_some() {
            self.tell_in_full(span);
        }
    }

    #[inline(never)]
    fn tell_in_full(self, span: &SpanRef<'_>) {
        let Self { mut name, failure, is_retried } = self;
        if let Some(Failure { error_type, description, .. }) = failure {
            if is_retried {
                name = name.or(Some(Cow::Borrowed(outcome::RETRY)));
                span.set_attribute(KeyValue::new(key::OUTCOME_REASON, error_type));
            } else {
                span.set_attribute(KeyValue::new(key::ERROR_TYPE, error_type));
                span.set_status(Status::error(description));
            }
        }
        if let Some(name) = name {
            span.set_attribute(KeyValue::new(key::OUTCOME_NAME, name));
        }
    }

    /// Whether it failed and will be tried again.
    #[cfg(feature = "metrics")]
    pub(crate) fn is_retried(&self) -> bool {
        self.is_retried
    }

    /// The failure, if it is final.
    #[cfg(any(feature = "tracing", feature = "metrics"))]
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref().filter(|_| !self.is_retried)
    }

    pub(crate) fn of_debug_error<E: Debug + ?Sized>(error: &E) -> Self {
        Self::error(error_type_name::<E>()).describe(format!("{error:?}"))
    }

    /// An `Err` is an error, also where its content alone would be none, as `()` and `None` are.
    pub(crate) fn of_telling_error<E: IntoOutcome>(error: &E) -> Self {
        let said = error.outcome();
        if said.failure.is_some() { said } else { Self::of_silent_error::<E>() }
    }

    pub(crate) fn of_silent_error<E: ?Sized>() -> Self {
        Self::error(error_type_name::<E>())
    }

    /// What can be told of a value of which nothing at all is asked: that it is an `Err`, and the
    /// name of the error's type.
    pub(crate) fn of_anything<T>(value: &T) -> Self {
        match error_in(type_name::<T>()) {
            Some(error) if is_second_variant(value) => Self::error(own_name(error)),
            _ => Self::ok(),
        }
    }
}

/// A value that says how the handler, the producer or the task which returned it ended.
///
/// Implement it for a result type of your own, so that its failures show as such:
///
/// ```
/// use throughline::{IntoOutcome, Outcome};
///
/// enum Reply {
///     Ack,
///     Reject(&'static str),
/// }
///
/// impl IntoOutcome for Reply {
///     fn outcome(&self) -> Outcome {
///         match self {
///             Reply::Ack => Outcome::ok(),
///             Reply::Reject(why) => Outcome::error("rejected").describe(*why),
///         }
///     }
/// }
/// # assert!(Reply::Reject("full").outcome().is_error() && !Reply::Ack.outcome().is_error());
/// ```
///
/// Implemented for an error type, it names the `error.type` of every `Result` that fails with it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say how the code that returned it ended",
    label = "this result has no outcome",
    note = "implement `throughline::IntoOutcome` for it, or end the span yourself: `let mut span = ..start(..); .. span.finish(Outcome::ok())`"
)]
pub trait IntoOutcome {
    /// How the handler ended.
    fn outcome(&self) -> Outcome;
}

impl IntoOutcome for () {
    fn outcome(&self) -> Outcome {
        Outcome::ok()
    }
}

/// `None` is an answer, not an error.
impl<T> IntoOutcome for Option<T> {
    fn outcome(&self) -> Outcome {
        Outcome::ok()
    }
}

impl<T, E: Display> IntoOutcome for Result<T, E> {
    // Of most handlers: a call in each is less code than all of it.
    #[inline(never)]
    fn outcome(&self) -> Outcome {
        self.as_ref().map_or_else(Outcome::of_error, |_| Outcome::ok())
    }
}

/// The type of the error, where the type so named is a `Result`.
///
/// Stable Rust can't ask a type without bounds whether it is one, but it can ask for the name.
fn error_in(type_name: &'static str) -> Option<&'static str> {
    let inside = type_name.strip_prefix("core::result::Result<")?.strip_suffix('>')?;
    let mut depth = 0_usize;
    let mut before = ' ';
    let comma = inside.find(|letter| {
        match letter {
            '<' | '(' | '[' => depth += 1,
            // The `>` of an arrow closes nothing.
            '>' if before == '-' => {}
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = letter;
        letter == ',' && depth == 0
    })?;
    Some(inside[comma + 1..].trim_start())
}

/// Whether this is an enum's second variant: of a `Result`, the `Err`.
///
/// That is asked without bounds by way of the discriminant, which tells its number to a hasher alone.
fn is_second_variant<T>(value: &T) -> bool {
    struct Number(Option<isize>);
    impl Hasher for Number {
        fn write_isize(&mut self, number: isize) {
            self.0 = Some(number);
        }
        fn write(&mut self, _: &[u8]) {}
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut number = Number(None);
    discriminant(value).hash(&mut number);
    number.0 == Some(1)
}

/// The name of an error's type: see [`own_name`].
fn error_type_name<E: ?Sized>() -> &'static str {
    own_name(type_name::<E>())
}

/// A type's own name without path and generics; `_OTHER` for types that stand for any error.
fn own_name(full: &'static str) -> &'static str {
    let full = full.trim_start_matches("&mut ").trim_start_matches('&');
    let path = full.split('<').next().unwrap_or(full);
    let stands_for_any = path.starts_with("dyn ")
        || path.starts_with('(')
        || path.starts_with('[')
        || path.ends_with("boxed::Box")
        || ["anyhow::", "eyre::", "color_eyre::"].iter().any(|library| path.starts_with(library));
    if stands_for_any {
        return error_type::OTHER;
    }
    path.rsplit("::").next().unwrap_or(path)
}

/// Finds what a value can say about its outcome, by how often the probe has to be dereferenced:
/// the most telling first. Generated code calls it through [`outcome!`](crate::outcome), by a name
/// that no trait of the user's has.
pub mod probe {
    use super::{Debug, IntoOutcome, Outcome};

    /// A value that is being asked. Asking goes through references, of which nothing is left where it is inlined.
    #[derive(Debug)]
    pub struct Probe<'v, T: ?Sized>(pub &'v T);

    /// The error says it itself.
    pub trait ErrorSays {
        /// How the handler ended.
        fn throughline_outcome(&self) -> Outcome;
    }

    impl<T, E: IntoOutcome> ErrorSays for &&&&Probe<'_, Result<T, E>> {
        #[inline]
        fn throughline_outcome(&self) -> Outcome {
            self.0.as_ref().map_or_else(Outcome::of_telling_error, |_| Outcome::ok())
        }
    }

    /// The value says it itself, or its error can be displayed.
    pub trait ValueSays {
        /// How the handler ended.
        fn throughline_outcome(&self) -> Outcome;
    }

    impl<T: IntoOutcome> ValueSays for &&&Probe<'_, T> {
        #[inline]
        fn throughline_outcome(&self) -> Outcome {
            self.0.outcome()
        }
    }

    /// The error can be debugged only.
    pub trait ErrorIsDebug {
        /// How the handler ended.
        fn throughline_outcome(&self) -> Outcome;
    }

    impl<T, E: Debug> ErrorIsDebug for &&Probe<'_, Result<T, E>> {
        #[inline]
        fn throughline_outcome(&self) -> Outcome {
            self.0.as_ref().map_or_else(Outcome::of_debug_error, |_| Outcome::ok())
        }
    }

    /// The error can do nothing.
    pub trait ErrorIsSilent {
        /// How the handler ended.
        fn throughline_outcome(&self) -> Outcome;
    }

    impl<T, E> ErrorIsSilent for &Probe<'_, Result<T, E>> {
        #[inline]
        fn throughline_outcome(&self) -> Outcome {
            self.0.as_ref().map_or_else(|_| Outcome::of_silent_error::<E>(), |_| Outcome::ok())
        }
    }

    /// Anything else has come to an end, and that is all there is to say.
    pub trait Returned {
        /// How the handler ended.
        fn throughline_outcome(&self) -> Outcome;
    }

    impl<T: ?Sized> Returned for Probe<'_, T> {
        #[inline]
        fn throughline_outcome(&self) -> Outcome {
            Outcome::ok()
        }
    }
}

/// A value whose failures can be told by `Display`: for `err = display`.
#[diagnostic::on_unimplemented(
    message = "`err = display` needs a `Result` whose error implements `Display`",
    label = "this result has no error that can be displayed",
    note = "leave `err` out: what the result can tell is found out then"
)]
pub trait DisplayedFailure {
    #[doc(hidden)]
    fn displayed(&self) -> Option<String>;
}

impl<T, E: Display> DisplayedFailure for Result<T, E> {
    fn displayed(&self) -> Option<String> {
        self.as_ref().err().map(ToString::to_string)
    }
}

/// A value whose failures can be told by `Debug`: for `err = debug`.
#[diagnostic::on_unimplemented(
    message = "`err = debug` needs a `Result` whose error implements `Debug`",
    label = "this result has no error that can be debugged",
    note = "leave `err` out: what the result can tell is found out then"
)]
pub trait DebuggedFailure {
    #[doc(hidden)]
    fn debugged(&self) -> Option<String>;
}

impl<T, E: Debug> DebuggedFailure for Result<T, E> {
    fn debugged(&self) -> Option<String> {
        self.as_ref().err().map(|error| format!("{error:?}"))
    }
}

impl Outcome {
    /// What the log says of a failure, in the words of the error's `Display`.
    ///
    /// ```
    /// use throughline::{Outcome, outcome};
    /// let result = "x".parse::<u8>();
    /// let outcome = outcome!(&result).displaying(&result);
    /// # assert!(outcome.is_error());
    /// ```
    #[must_use]
    pub fn displaying<R: DisplayedFailure>(self, result: &R) -> Self {
        match result.displayed() {
            Some(detail) => self.detail(detail),
            None => self,
        }
    }

    /// What the log says of a failure, in the words of the error's `Debug`: for `anyhow` with all
    /// its causes.
    ///
    /// ```
    /// use throughline::{Outcome, outcome};
    /// let result = "x".parse::<u8>();
    /// let outcome = outcome!(&result).debugging(&result);
    /// # assert!(outcome.is_error());
    /// ```
    #[must_use]
    pub fn debugging<R: DebuggedFailure>(self, result: &R) -> Self {
        match result.debugged() {
            Some(detail) => self.detail(detail),
            None => self,
        }
    }
}

/// The [`Outcome`] of any value: what its error says, or the value itself, or that it returned.
///
/// ```
/// use throughline::{Outcome, outcome};
///
/// struct Silent;
/// assert_eq!(outcome!(&Err::<(), _>(Silent)), Outcome::error("Silent"));
/// assert_eq!(outcome!(&Err::<(), _>("no")), Outcome::error("str").describe("no"));
/// assert_eq!(outcome!(&42), Outcome::ok());
/// ```
#[macro_export]
macro_rules! outcome {
    ($value:expr) => {{
        #[allow(unused_imports)]
        use $crate::private::probe::{
            ErrorIsDebug as _, ErrorIsSilent as _, ErrorSays as _, Returned as _, ValueSays as _,
        };
        (&&&&&$crate::private::probe::Probe($value)).throughline_outcome()
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_types_are_named_without_path_and_generics() {
        struct Wrapper<T>(T);
        let _ = Wrapper(1);
        assert_eq!(error_type_name::<std::num::ParseIntError>(), "ParseIntError");
        assert_eq!(error_type_name::<Wrapper<Vec<std::num::ParseIntError>>>(), "Wrapper");
        assert_eq!(error_type_name::<&std::fmt::Error>(), "Error");
        assert_eq!(error_type_name::<String>(), "String");
        assert_eq!(error_type_name::<Box<dyn std::error::Error + Send>>(), "_OTHER");
        assert_eq!(error_type_name::<dyn std::error::Error>(), "_OTHER");
        assert_eq!(error_type_name::<&(dyn std::error::Error + 'static)>(), "_OTHER");
        assert_eq!(error_type_name::<(u8, u8)>(), "_OTHER");
    }

    #[test]
    fn an_err_is_told_from_whatever_else_there_may_be() {
        use std::collections::HashMap;
        use std::num::ParseIntError;

        struct Silent;
        type Boxed = Box<dyn std::error::Error + Send + Sync>;
        type Large = Result<HashMap<fn(u8, u8) -> u8, (u8, [u8; 2])>, ParseIntError>;
        enum Third {
            _A,
            B,
        }
        let parsed = "x".parse::<u8>();
        assert_eq!(Outcome::of_anything(&Err::<(), _>(Silent)), Outcome::error("Silent"));
        assert_eq!(Outcome::of_anything(&parsed.clone()), Outcome::error("ParseIntError"));
        let large: Large = parsed.map(|_| HashMap::new());
        assert_eq!(Outcome::of_anything(&large), Outcome::error("ParseIntError"));
        assert_eq!(Outcome::of_anything(&Err::<u8, Boxed>("no".into())), Outcome::error("_OTHER"));
        assert_eq!(Outcome::of_anything(&Err::<(), ()>(())), Outcome::error("_OTHER"));
        assert_eq!(
            Outcome::of_anything(&Err::<std::convert::Infallible, _>("no")),
            Outcome::error("str")
        );

        assert_eq!(Outcome::of_anything(&Ok::<u8, Silent>(1)), Outcome::ok());
        assert_eq!(Outcome::of_anything(&Ok::<u8, std::convert::Infallible>(1)), Outcome::ok());
        assert_eq!(Outcome::of_anything(&Some(1)), Outcome::ok());
        assert_eq!(Outcome::of_anything(&None::<u8>), Outcome::ok());
        assert_eq!(Outcome::of_anything(&Some(Err::<(), _>(Silent))), Outcome::ok());
        assert_eq!(Outcome::of_anything(&Third::B), Outcome::ok());
        assert_eq!(Outcome::of_anything(&1_isize), Outcome::ok());
        assert_eq!(Outcome::of_anything(&true), Outcome::ok());
    }

    #[test]
    fn the_most_telling_answer_is_taken() {
        #[derive(Debug)]
        struct OnlyDebug;
        struct Code;
        impl IntoOutcome for Code {
            fn outcome(&self) -> Outcome {
                Outcome::error("code_7")
            }
        }
        let by_display = "x".parse::<u8>();
        assert_eq!(
            outcome!(&by_display),
            Outcome::error("ParseIntError").describe("invalid digit found in string")
        );
        assert_eq!(
            outcome!(&Err::<(), _>(OnlyDebug)),
            Outcome::error("OnlyDebug").describe("OnlyDebug")
        );
        assert_eq!(outcome!(&Err::<(), _>(Code)), Outcome::error("code_7"));
        assert_eq!(outcome!(&Code), Outcome::error("code_7"));
        assert_eq!(outcome!(&None::<u8>), Outcome::ok());
        assert_eq!(outcome!(&()), Outcome::ok());
        assert_eq!(outcome!(&Ok::<_, OnlyDebug>(1)), Outcome::ok());
    }
}
