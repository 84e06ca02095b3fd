//! Job tables and outboxes in PostgreSQL, through sqlx: a context as a column. Each test has a schema of
//! its own.

use std::panic::{self, AssertUnwindSafe};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libtest_mimic::Trial;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, FromRow, PgPool, Row};
use throughline::testing::Capture;
use throughline::{Message, TraceContext, Traced, async_consumer, async_producer};
use throughline_test_brokers::Server;
use throughline_tests::{OTHER_SENDER, SENDER, baggage, in_both_worlds, in_span};
use tokio::time::timeout;

const SERVER: Server = Server {
    name: "PostgreSQL",
    variable: "THROUGHLINE_POSTGRESQL",
    usual_address: "127.0.0.1:5432",
};

pub(crate) fn trials() -> Vec<Trial> {
    SERVER.trials(&[
        ("a_job_continues_the_trace_of_its_writer", a_job_continues_the_trace_of_its_writer),
        ("a_job_tells_all_that_its_row_knows", a_job_tells_all_that_its_row_knows),
        ("a_job_is_as_old_as_its_row_or_its_context", a_job_is_as_old_as_its_row_or_its_context),
        ("a_job_put_back_is_a_second_attempt", a_job_put_back_is_a_second_attempt),
        ("a_job_of_a_dead_worker_is_a_second_attempt", a_job_of_a_dead_worker_is_a_second_attempt),
        ("two_workers_never_claim_the_same_job", two_workers_never_claim_the_same_job),
        ("a_batch_links_to_every_writer", a_batch_links_to_every_writer),
        ("many_contexts_are_written_at_once", many_contexts_are_written_at_once),
        ("an_outbox_keeps_the_context_of_the_write", an_outbox_keeps_the_context_of_the_write),
        ("a_row_taken_back_sends_nothing", a_row_taken_back_sends_nothing),
        ("every_type_of_column_keeps_the_whole", every_type_of_column_keeps_the_whole),
        ("an_optional_context_is_null_where_there_is_none", an_optional_context_is_null),
        ("what_is_no_context_never_fails_the_row", what_is_no_context_never_fails_the_row),
        ("headers_of_any_casing_are_read", headers_of_any_casing_are_read),
        ("baggage_never_fails_the_write", baggage_never_fails_the_write),
    ])
}

/// Runs `body` in a schema of its own, with a table `jobs` whose context is a column of this type.
fn with_jobs(address: &str, column: &str, body: impl AsyncFnOnce(&PgPool)) {
    static SCHEMAS: AtomicU32 = AtomicU32::new(0);
    let schema = format!("jobs_{}_{}", process::id(), SCHEMAS.fetch_add(1, Ordering::Relaxed));
    let (host, port) = address.rsplit_once(':').expect("host:port");
    let server = PgConnectOptions::new()
        .host(host)
        .port(port.parse().expect("a port"))
        .username("postgres")
        .database("test")
        .options([("search_path", &schema)]);
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(10));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");

    let db = runtime.block_on(async {
        let db = pool.connect_with(server).await.expect("the server answers");
        run(&db, format!("CREATE SCHEMA {schema}")).await;
        run(
            &db,
            format!(
                "CREATE TABLE jobs (
                    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    payload  text NOT NULL DEFAULT 'two lemons',
                    trace    {column},
                    written  timestamptz NOT NULL DEFAULT now(),
                    run_at   timestamptz NOT NULL DEFAULT now(),
                    attempts int NOT NULL DEFAULT 0
                )"
            ),
        )
        .await;
        db
    });
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        let body = async { timeout(Duration::from_secs(30), body(&db)).await };
        runtime.block_on(body).expect("the test ends in time");
    }));
    runtime.block_on(run(&db, format!("DROP SCHEMA {schema} CASCADE")));
    if let Err(panicked) = result {
        panic::resume_unwind(panicked);
    }
}

async fn run(db: &PgPool, sql: String) {
    sqlx::query(AssertSqlSafe(sql)).execute(db).await.expect("it can be run");
}

#[async_producer(system = "postgresql", destination = "jobs")]
async fn enqueue(db: &PgPool, #[message] job: Traced<&str>) -> sqlx::Result<()> {
    let insert = sqlx::query("INSERT INTO jobs (payload, trace) VALUES ($1, $2)");
    insert.bind(*job).bind(job.context()).execute(db).await?;
    Ok(())
}

