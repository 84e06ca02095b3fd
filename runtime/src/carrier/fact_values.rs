//! What the facts of a message can be told by: the values of its own fields.

use std::borrow::Cow;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;

/// What a text is told by, such as an id or a destination: strings, integers, what points to one,
/// and an `Option` of one.
///
/// ```
/// use std::borrow::Cow;
/// use throughline::fact::{self, Text};
///
/// struct OrderId(String);
///
/// impl Text for OrderId {
///     fn text(&self) -> Option<Cow<'_, str>> {
///         Some(Cow::Borrowed(&self.0))
///     }
/// }
///
/// assert_eq!(fact::text(&OrderId("A-1".to_owned())).as_deref(), Some("A-1"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be told as a text",
    label = "this is neither a string nor an integer",
    note = "where the type has `Display`, write `display` beside the fact: `#[message(id, display)]`",
    note = "for a type of your own, implement `throughline::fact::Text`"
)]
pub trait Text {
    /// The text; `None` where there is nothing to tell.
    fn text(&self) -> Option<Cow<'_, str>>;
}

/// What a number is told by, such as an attempt: integers, what points to one, and an `Option` of
/// one. A negative one tells nothing.
///
/// ```
/// use throughline::fact::{self, Count};
///
/// struct Delivery(u8);
///
/// impl Count for Delivery {
///     fn count(&self) -> Option<u64> {
///         Some(self.0.into())
///     }
/// }
///
/// assert_eq!(fact::count(&Delivery(2)), Some(2));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be told as a number",
    label = "this is not an integer",
    note = "for a type of your own, implement `throughline::fact::Count`"
)]
pub trait Count {
    /// The number; `None` where there is nothing to tell.
    fn count(&self) -> Option<u64>;
}

/// What a time is told by: a `SystemTime`, what can be turned into one, and an `Option` of those.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use throughline::fact;
///
/// #[derive(Clone)]
/// struct Seconds(u64);
///
/// impl From<Seconds> for SystemTime {
///     fn from(Seconds(seconds): Seconds) -> Self {
///         Self::UNIX_EPOCH + Duration::from_secs(seconds)
///     }
/// }
///
/// assert_eq!(fact::time(&Some(Seconds(0))), Some(SystemTime::UNIX_EPOCH));
/// ```
///
/// `Form` is inferred; there is nothing to implement here.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be told as a time",
    label = "this can't be turned into a `SystemTime`",
    note = "a time is a `SystemTime`, or a type that is `Clone` and turns into one by `Into`, as those of the crates `chrono`, `time` and `jiff` do",
    note = "for a number of milliseconds since 1970 write `#[message(sent_at_unix_ms)]`"
)]
pub trait Time<Form> {
    #[doc(hidden)]
    fn time(&self) -> Option<SystemTime>;
}

/// What a body's size is told by: bytes and strings, and an `Option` of those.
///
/// ```
/// use throughline::fact;
///
/// assert_eq!(fact::size(&"two lemons"), Some(10));
/// assert_eq!(fact::size(&None::<Vec<u8>>), None);
/// ```
///
/// `Form` is inferred; there is nothing to implement here.
#[diagnostic::on_unimplemented(
    message = "the size of `{Self}` can't be told",
    label = "this is neither bytes nor a string",
    note = "a body is told by what is `AsRef<[u8]>`; where a field holds the number of bytes, write `#[message(body_size)]` before that one"
)]
pub trait Body<Form> {
    #[doc(hidden)]
    fn size(&self) -> Option<u64>;
}

/// What can be told by its `Display`, and an `Option` of that.
///
/// ```
/// use throughline::fact;
///
/// assert_eq!(fact::display(&std::net::Ipv4Addr::LOCALHOST).as_deref(), Some("127.0.0.1"));
/// ```
///
/// `Form` is inferred; there is nothing to implement here.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be told by its `Display`",
    label = "this has no `Display`",
    note = "for a type of your own, implement `std::fmt::Display` or, without `display`, `throughline::fact::Text`"
)]
pub trait Displayed<Form> {
    #[doc(hidden)]
    fn displayed(&self) -> Option<String>;
}

/// A value for [`Facts::attribute`](crate::Facts::attribute): a string, an integer or a truth value.
///
/// ```
/// use throughline::fact::AttributeValue;
///
/// let values: [AttributeValue; 3] = ["fifo".into(), 7.into(), true.into()];
/// # let _ = values;
/// ```
#[derive(Debug, Clone)]
pub struct AttributeValue(opentelemetry::Value);

