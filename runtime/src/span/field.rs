//! The values of a user's own fields, borrowed, and evaluated only where something records them.

use std::fmt::{self, Debug, Display};

use opentelemetry::KeyValue;

/// A value for `fields(..)`.
///
/// ```
/// use throughline::field;
///
/// let id = 7;
/// let fields = [("order.id", field::value(&id)), ("customer", field::display(&"ann"))];
/// # let _ = fields;
/// ```
#[derive(Debug)]
pub struct FieldValue<'a>(Inner<'a>);

#[cfg(feature = "tracing")]
type Displayed<'a> = tracing::field::DisplayValue<&'a dyn Display>;
#[cfg(feature = "tracing")]
type Debugged<'a> = tracing::field::DebugValue<&'a dyn Debug>;
#[cfg(not(feature = "tracing"))]
type Displayed<'a> = &'a dyn Display;
#[cfg(not(feature = "tracing"))]
type Debugged<'a> = &'a dyn Debug;

enum Inner<'a> {
    Plain(Plain),
    Str(&'a str),
    Display(Displayed<'a>),
    Debug(Debugged<'a>),
}

/// A value that borrows nothing: it can be kept and sent to another thread.
#[derive(Debug, Clone)]
pub(crate) enum Plain {
    Empty,
    Text(String),
    I64(i64),
    U64(u64),
    F64(f64),
    Bool(bool),
}

impl Plain {
    /// The values of all fields as they are now.
    pub(crate) fn all(fields: &[(&'static str, FieldValue<'_>)]) -> Vec<(&'static str, Self)> {
        fields.iter().map(|(name, value)| (*name, value.to_plain())).collect()
    }

    pub(crate) fn as_fields<'p>(
        plain: &'p [(&'static str, Self)],
    ) -> Vec<(&'static str, FieldValue<'p>)> {
        plain.iter().map(|(name, value)| (*name, value.as_field())).collect()
    }

    fn as_field(&self) -> FieldValue<'_> {
        FieldValue(match self {
            Self::Text(text) => Inner::Str(text),
            other => Inner::Plain(other.clone()),
        })
    }
}

impl Debug for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(value) => Debug::fmt(value, f),
            Self::Str(value) => Debug::fmt(value, f),
            Self::Display(value) => Display::fmt(value, f),
            Self::Debug(value) => Debug::fmt(value, f),
        }
    }
}

/// `%x`: the value as it is displayed.
///
/// ```
/// let field = throughline::field::display(&"ann");
/// # let _ = field;
/// ```
pub fn display<'a, T: Display>(value: &'a T) -> FieldValue<'a> {
    let value: &'a dyn Display = value;
    #[cfg(feature = "tracing")]
    let value = tracing::field::display(value);
    FieldValue(Inner::Display(value))
}

/// `?x`: the value as it is debugged.
///
/// ```
/// let field = throughline::field::debug(&[1, 2]);
/// # let _ = field;
/// ```
pub fn debug<'a, T: Debug>(value: &'a T) -> FieldValue<'a> {
    let value: &'a dyn Debug = value;
    #[cfg(feature = "tracing")]
    let value = tracing::field::debug(value);
    FieldValue(Inner::Debug(value))
}

/// `x`: the value as it is, where it is a number, a truth value or a text.
///
/// ```
/// let field = throughline::field::value(&true);
/// # let _ = field;
/// ```
pub fn value<T: Value + ?Sized>(value: &T) -> FieldValue<'_> {
    value.as_field()
}

/// `Empty`: nothing yet.
///
/// ```
/// let field = throughline::field::empty();
/// # let _ = field;
/// ```
pub fn empty() -> FieldValue<'static> {
    FieldValue(Inner::Plain(Plain::Empty))
}

/// What can be recorded as it is.
///
/// ```
/// use throughline::Value;
/// let fields = [("paid", true.as_field()), ("sum", 12.5.as_field()), ("note", "two".as_field())];
/// # let _ = fields;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be recorded as a field as it is",
    label = "not a number, a truth value or a text",
    note = "in `fields(..)` write `%value` to record it by `Display`, or `?value` by `Debug`",
    note = "elsewhere `throughline::field::display(&value)` or `throughline::field::debug(&value)`"
)]
pub trait Value {
    /// The value as a field's.
    fn as_field(&self) -> FieldValue<'_>;
}

macro_rules! values {
    ($($type:ty => |$value:ident| $inner:expr),+ $(,)?) => {$(
        impl Value for $type {
            fn as_field(&self) -> FieldValue<'_> {
                let $value = self;
                FieldValue($inner)
            }
        }
    )+};
}

