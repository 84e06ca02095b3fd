//! Every metric's name. These names are under semver, as those in `semconv` are.

pub(super) const PROCESS_DURATION: &str = "messaging.process.duration";
pub(super) const OPERATION_DURATION: &str = "messaging.client.operation.duration";
pub(super) const SENT_MESSAGES: &str = "messaging.client.sent.messages";
pub(super) const CONSUMED_MESSAGES: &str = "messaging.client.consumed.messages";

/// From a message's sending to the start of its handling.
pub(super) const WAIT_DURATION: &str = "throughline.message.wait.duration";
/// From a message's sending to the end of its handling.
pub(super) const HANDLED_DURATION: &str = "throughline.message.handled.duration";
/// How many handlers continued, linked or ignored, and why.
pub(super) const RELATIONS: &str = "throughline.relations";
/// How many senders have no link.
pub(super) const LINKS_LEFT_OUT: &str = "throughline.links.left_out";
