//! Runs one of the compared ways so many times: `instructions CASE SET-UP COUNT`. Under callgrind two
//! runs with different counts tell what one handling takes.

use throughline_benches::{batch, block_on, by_hand, compared, message, set_up::set_up};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, case, how, count] = &arguments[..] else {
        eprintln!(
            "usage: instructions CASE nothing|alone|alone-unsampled|stock|layer|layer-unsampled COUNT"
        );
        std::process::exit(2);
    };
    set_up(how);
    let message = message(!how.ends_with("unsampled"));
    let without = throughline_benches::Message::from([("tenant".to_owned(), "acme".to_owned())]);
    let batch = batch(128);
    let once = || match case.as_str() {
        "bare" => block_on(throughline_benches::body(&message, 0)),
        "link" => block_on(compared::link(&message, 0)),
        "continue" => block_on(compared::continued(&message, 0)),
        "link-100" => block_on(compared::link(&message, 100)),
        "batch" => block_on(compared::batch(&batch)),
        "link-without" => block_on(compared::link(&without, 0)),
        "api-link" => block_on(by_hand::api_link(&message, 0)),
        "api-link-100" => block_on(by_hand::api_link(&message, 100)),
        "api-continue" => block_on(by_hand::api_continue(&message, 0)),
        "api-batch" => block_on(by_hand::api_batch(&batch)),
        "api-link-without" => block_on(by_hand::api_link(&without, 0)),
        "pass-through" => block_on(by_hand::pass_through(&message, 0)),
        "tracing-link" => block_on(by_hand::tracing_link(&message, 0)),
        "tracing-link-100" => block_on(by_hand::tracing_link(&message, 100)),
        "tracing-continue" => block_on(by_hand::tracing_continue(&message, 0)),
        "instrument" => block_on(by_hand::instrument(&message, 0)),
        "fastrace" => block_on(by_hand::fastrace(&message, 0)),
        "floor" => block_on(by_hand::floor(&message, 0)),
        other => panic!("no case {other}"),
    };
    let mut sum = 0_usize;
    for _ in 0..count.parse().expect("a number") {
        sum += once();
    }
    std::hint::black_box(sum);
}
