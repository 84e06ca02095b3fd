//! The servers that tests talk to, and tests that are told from others by what they need.

use std::env;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::{Failed, Trial};

/// A test's name, and the test with what it needs.
pub type Test<Needs> = (&'static str, fn(&Needs));

/// A server that somebody else has started.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// What people call it.
    pub name: &'static str,
    /// The environment variable that says where it is: `host:port`.
    pub variable: &'static str,
    /// Where it is where nobody says so.
    pub usual_address: &'static str,
}

/// NATS, with JetStream.
pub const NATS: Server =
    Server { name: "NATS", variable: "THROUGHLINE_NATS", usual_address: "127.0.0.1:4222" };

/// An MQTT broker.
pub const MOSQUITTO: Server = Server {
    name: "Mosquitto",
    variable: "THROUGHLINE_MOSQUITTO",
    usual_address: "127.0.0.1:1883",
};

/// RabbitMQ.
pub const RABBITMQ: Server =
    Server { name: "RabbitMQ", variable: "THROUGHLINE_RABBITMQ", usual_address: "127.0.0.1:5672" };

/// Redis.
pub const REDIS: Server =
    Server { name: "Redis", variable: "THROUGHLINE_REDIS", usual_address: "127.0.0.1:6379" };

impl Server {
    /// Where it is: `host:port`.
    pub fn address(&self) -> String {
        env::var(self.variable).unwrap_or_else(|_| self.usual_address.to_owned())
    }

    /// Whether somebody answers there.
    fn is_reachable(&self) -> bool {
        let Ok(mut addresses) = self.address().to_socket_addrs() else { return false };
        addresses.any(|it| TcpStream::connect_timeout(&it, Duration::from_secs(2)).is_ok())
    }

    /// Why there is no such server, if there is none.
    pub fn missing(&self) -> Option<String> {
        (!self.is_reachable()).then(|| format!("no {} at {}", self.name, self.address()))
    }

    /// The tests that need this server.
    pub fn trials(&self, tests: &[Test<str>]) -> Vec<Trial> {
        let missing = self.missing();
        let module = self.name.to_lowercase();
        let trial = |(name, test): &Test<str>| {
            let (test, server) = (*test, *self);
            let run = move || test(&server.address());
            trial(format!("{module}::{name}"), missing.clone(), run)
        };
        tests.iter().map(trial).collect()
    }
}

/// A test that needs something. Where that is `missing` it is reported as ignored, with the reason in
/// place of its kind; where all that is needed has to be there, it fails.
pub fn trial(
    name: impl Into<String>,
    missing: Option<String>,
    test: impl FnOnce() + Send + 'static,
) -> Trial {
    let Some(reason) = missing else {
        return Trial::test(name, move || {
            test();
            Ok(())
        });
    };
    let is_required = env::var_os("THROUGHLINE_REQUIRE_BROKERS").is_some_and(|it| it == "1");
    let failed = Failed::from(reason.clone());
    Trial::test(name, move || Err(failed)).with_kind(reason).with_ignored_flag(!is_required)
}

/// Tests of a client that was not built: reported as ignored.
pub fn not_built(client: &str, feature: &str) -> Trial {
    trial(client, Some(format!("not built: needs `--features {feature}`")), || ())
}

/// What the future yields, if it does so soon enough for a test.
///
/// # Panics
/// If it does not.
pub async fn in_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("in time")
}

/// A name that no other test uses, and no other run.
pub fn unique(name: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{name}-{}-{}", since_1970.as_nanos(), COUNT.fetch_add(1, Ordering::Relaxed))
}
