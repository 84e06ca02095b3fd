//! The processes of the service, their customer, and where they send their spans.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use throughline_test_linter::Receiver;
use tokio::time::{Instant, sleep, timeout};

use super::process::Process;
use super::{PATIENCE, Story};

/// The topic of a broker, and who is told of what happens there.
pub(crate) struct Shop {
    url: String,
    receiver: Receiver,
}

impl Shop {
    pub(crate) async fn on(url: &str) -> Self {
        let receiver = Receiver::start().await.expect("a port");
        Self { url: url.to_owned(), receiver }
    }

    /// A worker that has all its subscriptions. What each handler has to do takes it as long as `work`.
    pub(crate) async fn worker(&self, work: Option<Duration>) -> Process {
        let work = work.map(|work| ("ORDERS_WORK_MS", work.as_millis().to_string()));
        let mut worker = self.start(&["--role", "worker"], work);
        worker.until_said("handling orders", 1).await;
        worker
    }

    pub(crate) async fn web(&self) -> Web {
        Web::of(self.start(&["--role", "web", "--listen", "127.0.0.1:0"], None)).await
    }

    fn start(&self, role: &[&str], environment: Option<(&str, String)>) -> Process {
        let mut orders = Command::new(example());
        orders.args(["--broker", &self.url]).args(role);
        // Sooner than by default, since we wait for it.
        orders.args(["--redeliver-after", "3"]).env("OTEL_BSP_SCHEDULE_DELAY", "100");
        orders.env("OTEL_EXPORTER_OTLP_ENDPOINT", self.receiver.endpoint()).envs(environment);
        Process::start(orders)
    }

    /// Waits until each of these was handled by everybody, and the broker knows.
    pub(crate) async fn story_of(&self, orders: &[&str]) -> Story {
        let is_told = |story: Story| orders.iter().all(|order| story.is_told(order));
        let told = self.receiver.until(|received| is_told(Story::of(received)));
        if let Ok(received) = timeout(PATIENCE, told).await {
            return Story::of(&received);
        }
        let received = self.receiver.until(|_| true).await;
        panic!("orders are lost; what is known of {orders:?}:\n{}", Story::of(&received));
    }
}

/// The web server, as its customers see it.
pub(crate) struct Web {
    process: Process,
    orders: String,
    customer: Client,
}

impl Web {
    pub(crate) async fn of(mut process: Process) -> Self {
        let said = process.until_said("listening on ", 1).await;
        let orders = said.trim_start_matches("listening on ").split(',').next().unwrap_or_default();
        let customer = Client::builder().no_proxy().build().expect("a client");
        Self { orders: orders.to_owned(), customer, process }
    }

    /// Places an order, which is accepted.
    pub(crate) async fn place(&self, id: &str) {
        assert_eq!(self.try_to_place(id).await, (StatusCode::ACCEPTED, json!({ "accepted": id })));
    }

    /// Places an order that can't be published now.
    pub(crate) async fn is_refused(&self, id: &str) {
        let (status, answer) = self.try_to_place(id).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
    }

    /// Places an order as often as it takes.
    pub(crate) async fn place_in_the_end(&self, id: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let (status, answer) = self.try_to_place(id).await;
            if status == StatusCode::ACCEPTED {
                return;
            }
            assert!(Instant::now() < until, "in the end it is still refused: {answer}");
            // A customer has no other way to learn that the web has its broker again.
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn try_to_place(&self, id: &str) -> (StatusCode, Value) {
        let order = json!({
            "id": id, "customer": "Ada", "card": "4000000000000001",
            "items": [{ "sku": "tea", "quantity": 2 }],
        });
        let answer = self.customer.post(&self.orders).json(&order).send().await;
        let answer = answer.expect("the web is up");
        (answer.status(), answer.json().await.expect("it answers in JSON"))
    }

    pub(crate) async fn stop(self) {
        self.process.stop().await;
    }
}

/// The example, which is built with the first test that needs it.
pub(crate) fn example() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).clone()
}

fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--package", "throughline-examples", "--example", "orders"]);
    cargo.args(["--quiet", "--message-format", "json", "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/Cargo.toml"));
    if cfg!(feature = "kafka") {
        cargo.args(["--features", "kafka"]);
    }
    let built = cargo.stderr(Stdio::inherit()).output().expect("cargo is there");
    let lines = String::from_utf8_lossy(&built.stdout).into_owned();
    let mut messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable = |message: Value| {
        let is_it = message["target"]["name"] == "orders";
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    };
    messages.find_map(executable).expect("the example can be built")
}
