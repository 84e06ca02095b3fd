//! A [`TraceContext`] as a column, with [`sqlx`](https://docs.rs/sqlx) 0.9: job tables and outboxes in
//! PostgreSQL. Feature `sqlx-0_9`, which needs Rust 1.94.
//!
//! # The column
//!
//! `TraceContext` and `Option<TraceContext>` are bound and read as a column of `jsonb`, `json`, `text` or
//! `varchar`: the JSON object of the context's headers, `{"traceparent": "00-.."}`, as the feature `serde`
//! writes it. What the column holds besides, such as other JSON, other text, `NULL` or another type, is no
//! context and never fails the row. A context that is empty is written as `{}`.
//!
//! Several rows at once: bind a `Vec<TraceContext>` as `jsonb[]`. A comparison in SQL wants a cast,
//! `$1::text`, where the column is no `jsonb`. With sqlx's own features the column works in SQLite and
//! MySQL as well; it is tested with PostgreSQL.
//!
//! # Which context
//!
//! A row waits. What its handler relates to is the *write*, not whoever sends or claims the row later:
//!
//! - In a **job table** the row is the message. A producer writes its span's context into the row's
//!   `TraceContext`, and the handler reads it from the row.
//! - In an **outbox** the row becomes a message of a broker later. A creation (`throughline::create`) writes its
//!   context where the order is written, in the same transaction. The relay sends it as it is: it is
//!   kept, for somebody chose it, and the relay's span links to it. Should the relay be a handler of its own,
//!   it says `existing = keep`. The example `outbox` is such a program.
//!
//! # What a row tells
//!
//! What the type that you read it into says, by `#[derive(Message)]`:
//!
//! | mark | column |
//! |---|---|
//! | `headers` | the context |
//! | `id` | the primary key |
//! | `sent_at`, `sent_at_unix_ms` | when it was written: the age, of which `within = ".."` and the metrics make use. sqlx's own types for it are those of its features `chrono` and `time`; or let PostgreSQL tell milliseconds |
//! | `attempt` | a number that the claim counts up |
//! | `destination` | the table or the kind of job: one of few |
//!
//! Let the system be `postgresql`. Ages compare the database's clock with that of the handler. Where no column
//! tells when the row was written, the context does: throughline's producers note it there.
//!
//! # An example
//!
//! ```sql
//! CREATE TABLE jobs (
//!     id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
//!     payload  text NOT NULL,
//!     trace    jsonb,
//!     written  timestamptz NOT NULL DEFAULT now(),
//!     run_at   timestamptz NOT NULL DEFAULT now(),
//!     attempts int NOT NULL DEFAULT 0
//! );
//! ```
//!
//! ```no_run
//! # #[cfg(feature = "macros")] {
//! use sqlx::PgPool;
//! use throughline::{Message, TraceContext, Traced, async_consumer, async_producer};
//!
//! /// The span `send jobs`; its context goes into the row.
//! #[async_producer(system = "postgresql", destination = "jobs")]
//! async fn enqueue(db: &PgPool, #[message] job: Traced<&str>) -> sqlx::Result<()> {
//!     let insert = sqlx::query("INSERT INTO jobs (payload, trace) VALUES ($1, $2)");
//!     insert.bind(*job).bind(job.context()).execute(db).await?;
//!     Ok(())
//! }
//!
//! #[derive(Message)] // and `sqlx::FromRow`, with sqlx's feature `derive`
//! #[message(system = "postgresql", destination = "jobs")]
//! struct Job {
//!     #[message(id)]
//!     id: i64,
//!     #[message(body)]
//!     payload: String,
//!     #[message(headers)]
//!     trace: TraceContext,
//!     #[message(sent_at_unix_ms)]
//!     written: i64,
//!     #[message(attempt)]
//!     attempt: i32,
//! }
//!
//! /// A job is nobody else's for a minute. A worker that dies leaves it to the next attempt.
//! async fn claim(db: &PgPool) -> sqlx::Result<Option<Job>> {
//!     let claimed: Option<(i64, String, TraceContext, i64, i32)> = sqlx::query_as(
//!         "UPDATE jobs SET attempts = attempts + 1, run_at = now() + interval '1 minute' WHERE id = (
//!              SELECT id FROM jobs WHERE run_at <= now() ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
//!          ) RETURNING id, payload, trace, (extract(epoch FROM written) * 1000)::bigint, attempts",
//!     )
//!     .fetch_optional(db)
//!     .await?;
//!     Ok(claimed.map(|(id, payload, trace, written, attempt)| Job { id, payload, trace, written, attempt }))
//! }
//!
//! /// The span `process jobs`, in the trace of whoever wrote the row.
//! #[async_consumer(continue, within = "15m")]
//! async fn run_job(job: &Job) -> Result<(), String> {
//!     Ok(())
//! }
//!
//! async fn work(db: PgPool) -> sqlx::Result<()> {
//!     loop {
//!         let poll = throughline::receive("poll").system("postgresql").destination("jobs");
//!         let Some(job) = poll.run(claim(&db)).await? else { break };
//!         if run_job(&job).await.is_ok() {
//!             let delete = sqlx::query("DELETE FROM jobs WHERE id = $1").bind(job.id);
//!             throughline::settle("ack").run(&job, delete.execute(&db)).await?;
//!         } else {
//!             let put_back = sqlx::query("UPDATE jobs SET run_at = now() WHERE id = $1").bind(job.id);
//!             throughline::settle("nack").run(&job, put_back.execute(&db)).await?;
//!         }
//!     }
//!     Ok(())
//! }
//! # let _ = (enqueue, work);
//! # }
//! ```

use std::collections::BTreeMap;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgHasArrayType, PgTypeInfo};
use sqlx::types::Json;
use sqlx::{Database, Decode, Encode, Type};

use crate::TraceContext;

impl<DB: Database> Type<DB> for TraceContext
where
    Json<Self>: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        Json::<Self>::type_info()
    }

    /// A column of any type can be asked for a context; it may have none.
    fn compatible(_: &DB::TypeInfo) -> bool {
        true
    }
}

impl PgHasArrayType for TraceContext {
    fn array_type_info() -> PgTypeInfo {
        Json::<Self>::array_type_info()
    }
}

impl<'q, DB: Database> Encode<'q, DB> for TraceContext
where
    Json<BTreeMap<String, String>>: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let mut headers = BTreeMap::<String, String>::new();
        self.write_to(&mut headers);
        // PostgreSQL refuses a row with such a text in it.
        headers.retain(|_, value| !value.contains('\0'));
        Json(headers).encode_by_ref(buffer)
    }
}

/// What can't be read is no context: a row is never lost for telemetry.
impl<'r, DB: Database> Decode<'r, DB> for TraceContext
where
    Json<Self>: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Json::decode(value).map(|Json(context)| context).unwrap_or_default())
    }
}