#[derive(Debug, Clone, Message, FromRow)]
#[message(system = "postgresql", destination = "jobs")]
struct Job {
    #[message(id)]
    id: i64,
    #[message(body)]
    payload: String,
    #[message(headers)]
    trace: TraceContext,
    #[message(sent_at_unix_ms)]
    written: Option<i64>,
    #[message(attempt)]
    attempts: i32,
}

const CLAIM: &str = "
    UPDATE jobs SET attempts = attempts + 1, run_at = now() + interval '1 minute' WHERE id = (
        SELECT id FROM jobs WHERE run_at <= now() ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
    ) RETURNING id, payload, trace, (extract(epoch FROM written) * 1000)::bigint AS written, attempts";

async fn poll(db: &PgPool) -> Option<Job> {
    let poll = throughline::receive("poll").system("postgresql").destination("jobs");
    let claimed = poll.run(sqlx::query_as(CLAIM).fetch_optional(db)).await;
    claimed.expect("a row that can be read")
}

async fn next(db: &PgPool) -> Job {
    poll(db).await.expect("there is a job")
}

async fn acknowledge(db: &PgPool, job: &Job) {
    let delete = sqlx::query("DELETE FROM jobs WHERE id = $1").bind(job.id).execute(db);
    let deleted = throughline::settle("ack").run(job, delete).await.expect("it can be deleted");
    assert_eq!(deleted.rows_affected(), 1);
}

async fn put_back(db: &PgPool, job: &Job) {
    let put = sqlx::query("UPDATE jobs SET run_at = now() WHERE id = $1").bind(job.id).execute(db);
    throughline::settle("nack").run(job, put).await.expect("it can be put back");
}

#[async_consumer(continue)]
async fn run_job(job: &Job) -> Result<(), String> {
    if job.payload == "nothing" { Err("nothing to do".to_owned()) } else { Ok(()) }
}

/// What reads the column says of a row.
async fn context_in_the_only_row(db: &PgPool) -> TraceContext {
    let row = sqlx::query("SELECT trace FROM jobs").fetch_one(db).await.expect("one row");
    row.try_get("trace").expect("whatever the column holds")
}

fn context_of(sender: &str) -> TraceContext {
    TraceContext::read_from(&[
        ("traceparent", sender),
        ("tracestate", "vendor=1"),
        ("baggage", "tenant=acme,note=caf%C3%A9"),
    ])
}

fn a_job_continues_the_trace_of_its_writer(address: &str) {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            with_jobs(address, "jsonb", async |db| {
                enqueue(db, Traced::new("two lemons")).await.expect("it is written");
                let job = next(db).await;
                assert_eq!(job.payload, "two lemons");
                run_job(&job).await.expect("it is done");
                acknowledge(db, &job).await;
                assert!(poll(db).await.is_none());
            });
        });
        traces.span("process jobs").is_kind("consumer").continues("send jobs").has_links(1);
        let polls = traces.spans("receive jobs");
        let (full, empty): (Vec<_>, Vec<_>) =
            polls.into_iter().partition(|poll| !poll.links().is_empty());
        full[0].is_kind("client").is_root().links_to("send jobs").has_links(1);
        empty[0].has_attribute("messaging.batch.message_count", 0);
        let ack = traces.span("ack jobs").is_kind("client").links_to("send jobs").has_links(1);
        ack.has_attribute("messaging.operation.type", "settle");
    });
}

fn a_job_tells_all_that_its_row_knows(address: &str) {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            with_jobs(address, "jsonb", async |db| {
                enqueue(db, Traced::new("two lemons")).await.expect("it is written");
                let job = next(db).await;
                run_job(&job).await.expect("it is done");
                acknowledge(db, &job).await;
            });
        });
        for name in ["receive jobs", "process jobs", "ack jobs"] {
            traces
                .span(name)
                .has_attribute("messaging.system", "postgresql")
                .has_attribute("messaging.destination.name", "jobs")
                .has_attribute("messaging.message.id", "1")
                .has_attribute("throughline.message.attempt", 1);
        }
        for name in ["receive jobs", "process jobs"] {
            traces.span(name).has_attribute("messaging.message.body.size", 10);
        }
        traces
            .span("send jobs")
            .is_kind("producer")
            .has_attribute("messaging.system", "postgresql")
            .has_attribute("messaging.destination.name", "jobs");
    });
}

