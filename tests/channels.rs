//! `Traced<T>` carries the context of the place where it was made through any channel.

use throughline::testing::Traces;
use throughline::{Traced, async_consumer};
use throughline_tests::{in_both_worlds, in_span};

#[async_consumer(continue, destination = "jobs")]
async fn handle(job: Traced<u32>) -> u32 {
    job.into_inner()
}

#[track_caller]
fn is_continued(traces: &Traces) {
    traces
        .span("process jobs")
        .continues("request")
        .has_attribute("messaging.system", "in_process");
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn job() -> Traced<u32> {
    in_span("request", || Traced::new(7))
}

#[test]
fn through_a_tokio_channel() {
    in_both_worlds(|capture| {
        let traces = block_on(capture.run(async {
            let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
            sender.send(job()).await.expect("the receiver lives");
            assert_eq!(handle(receiver.recv().await.expect("a job")).await, 7);
        }));
        is_continued(&traces);
    });
}

#[test]
fn through_a_flume_channel() {
    in_both_worlds(|capture| {
        let traces = block_on(capture.run(async {
            let (sender, receiver) = flume::bounded(1);
            sender.send_async(job()).await.expect("the receiver lives");
            assert_eq!(handle(receiver.recv_async().await.expect("a job")).await, 7);
        }));
        is_continued(&traces);
    });
}

#[test]
fn through_an_async_channel() {
    in_both_worlds(|capture| {
        let traces = block_on(capture.run(async {
            let (sender, receiver) = async_channel::bounded(1);
            sender.send(job()).await.expect("the receiver lives");
            assert_eq!(handle(receiver.recv().await.expect("a job")).await, 7);
        }));
        is_continued(&traces);
    });
}

#[test]
fn through_a_std_channel_to_another_thread() {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            let (sender, receiver) = std::sync::mpsc::channel();
            sender.send(job()).expect("the receiver lives");
            let thread = std::thread::spawn(move || receiver.recv());
            let job = thread.join().expect("no panic").expect("a job");
            assert_eq!(block_on(handle(job)), 7);
        });
        is_continued(&traces);
    });
}

#[test]
fn a_payload_is_read_changed_and_taken_out() {
    let mut traced = Traced::new(vec![1]);
    traced.push(2);
    assert_eq!(traced.len(), 2);
    let mapped = traced.map(|list| list.len());
    assert_eq!(mapped.into_inner(), 2);
}
