//! The mails of a sign-up: a queue within this process, and the handler that sends them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use throughline::async_consumer;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::sleep;

use crate::store::Signup;

/// A mail that is to be sent.
pub struct Mail {
    pub template: Template,
    /// With the origin in it, so that the queue has no need to carry a context of its own.
    pub signup: Signup,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Template {
    Confirm,
    Welcome,
}

/// Sends what comes through the queue, until nobody can put anything into it any more.
pub async fn send_all(mut mails: UnboundedReceiver<Mail>, mailbox: Mailbox) {
    while let Some(mail) = mails.recv().await {
        send_mail(&mail, &mailbox).await;
    }
}

/// A mail is part of the sign-up as a whole, whichever request asked for it: its span links to the
/// root of the top-level trace, and the top-level trace has a step that leads back here.
#[async_consumer(
    link,
    from = &mail.signup.origin,
    system = "in_process",
    destination = "mails",
    fields(signup.id = mail.signup.id, mail.template = ?mail.template),
)]
async fn send_mail(mail: &Mail, mailbox: &Mailbox) {
    sleep(Duration::from_millis(3)).await; // stands for the mail server
    mailbox.put(mail);
    mail.signup.origin.add_step("send mail");
}

/// Stands for the mailboxes of all visitors.
#[derive(Clone, Default)]
pub struct Mailbox(Arc<Mutex<Vec<Received>>>);

struct Received {
    to: String,
    template: Template,
    token: String,
}

impl Mailbox {
    fn put(&self, Mail { template, signup }: &Mail) {
        let (to, token) = (signup.email.clone(), signup.token.clone());
        let mut mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mails.push(Received { to, template: *template, token });
    }

    /// What the visitor finds behind the button in the mail.
    pub fn token_for(&self, email: &str) -> Option<String> {
        let mails = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut mails = mails.iter().filter(|mail| mail.to == email);
        let mail = mails.find(|mail| mail.template == Template::Confirm)?;
        Some(mail.token.clone())
    }
}
