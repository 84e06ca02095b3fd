//! The servers that tests talk to, and tests that are told from others by the server they need.

use std::env;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::{Failed, Trial};

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

    /// The tests that need this server. Where it can't be reached they are reported as ignored, with
    /// the reason in place of their kind; where servers are required they fail.
    pub fn trials(&self, tests: &[(&'static str, fn(&str))]) -> Vec<Trial> {
        let is_reachable = self.is_reachable();
        let is_required = env::var_os("THROUGHLINE_REQUIRE_BROKERS").is_some_and(|it| it == "1");
        let trial = |(name, test): &(&'static str, fn(&str))| {
            let (test, server) = (*test, *self);
            let run = move || {
                if !is_reachable {
                    return Err(Failed::from(server.is_missing()));
                }
                test(&server.address());
                Ok(())
            };
            let trial = Trial::test(format!("{}::{name}", self.module()), run);
            if is_reachable {
                return trial;
            }
            trial.with_kind(self.is_missing()).with_ignored_flag(!is_required)
        };
        tests.iter().map(trial).collect()
    }

    fn is_missing(&self) -> String {
        format!("no {} at {}", self.name, self.address())
    }

    fn module(&self) -> String {
        self.name.to_lowercase()
    }
}

/// Tests of a client that was not built: reported as ignored.
pub fn not_built(client: &str, feature: &str) -> Trial {
    let is_required = env::var_os("THROUGHLINE_REQUIRE_BROKERS").is_some_and(|it| it == "1");
    let reason = format!("not built: needs `--features {feature}`");
    let failed = reason.clone();
    Trial::test(client, move || Err(Failed::from(failed)))
        .with_kind(reason)
        .with_ignored_flag(!is_required)
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
