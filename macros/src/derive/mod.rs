//! `#[derive(Message)]` and `#[derive(MessageMut)]`: parse (`marks`) -> check -> expand.

mod check;
mod conditions;
mod expand;
mod facts;
mod marks;

pub(crate) use expand::{message, message_mut};
