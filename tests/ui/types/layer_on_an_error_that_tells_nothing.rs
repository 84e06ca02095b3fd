use throughline::{Traced, tower::ConsumerLayer};
use tower::{Layer, Service, service_fn};

struct Silent;

fn run(_worker: impl Service<Traced<u8>>) {}

fn main() {
    let layer = ConsumerLayer::new("run_job").continue_();
    run(layer.layer(service_fn(async |_: Traced<u8>| Err::<(), _>(Silent))));
}