fn a_job_is_as_old_as_its_row_or_its_context(address: &str) {
    #[async_consumer(continue, within = "15m", name = "run soon")]
    fn run_soon(_job: &Job) {}

    let traces = Capture::new().run_sync(|| {
        with_jobs(address, "jsonb", async |db| {
            enqueue(db, Traced::new("an hour old")).await.expect("it is written");
            run(db, "UPDATE jobs SET written = now() - interval '1 hour'".to_owned()).await;
            let job = next(db).await;
            run_soon(&job);
            run_job(&Job { written: None, ..job }).await.expect("it is done");
        });
    });
    let age_in = |name| {
        let age = traces.span(name).attribute("throughline.message.age").expect("an age");
        age.to_string().parse::<f64>().expect("seconds")
    };
    let (by_row, by_context) = (age_in("run soon"), age_in("process jobs"));
    assert!((3600.0..3660.0).contains(&by_row), "{by_row}");
    assert!((0.0..30.0).contains(&by_context), "{by_context}");
    let late = traces.span("run soon").is_root().links_to("send jobs");
    late.has_attribute("throughline.relation.reason", "age");
}

fn a_job_put_back_is_a_second_attempt(address: &str) {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            with_jobs(address, "jsonb", async |db| {
                enqueue(db, Traced::new("nothing")).await.expect("it is written");
                for _ in 0..2 {
                    let job = next(db).await;
                    run_job(&job).await.expect_err("there is nothing to do");
                    put_back(db, &job).await;
                }
            });
        });
        let mut attempts = traces.spans("process jobs");
        attempts.sort_by_key(|span| span.data().start_time);
        assert_eq!(attempts.len(), 2);
        for (span, attempt) in attempts.into_iter().zip(1_i64..) {
            span.continues("send jobs").is_error().has_attribute("error.type", "String");
            span.has_attribute("throughline.message.attempt", attempt);
        }
        let mut settled = traces.spans("nack jobs");
        settled.sort_by_key(|span| span.data().start_time);
        settled[1].links_to("send jobs").has_attribute("throughline.message.attempt", 2);
    });
}

fn a_job_of_a_dead_worker_is_a_second_attempt(address: &str) {
    let traces = Capture::new().run_sync(|| {
        with_jobs(address, "jsonb", async |db| {
            enqueue(db, Traced::new("two lemons")).await.expect("it is written");
            drop(next(db).await); // and nobody hears of this worker again
            assert!(poll(db).await.is_none(), "it is the dead worker's for a minute");
            run(db, "UPDATE jobs SET run_at = run_at - interval '1 minute'".to_owned()).await;
            let job = next(db).await;
            run_job(&job).await.expect("it is done");
        });
    });
    let process = traces.span("process jobs").continues("send jobs");
    process.has_attribute("throughline.message.attempt", 2);
}

fn two_workers_never_claim_the_same_job(address: &str) {
    with_jobs(address, "jsonb", async |db| {
        for payload in ["one", "two"] {
            enqueue(db, Traced::new(payload)).await.expect("it is written");
        }
        // The first worker's claim is not committed yet, and the second one doesn't wait for it.
        let mut first = db.begin().await.expect("a transaction");
        let mine: Job = sqlx::query_as(CLAIM).fetch_one(&mut *first).await.expect("a job");
        let theirs = next(db).await;
        assert_eq!((mine.payload.as_str(), theirs.payload.as_str()), ("one", "two"));
        assert!(poll(db).await.is_none());
        first.rollback().await.expect("the worker gives up");
        let again = next(db).await;
        assert_eq!((again.id, again.attempts), (mine.id, 1));
    });
}

fn a_batch_links_to_every_writer(address: &str) {
    #[async_consumer(link)]
    fn run_all(jobs: &[Job]) -> usize {
        jobs.len()
    }

    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            with_jobs(address, "jsonb", async |db| {
                for payload in ["one", "two"] {
                    enqueue(db, Traced::new(payload)).await.expect("it is written");
                }
                let jobs = sqlx::query_as(
                    "SELECT id, payload, trace, NULL::bigint AS written, attempts
                     FROM jobs ORDER BY id FOR UPDATE SKIP LOCKED",
                );
                let poll = throughline::receive("poll").system("postgresql").destination("jobs");
                let jobs: Vec<Job> = poll.run(jobs.fetch_all(db)).await.expect("rows");
                assert_eq!(run_all(&jobs), 2);
            });
        });
        let mut writers = traces.spans("send jobs");
        writers.sort_by_key(|span| span.data().start_time);
        for name in ["receive jobs", "process jobs"] {
            let span = traces.span(name).is_root().has_links(2);
            span.has_attribute("messaging.batch.message_count", 2);
            let linked: Vec<_> = span.links().iter().map(|it| it.span_context.span_id()).collect();
            assert_eq!(linked, [writers[0].span_id(), writers[1].span_id()]);
        }
    });
}

