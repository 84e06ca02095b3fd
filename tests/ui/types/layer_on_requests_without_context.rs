use throughline::tower::ConsumerLayer;
use tower::{Layer, Service, service_fn};

struct Job;

fn run(_worker: impl Service<Job>) {}

fn main() {
    let layer = ConsumerLayer::new("run_job").continue_();
    run(layer.layer(service_fn(async |_: Job| Ok::<(), String>(()))));
}
