//! Every way by itself, for Criterion's statistics, plots and comparison with the run before. The same rows as
//! in `compare`, which is what tells one way from another where a machine has other things to do as well.

use std::time::Duration;

use criterion::{Criterion, PlottingBackend, Throughput};
use throughline_benches::messages::Messages;
use throughline_benches::set_up::SetUp;
use throughline_benches::ways::rows;

fn main() {
    if let Some(set_up) = SetUp::of_this_process() {
        return bench(set_up);
    }
    for set_up in SetUp::COMPARED {
        let status = set_up.process().status().expect("it can be run");
        assert!(status.success(), "{}", set_up.name);
    }
}

fn bench(set_up: &SetUp) {
    set_up.install();
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .plotting_backend(PlottingBackend::Plotters)
        .configure_from_args();
    let messages = Messages::new(set_up.sampled);
    for row in rows(set_up, &messages) {
        let mut group = criterion.benchmark_group(format!("{}/{}", set_up.name, row.name));
        for way in &row.ways {
            group.throughput(Throughput::Elements(way.messages as u64));
            group.bench_function(way.name, |bencher| bencher.iter_custom(|times| way.time(times)));
        }
        group.finish();
    }
    criterion.final_summary();
}