fn many_contexts_are_written_at_once(address: &str) {
    #[async_producer(system = "postgresql", destination = "jobs")]
    async fn enqueue_all(
        db: &PgPool,
        #[message] jobs: Vec<Traced<&'static str>>,
    ) -> sqlx::Result<()> {
        let traces: Vec<_> = jobs.iter().map(|job| job.context().clone()).collect();
        let payloads: Vec<_> = jobs.into_iter().map(Traced::into_inner).collect();
        let insert = sqlx::query(
            "INSERT INTO jobs (payload, trace) SELECT * FROM UNNEST($1::text[], $2::jsonb[])",
        );
        insert.bind(payloads).bind(traces).execute(db).await?;
        Ok(())
    }

    let traces = Capture::new().run_sync(|| {
        with_jobs(address, "jsonb", async |db| {
            let jobs = vec![Traced::new("one"), Traced::new("two")];
            enqueue_all(db, jobs).await.expect("they are written");
            for _ in 0..2 {
                run_job(&next(db).await).await.expect("it is done");
            }
            let all = sqlx::query("SELECT array_agg(trace ORDER BY id) FROM jobs").fetch_one(db);
            let all: Vec<TraceContext> = all.await.expect("one row").get(0);
            assert_eq!(all.len(), 2);
            assert!(all.iter().all(|context| !context.is_empty()));
        });
    });
    traces.span("send jobs").has_attribute("messaging.batch.message_count", 2);
    for span in traces.spans("process jobs") {
        span.continues("send jobs");
    }
    assert_eq!(traces.spans("process jobs").len(), 2);
}

/// The order's message, as a broker has it.
type Sent = Vec<(String, String)>;

#[async_producer(system = "kafka", destination = "orders")]
async fn relay(message: Sent) -> Sent {
    message
}

#[async_consumer(continue, system = "kafka", destination = "orders")]
async fn handle(message: &Sent) {
    assert_eq!(baggage("tenant").as_deref(), Some("acme"));
    let _ = message;
}

fn an_outbox_keeps_the_context_of_the_write(address: &str) {
    in_both_worlds(|capture| {
        let traces = capture.run_sync(|| {
            with_jobs(address, "text", async |db| {
                let mut order = Traced::with_context("order", TraceContext::default());
                let request = Traced::with_context((), context_of(SENDER));
                let writing = async {
                    let creation = throughline::create("place_order").destination("orders");
                    creation.run_sync(&mut order, |_| ());
                    let insert = sqlx::query("INSERT INTO jobs (trace) VALUES ($1)");
                    insert.bind(order.context()).execute(db).await
                };
                let request =
                    throughline::consume("POST /orders").continue_().run(&request, writing);
                request.await.expect("it is written");

                let context = context_in_the_only_row(db).await;
                let mut message = Sent::new();
                context.write_to(&mut message);
                let message = in_span("relay loop", || relay(message)).await;
                handle(&message).await;
            });
        });
        let write = traces.span("create orders").is_kind("producer").is_child_of("POST /orders");
        let relayed = traces.span("send orders").is_kind("client").links_to("create orders");
        assert_ne!(relayed.trace_id(), write.trace_id());
        traces.span("process orders").continues("create orders").has_links(1);
    });
}

fn a_row_taken_back_sends_nothing(address: &str) {
    with_jobs(address, "jsonb", async |db| {
        let mut write = db.begin().await.expect("a transaction");
        let insert = sqlx::query("INSERT INTO jobs (trace) VALUES ($1)").bind(context_of(SENDER));
        insert.execute(&mut *write).await.expect("it is written");
        write.rollback().await.expect("and taken back");
        assert!(poll(db).await.is_none());
    });
}

