//! What the user says of an operation: it goes before what its messages say.

use std::borrow::Cow;

use super::facts::Facts;
use super::known_facts::{
    ANONYMOUS, CLIENT, CONSUMER_GROUP, DESTINATION, Fact, KnownFacts, Places, SERVER_ADDRESS,
    SERVER_PORT, SYSTEM, TEMPLATE, TEMPORARY,
};

/// Facts that the user tells. An empty text says nothing, as of a setting
/// that is not set.
#[doc(hidden)]
#[derive(Debug, Clone, Default)]
pub struct Said(KnownFacts<'static>);

impl Said {
    pub(crate) fn system(&mut self, system: Cow<'static, str>) {
        self.text(SYSTEM, system);
    }

    pub(crate) fn destination(&mut self, destination: Cow<'static, str>) {
        self.text(DESTINATION, destination);
    }

    pub(crate) fn destination_template(&mut self, template: Cow<'static, str>) {
        self.text(TEMPLATE, template);
    }

    pub(crate) fn consumer_group(&mut self, group: Cow<'static, str>) {
        self.text(CONSUMER_GROUP, group);
    }

    pub(crate) fn client_id(&mut self, id: Cow<'static, str>) {
        self.text(CLIENT, id);
    }

    /// A host, which may have a port.
    pub(crate) fn server(&mut self, server: Cow<'static, str>) {
        let (host, port) = match server {
            Cow::Borrowed(server) => {
                let (host, port) = host_and_port(server);
                (Cow::Borrowed(host), port)
            }
            Cow::Owned(server) => {
                let (host, port) = host_and_port(&server);
                (Cow::Owned(host.to_owned()), port)
            }
        };
        let port = port.filter(|_| !host.is_empty()).map(|port| Fact::Count(port.into()));
        self.text(SERVER_ADDRESS, host);
        self.fact(SERVER_PORT, port);
    }

    fn text(&mut self, at: usize, text: Cow<'static, str>) {
        self.fact(at, Some(text).filter(|text| !text.is_empty()).map(Fact::Said));
    }

    fn fact(&mut self, at: usize, fact: Option<Fact<'static>>) {
        match fact {
            Some(fact) => self.0.set(at, fact),
            None => self.0.remove_all(Places::of(at)),
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// The facts of a single message, which tells of itself what the user does not.
    #[inline]
    pub(crate) fn into_facts<'m>(self) -> Facts<'m> {
        if self.is_nothing() { Facts::default() } else { self.overruling() }
    }

    #[inline(never)]
    fn overruling<'m>(self) -> Facts<'m> {
        let overruled = self.places().and(self.outdated());
        Facts { known: self.0, overruled, ..Facts::default() }
    }

    /// The places whose facts, where a message tells them, are about what the user names otherwise: the
    /// form of another destination's name, another server's port.
    pub(super) fn outdated(&self) -> Places {
        const OF_A_DESTINATION: Places =
            Places::of(TEMPLATE).and(Places::of(TEMPORARY)).and(Places::of(ANONYMOUS));
        let of = |at, those| if self.says(at) { those } else { Places::default() };
        of(DESTINATION, OF_A_DESTINATION).and(of(SERVER_ADDRESS, Places::of(SERVER_PORT)))
    }

    pub(super) fn places(&self) -> Places {
        self.0.places()
    }

    pub(super) fn says(&self, at: usize) -> bool {
        self.0.has(at)
    }
}

/// `broker:9092`, `[::1]:9092`, or a name alone.
fn host_and_port(server: &str) -> (&str, Option<u16>) {
    let split = server.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    // Of an address of IPv6 without brackets the last part is no port.
    let split = split.filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let (host, port) = split.map_or((server, None), |(host, port)| (host, Some(port)));
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    (address.unwrap_or(host), port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts_and_an_empty_one_takes_it_back() {
        let mut said = Said::default();
        said.destination("bills".into());
        said.destination("orders".into());
        assert_eq!(said.0.len(), 1);
        assert_eq!(said.0.get(DESTINATION), Some(&Fact::Said("orders".into())));
        said.destination("".into());
        assert!(said.is_nothing());

        said.server("broker:9092".into());
        assert!(said.says(SERVER_ADDRESS) && said.says(SERVER_PORT));
        said.server("other".into());
        assert!(said.says(SERVER_ADDRESS) && !said.says(SERVER_PORT));
        said.server(":9092".into());
        assert!(said.is_nothing());
    }

    #[test]
    fn a_server_is_a_host_and_may_have_a_port() {
        assert_eq!(host_and_port("broker:9092"), ("broker", Some(9092)));
        assert_eq!(host_and_port("[::1]:9092"), ("::1", Some(9092)));
        assert_eq!(host_and_port("[::1]"), ("::1", None));
        assert_eq!(host_and_port("broker"), ("broker", None));
        assert_eq!(host_and_port("::1"), ("::1", None));
        assert_eq!(host_and_port("broker:port"), ("broker:port", None));
    }
}