values! {
    str => |value| Inner::Str(value),
    String => |value| Inner::Str(value),
    std::borrow::Cow<'_, str> => |value| Inner::Str(value),
    bool => |value| Inner::Plain(Plain::Bool(*value)),
    f32 => |value| Inner::Plain(Plain::F64(f64::from(*value))),
    f64 => |value| Inner::Plain(Plain::F64(*value)),
    i8 => |value| Inner::Plain(Plain::I64(i64::from(*value))),
    i16 => |value| Inner::Plain(Plain::I64(i64::from(*value))),
    i32 => |value| Inner::Plain(Plain::I64(i64::from(*value))),
    i64 => |value| Inner::Plain(Plain::I64(*value)),
    isize => |value| Inner::Plain(i64::try_from(*value).map_or(Plain::Empty, Plain::I64)),
    u8 => |value| Inner::Plain(Plain::I64(i64::from(*value))),
    u16 => |value| Inner::Plain(Plain::I64(i64::from(*value))),
    u32 => |value| Inner::Plain(Plain::I64(i64::from(*value))),
    u64 => |value| Inner::Plain(unsigned(*value)),
    usize => |value| Inner::Plain(u64::try_from(*value).map_or(Plain::Empty, unsigned)),
}

/// OpenTelemetry has no unsigned numbers, and a bridge makes text of them: one that fits is signed.
fn unsigned(value: u64) -> Plain {
    i64::try_from(value).map_or(Plain::U64(value), Plain::I64)
}

/// By `%` or `?`, or none: for [`record`](crate::record).
impl Value for FieldValue<'_> {
    fn as_field(&self) -> FieldValue<'_> {
        match &self.0 {
            Inner::Plain(value) => value.as_field(),
            Inner::Str(value) => FieldValue(Inner::Str(value)),
            Inner::Display(value) => FieldValue(Inner::Display(Displayed::clone(value))),
            Inner::Debug(value) => FieldValue(Inner::Debug(Debugged::clone(value))),
        }
    }
}

impl<T: Value + ?Sized> Value for &T {
    fn as_field(&self) -> FieldValue<'_> {
        (**self).as_field()
    }
}

/// `None` is nothing.
impl<T: Value> Value for Option<T> {
    fn as_field(&self) -> FieldValue<'_> {
        self.as_ref().map_or_else(|| empty(), Value::as_field)
    }
}

impl FieldValue<'_> {
    /// The value as it is now, which no longer borrows: for a field of the message that a producer
    /// is about to write into.
    ///
    /// ```
    /// use throughline::field;
    /// let field = field::display(&7).into_owned();
    /// # let _: field::FieldValue<'static> = field;
    /// ```
    pub fn into_owned(self) -> FieldValue<'static> {
        FieldValue(Inner::Plain(self.into_plain()))
    }

    fn into_plain(self) -> Plain {
        match self.0 {
            Inner::Plain(value) => value,
            Inner::Str(value) => Plain::Text(value.to_owned()),
            Inner::Display(value) => Plain::Text(value.to_string()),
            Inner::Debug(value) => Plain::Text(format!("{value:?}")),
        }
    }

    /// The value as it is now.
    fn to_plain(&self) -> Plain {
        self.as_field().into_plain()
    }

    pub(super) fn to_attribute(&self, name: &'static str) -> Option<KeyValue> {
        Some(match self.to_plain() {
            Plain::Empty => return None,
            Plain::Text(value) => KeyValue::new(name, value),
            Plain::I64(value) => KeyValue::new(name, value),
            Plain::U64(value) => KeyValue::new(name, value.to_string()),
            Plain::F64(value) => KeyValue::new(name, value),
            Plain::Bool(value) => KeyValue::new(name, value),
        })
    }

    #[cfg(feature = "tracing")]
    pub(super) fn as_tracing(&self) -> Option<&dyn tracing::Value> {
        Some(match &self.0 {
            Inner::Plain(Plain::Empty) => return None,
            Inner::Plain(Plain::Text(value)) => value,
            Inner::Plain(Plain::I64(value)) => value,
            Inner::Plain(Plain::U64(value)) => value,
            Inner::Plain(Plain::F64(value)) => value,
            Inner::Plain(Plain::Bool(value)) => value,
            Inner::Str(value) => value,
            Inner::Display(value) => value,
            Inner::Debug(value) => value,
        })
    }
}
