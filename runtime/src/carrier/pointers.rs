//! What points to a message is a message.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use super::{Facts, HeaderReader, Message, MessageMut};
use crate::TraceContext;

macro_rules! message_behind_a_pointer {
    ($($pointer:ty),+) => {$(
        impl<M: Message + ?Sized> Message for $pointer {
            fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
                (**self).headers(reader);
            }

            fn is_there(&self) -> bool {
                (**self).is_there()
            }

            fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
                (**self).describe(facts);
            }
        }
    )+};
}

macro_rules! writable_behind_a_pointer {
    ($($pointer:ty),+) => {$(
        impl<M: MessageMut + ?Sized> MessageMut for $pointer {
            fn set_header(&mut self, name: &str, value: &str) {
                (**self).set_header(name, value);
            }

            fn remove_header(&mut self, name: &str) {
                (**self).remove_header(name);
            }

            fn can_set_header(&self, name: &str, value: &str) -> bool {
                (**self).can_set_header(name, value)
            }

            fn tells_when_it_was_sent(&self) -> bool {
                (**self).tells_when_it_was_sent()
            }

            fn set_context(&mut self, context: &TraceContext) -> bool {
                (**self).set_context(context)
            }
        }
    )+};
}

message_behind_a_pointer!(&M, &mut M, Box<M>, Rc<M>, Arc<M>);
writable_behind_a_pointer!(&mut M, Box<M>);

impl<M: Message + ToOwned + ?Sized> Message for Cow<'_, M> {
    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        (**self).headers(reader);
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        (**self).describe(facts);
    }
}

impl<M: Message> Message for Option<M> {
    fn is_there(&self) -> bool {
        self.as_ref().is_some_and(Message::is_there)
    }

    fn headers<'m>(&'m self, reader: &mut HeaderReader<'m>) {
        if let Some(message) = self {
            message.headers(reader);
        }
    }

    fn describe<'m>(&'m self, facts: &mut Facts<'m>) {
        if let Some(message) = self {
            message.describe(facts);
        }
    }
}

impl<M: MessageMut> MessageMut for Option<M> {
    fn set_header(&mut self, name: &str, value: &str) {
        if let Some(message) = self {
            message.set_header(name, value);
        }
    }

    fn remove_header(&mut self, name: &str) {
        if let Some(message) = self {
            message.remove_header(name);
        }
    }

    fn can_set_header(&self, name: &str, value: &str) -> bool {
        self.as_ref().is_some_and(|message| message.can_set_header(name, value))
    }

    fn tells_when_it_was_sent(&self) -> bool {
        self.as_ref().is_some_and(MessageMut::tells_when_it_was_sent)
    }

    fn set_context(&mut self, context: &TraceContext) -> bool {
        self.as_mut().is_some_and(|message| message.set_context(context))
    }
}
