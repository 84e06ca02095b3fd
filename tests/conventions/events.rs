//! Every event that can be told.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};

use throughline::testing::Capture;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_opentelemetry::layer;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::{registry, reload};

use crate::making::Making;

/// The events by their names. Some are told once in a process.
pub(crate) static EVENTS: LazyLock<BTreeMap<&str, Told>> = LazyLock::new(|| {
    let log = Log::default();
    let capture = Capture::new()
        .with_subscriber(|tracer| registry().with(layer().with_tracer(tracer)).with(log.clone()));
    Making { system: None }.spans(capture);
    let out_of_reach = Capture::new().with_subscriber(|tracer| {
        let (layer, _) = reload::Layer::new(layer().with_tracer(tracer));
        registry().with(layer).with(log.clone())
    });
    out_of_reach.run_sync(|| throughline::task("task").run_sync(|| ()));
    std::mem::take(&mut *log.0.lock().expect("no panic"))
});

/// What an event is told with.
pub(crate) struct Told {
    pub(crate) level: Level,
    /// Each with its type where it has had a value, but for the message.
    pub(crate) fields: BTreeMap<&'static str, Option<&'static str>>,
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<BTreeMap<&'static str, Told>>>);

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let (name, level) = (event.metadata().name(), *event.metadata().level());
        let mut told = self.0.lock().expect("no panic");
        let fields = event.metadata().fields().iter().map(|field| (field.name(), None));
        let fields = fields.filter(|(field, _)| *field != "message").collect();
        let told = told.entry(name).or_insert(Told { level, fields });
        assert_eq!(told.level, level, "{name}");
        event.record(told);
    }
}

impl Told {
    fn add(&mut self, field: &Field, of_type: &'static str) {
        let before = self.fields.insert(field.name(), Some(of_type)).flatten();
        assert!(before.is_none_or(|before| before == of_type), "{field} is of one type");
    }
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, _: &str) {
        if field.name() != "message" {
            self.add(field, "string");
        }
    }

    fn record_i64(&mut self, field: &Field, _: i64) {
        self.add(field, "int");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        assert_eq!(field.name(), "message", "{value:?}");
    }
}