fn every_type_of_column_keeps_the_whole(address: &str) {
    for column in ["jsonb", "json", "text", "varchar(500)"] {
        with_jobs(address, column, async |db| {
            let insert = sqlx::query("INSERT INTO jobs (trace) VALUES ($1)");
            insert.bind(context_of(SENDER)).execute(db).await.expect(column);
            assert_eq!(context_in_the_only_row(db).await, context_of(SENDER), "{column}");
            let update = sqlx::query("UPDATE jobs SET trace = $1");
            update.bind(context_of(OTHER_SENDER)).execute(db).await.expect(column);
            assert_eq!(context_in_the_only_row(db).await, context_of(OTHER_SENDER), "{column}");
            let in_sql = sqlx::query("SELECT trace::json ->> 'traceparent' FROM jobs");
            let traceparent: String = in_sql.fetch_one(db).await.expect(column).get(0);
            assert_eq!(traceparent, OTHER_SENDER);
        });
    }
}

fn an_optional_context_is_null(address: &str) {
    with_jobs(address, "jsonb", async |db| {
        for context in [None, Some(context_of(SENDER)), Some(TraceContext::default())] {
            let insert = sqlx::query("INSERT INTO jobs (trace) VALUES ($1)");
            insert.bind(context).execute(db).await.expect("it is written");
        }
        let rows = sqlx::query("SELECT trace, trace::text FROM jobs ORDER BY id").fetch_all(db);
        let rows = rows.await.expect("three rows");
        let read: Vec<(Option<TraceContext>, Option<String>)> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(read[0], (None, None));
        assert_eq!(read[1].0, Some(context_of(SENDER)));
        assert_eq!(read[2], (Some(TraceContext::default()), Some("{}".to_owned())));
    });
}

fn what_is_no_context_never_fails_the_row(address: &str) {
    let junk = [
        ("jsonb", "NULL"),
        ("jsonb", "'[]'"),
        ("jsonb", "'3'"),
        ("jsonb", "'\"text\"'"),
        ("jsonb", r#"'{"traceparent": 3, "tracestate": {}}'"#),
        ("json", "'null'"),
        ("text", "''"),
        ("text", "'no JSON'"),
        ("text", r#"'{"traceparent": "00-'"#),
        ("bytea", r"'\x00ff'"),
        ("bytea", "''"),
        ("integer", "7"),
        ("text[]", "'{a,b}'"),
        ("timestamptz", "now()"),
    ];
    for (column, value) in junk {
        with_jobs(address, column, async |db| {
            run(db, format!("INSERT INTO jobs (trace) VALUES ({value})")).await;
            // As text as well: a query without parameters is answered so.
            let as_text = sqlx::raw_sql("SELECT trace FROM jobs").fetch_one(db).await;
            let as_text: TraceContext = as_text.expect("a row").get("trace");
            assert!(as_text.is_empty(), "{column} {value}: {as_text:?}");
            assert!(context_in_the_only_row(db).await.is_empty(), "{column} {value}");
            let traces = Capture::new().run(async { run_job(&next(db).await).await }).await;
            let process = traces.span("process jobs").is_root().has_no_links();
            process.has_attribute("throughline.relation.reason", "no_context");
        });
    }
}

fn headers_of_any_casing_are_read(address: &str) {
    for column in ["jsonb", "text"] {
        with_jobs(address, column, async |db| {
            let value =
                format!(r#"{{"TraceParent": "{SENDER}", "Baggage": "tenant=acme", "x": 1}}"#);
            run(db, format!("INSERT INTO jobs (trace) VALUES ('{value}')")).await;
            let context = context_in_the_only_row(db).await;
            assert_eq!(context.traceparent().as_deref(), Some(SENDER));
            let mut headers = Sent::new();
            context.write_to(&mut headers);
            assert_eq!(headers[1], ("baggage".to_owned(), "tenant=acme".to_owned()));
        });
    }
}

fn baggage_never_fails_the_write(address: &str) {
    let much = "x".repeat(1 << 20);
    for column in ["jsonb", "text"] {
        for baggage in [format!("much={much}"), "note=1;hidden\0".to_owned()] {
            with_jobs(address, column, async |db| {
                let headers = [("traceparent", SENDER), ("baggage", &baggage)];
                let context = TraceContext::read_from(&headers);
                let insert = sqlx::query("INSERT INTO jobs (trace) VALUES ($1)").bind(context);
                insert.execute(db).await.expect("it is written");
                let read = context_in_the_only_row(db).await;
                assert_eq!(read.traceparent().as_deref(), Some(SENDER));
            });
        }
    }
}
