//! What the program is told to do.

use std::ffi::OsString;
use std::fmt;
use std::time::Duration;

use crate::brokers::Place;

pub const USAGE: &str = "\
usage: orders [--broker URL] [--role web|worker] [--listen ADDR]

Without arguments, places a few orders with itself and prints the traces they leave. Otherwise it stays up, and
prints the traces when it is stopped.

  --broker URL   publish the orders to nats://.., amqp://.., redis://.., kafka://.. or mqtt://..; without it
                 they stay in this process
  --role web     take orders only; another process handles them
  --role worker  handle orders only
  --listen ADDR  take orders at ADDR; with a broker it is 127.0.0.1:8080 unless said otherwise
  --topic NAME   what the broker calls the topic, and what begins the names of all else: orders
  --redeliver-after SECONDS
                 how long a worker may have an order before NATS or Redis gives it to another one: 30
  --help         print this

OTEL_EXPORTER_OTLP_ENDPOINT, if set, names where spans and metrics are sent as well.";

/// What to do.
#[derive(Debug)]
pub enum Arguments {
    Help,
    Demonstrate,
    Serve { broker: Option<Place>, web: Option<String>, is_worker: bool },
}

impl Arguments {
    pub fn parse(given: impl IntoIterator<Item = OsString>) -> Result<Self, Mistake> {
        let (mut broker, mut role, mut listen) = (None, None, None);
        let mut topic = "orders".to_owned();
        let mut redeliver_after = Duration::from_secs(30);
        let mut given = given.into_iter().peekable();
        if given.peek().is_none() {
            return Ok(Arguments::Demonstrate);
        }
        while let Some(option) = given.next() {
            let option = option.to_string_lossy().into_owned();
            if matches!(&*option, "--help" | "-h") {
                return Ok(Arguments::Help);
            }
            let value = given.next().and_then(|value| value.into_string().ok());
            let value = value.ok_or_else(|| Mistake(format!("what follows `{option}`?")))?;
            match &*option {
                "--broker" => broker = Some(value),
                "--role" => role = Some(value),
                "--listen" => listen = Some(value),
                "--topic" => topic = value,
                "--redeliver-after" => {
                    let seconds = value.parse().ok().filter(|seconds| *seconds > 0);
                    let seconds = seconds
                        .ok_or_else(|| Mistake(format!("`{value}` is no number of seconds")))?;
                    redeliver_after = Duration::from_secs(seconds);
                }
                _ => return Err(Mistake(format!("there is no `{option}`"))),
            }
        }
        let (is_web, is_worker) = match role.as_deref() {
            None => (true, true),
            Some("web") => (true, false),
            Some("worker") => (false, true),
            Some(other) => return Err(Mistake(format!("`{other}` is no role"))),
        };
        if broker.is_none() && role.is_some() {
            return Err(Mistake("between two processes there has to be a `--broker`".to_owned()));
        }
        if listen.is_some() && !is_web {
            return Err(Mistake("a worker does not `--listen`".to_owned()));
        }
        let web = is_web.then(|| listen.unwrap_or_else(|| "127.0.0.1:8080".to_owned()));
        let broker = broker.map(|url| Place { url, topic, redeliver_after });
        Ok(Arguments::Serve { broker, web, is_worker })
    }
}

/// What makes no sense in the arguments.
#[derive(Debug)]
pub struct Mistake(String);

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
