//! Brokers that a test starts for itself: it may stop them in between, and leaves nothing behind.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use throughline_test_brokers::unique;

use super::Broker;
use super::process::Process;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Mosquitto,
    Nats,
    RabbitMq,
    Redis,
}

impl Kind {
    pub(crate) fn scheme(self) -> &'static str {
        match self {
            Kind::Mosquitto => "mqtt",
            Kind::Nats => "nats",
            Kind::RabbitMq => "amqp",
            Kind::Redis => "redis",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Kind::Mosquitto => "mosquitto",
            Kind::Nats => "nats-server",
            // The one in the path changes the user first.
            Kind::RabbitMq => "/usr/lib/rabbitmq/bin/rabbitmq-server",
            Kind::Redis => "redis-server",
        }
    }

    /// What it prints once it can be connected to.
    fn words_when_ready(self) -> &'static str {
        match self {
            Kind::Mosquitto => " running",
            Kind::Nats => "Server is ready",
            Kind::RabbitMq => "completed with",
            Kind::Redis => "Ready to accept connections",
        }
    }

    /// Why it can't be started here, if it can't.
    pub(crate) fn missing(self) -> Option<String> {
        let program = self.program();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let is_there = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
        (!is_there).then(|| format!("no {program} to be started"))
    }

    /// It keeps what it has in the folder.
    fn command(self, port: u16, folder: &Path) -> Command {
        let mut command = Command::new(self.program());
        let port_as_text = port.to_string();
        match self {
            Kind::Mosquitto => {
                let settings = format!(
                    "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n\
                     persistence true\npersistence_location {}/\n",
                    folder.display(),
                );
                let file = folder.join("mosquitto.conf");
                fs::write(&file, settings).expect("a file");
                command.arg("-c").arg(file)
            }
            Kind::Nats => {
                command.args(["-a", "127.0.0.1", "-p", &port_as_text, "-js", "-sd"]).arg(folder)
            }
            Kind::RabbitMq => {
                let file = |name: &str, text: String| {
                    let file = folder.join(name);
                    fs::write(&file, text).expect("a file");
                    file
                };
                let listener = format!("listeners.tcp.1 = 127.0.0.1:{port}\n");
                command
                    .env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf", listener))
                    // In place of the machine's own.
                    .env("RABBITMQ_CONF_ENV_FILE", file("env.conf", String::new()))
                    .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins", "[].".to_owned()))
                    .env("RABBITMQ_NODENAME", format!("orders-{port}@localhost"))
                    .env("RABBITMQ_DIST_PORT", free_port().to_string())
                    .env("ERL_EPMD_ADDRESS", "127.0.0.1")
                    .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
                    .env("RABBITMQ_LOG_BASE", folder.join("log"))
                    .env("HOME", folder)
                    // The process that is started here is then the one that is killed.
                    .env("RUNNING_UNDER_SYSTEMD", "yes")
            }
            Kind::Redis => command
                .args(["--bind", "127.0.0.1", "--port", &port_as_text, "--save", "", "--dir"])
                .arg(folder)
                .args(["--appendonly", "yes", "--appendfsync", "always"]),
        };
        command
    }
}

/// A server at a port that nobody else uses. It ends with its test, and so does what it has kept.
pub(crate) struct OwnServer {
    kind: Kind,
    port: u16,
    folder: PathBuf,
    /// None while it is stopped.
    process: Option<Process>,
}

impl OwnServer {
    pub(crate) async fn start(kind: Kind) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique(kind.scheme()));
        fs::create_dir_all(&folder).expect("a folder");
        let port = free_port();
        let process = Some(start(kind, port, &folder).await);
        Self { kind, port, folder, process }
    }
}

impl Broker for OwnServer {
    fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", self.kind.scheme(), self.port)
    }

    /// Mosquitto is told to stop: it writes down what it has when it ends. The others are killed.
    async fn stop(&mut self) {
        let process = self.process.take().expect("it runs");
        match self.kind {
            Kind::Mosquitto => process.stop().await,
            Kind::Nats | Kind::RabbitMq | Kind::Redis => process.kill().await,
        }
    }

    /// At the same port, with what it had.
    async fn start_again(&mut self) {
        self.process = Some(start(self.kind, self.port, &self.folder).await);
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        drop(self.process.take());
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn start(kind: Kind, port: u16, folder: &Path) -> Process {
    let mut process = Process::start(kind.command(port, folder));
    process.until_said(kind.words_when_ready(), 1).await;
    process
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("it has one").port()
}