impl AttributeValue {
    /// An empty text tells nothing.
    pub(super) fn into_key_value(self, key: &'static str) -> Option<KeyValue> {
        let is_empty =
            matches!(&self.0, opentelemetry::Value::String(text) if text.as_str().is_empty());
        (!is_empty).then(|| KeyValue::new(key, self.0))
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self(text.to_owned().into())
    }
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<bool> for AttributeValue {
    fn from(truth: bool) -> Self {
        Self(truth.into())
    }
}

macro_rules! attribute_value_from_integers {
    ($($integer:ty),+) => {$(
        impl From<$integer> for AttributeValue {
            fn from(number: $integer) -> Self {
                Self(i64::from(number).into())
            }
        }
    )+};
}

attribute_value_from_integers!(u8, u16, u32, i8, i16, i32, i64);

/// A value that is always there.
#[derive(Debug)]
pub struct Always(());

/// A value that may be missing.
#[derive(Debug)]
pub struct Sometimes(());

/// The text that a field tells.
///
/// ```
/// use throughline::fact;
///
/// assert_eq!(fact::text(&7).as_deref(), Some("7"));
/// assert_eq!(fact::text(&None::<String>), None);
/// ```
pub fn text<T: Text + ?Sized>(value: &T) -> Option<Cow<'_, str>> {
    value.text()
}

/// The text that a field tells by its `Display`.
///
/// ```
/// assert_eq!(throughline::fact::display(&Some('a')).as_deref(), Some("a"));
/// ```
pub fn display<Form, T: Displayed<Form> + ?Sized>(value: &T) -> Option<String> {
    value.displayed()
}

/// The number that a field tells.
///
/// ```
/// use throughline::fact;
///
/// assert_eq!(fact::count(&2_i32), Some(2));
/// assert_eq!(fact::count(&-1), None);
/// ```
pub fn count<T: Count + ?Sized>(value: &T) -> Option<u64> {
    value.count()
}

/// The size in bytes that a field tells.
///
/// ```
/// assert_eq!(throughline::fact::size(&[1_u8, 2, 3]), Some(3));
/// ```
pub fn size<Form, T: Body<Form> + ?Sized>(value: &T) -> Option<u64> {
    value.size()
}

/// The time that a field tells.
///
/// ```
/// use std::time::SystemTime;
/// use throughline::fact;
///
/// let now = SystemTime::now();
/// assert_eq!(fact::time(&now), Some(now));
/// assert_eq!(fact::time(&None::<SystemTime>), None);
/// ```
pub fn time<Form, T: Time<Form>>(value: &T) -> Option<SystemTime> {
    value.time()
}

/// The time that a field tells by a number of milliseconds since the beginning of 1970.
///
/// ```
/// use std::time::SystemTime;
/// use throughline::fact;
///
/// assert_eq!(fact::unix_ms(&0), Some(SystemTime::UNIX_EPOCH));
/// assert_eq!(fact::unix_ms(&-1), None); // Kafka's "not known"
/// ```
pub fn unix_ms<T: Count + ?Sized>(value: &T) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(value.count()?))
}

impl Text for str {
    fn text(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self))
    }
}

impl Text for String {
    fn text(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(self))
    }
}

macro_rules! integers {
    ($($integer:ty),+) => {$(
        impl Text for $integer {
            fn text(&self) -> Option<Cow<'_, str>> {
                Some(Cow::Owned(self.to_string()))
            }
        }

        impl Count for $integer {
            fn count(&self) -> Option<u64> {
                u64::try_from(*self).ok()
            }
        }
    )+};
}

integers!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

macro_rules! behind_a_pointer {
    ($($pointer:ty),+) => {$(
        impl<T: Text + ?Sized> Text for $pointer {
            fn text(&self) -> Option<Cow<'_, str>> {
                (**self).text()
            }
        }

        impl<T: Count + ?Sized> Count for $pointer {
            fn count(&self) -> Option<u64> {
                (**self).count()
            }
        }
    )+};
}

behind_a_pointer!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

impl<T: Text + ToOwned + ?Sized> Text for Cow<'_, T> {
    fn text(&self) -> Option<Cow<'_, str>> {
        (**self).text()
    }
}

impl<T: Text> Text for Option<T> {
    fn text(&self) -> Option<Cow<'_, str>> {
        self.as_ref().and_then(T::text)
    }
}

impl<T: Count> Count for Option<T> {
    fn count(&self) -> Option<u64> {
        self.as_ref().and_then(T::count)
    }
}

// An error about these is to speak of times and bodies, not of what stands behind them.

#[diagnostic::do_not_recommend]
impl<T: Clone + Into<SystemTime>> Time<Always> for T {
    fn time(&self) -> Option<SystemTime> {
        Some(self.clone().into())
    }
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Into<SystemTime>> Time<Sometimes> for Option<T> {
    fn time(&self) -> Option<SystemTime> {
        self.clone().map(Into::into)
    }
}

#[diagnostic::do_not_recommend]
impl<T: AsRef<[u8]> + ?Sized> Body<Always> for T {
    fn size(&self) -> Option<u64> {
        u64::try_from(self.as_ref().len()).ok()
    }
}

#[diagnostic::do_not_recommend]
impl<T: AsRef<[u8]>> Body<Sometimes> for Option<T> {
    fn size(&self) -> Option<u64> {
        self.as_ref().and_then(Body::<Always>::size)
    }
}

#[diagnostic::do_not_recommend]
impl<T: Display + ?Sized> Displayed<Always> for T {
    fn displayed(&self) -> Option<String> {
        Some(self.to_string())
    }
}

#[diagnostic::do_not_recommend]
impl<T: Display> Displayed<Sometimes> for Option<T> {
    fn displayed(&self) -> Option<String> {
        self.as_ref().map(ToString::to_string)
    }
}
