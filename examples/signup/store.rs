//! The sign-ups, in SQLite. A row keeps the origin of its process beside everything else.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Result, Row};
use throughline::{Step, TraceContext, field};

/// One sign-up, as far as it has come.
#[derive(Debug, Clone)]
pub struct Signup {
    pub id: i64,
    pub email: String,
    /// Whoever has it reads the mail.
    pub token: String,
    pub confirmed: bool,
    /// The way to the top-level trace. A message can be handled by its link or as its child, and
    /// so can a row that keeps one: `from = &signup.origin`.
    pub origin: TraceContext,
}

/// Its calls block, each for far less than a millisecond. Where they took longer they would belong
/// into `spawn_blocking`.
pub struct Store(Mutex<Connection>);

impl Store {
    /// Opens the database, and makes it where there is none.
    pub fn open(file: &Path) -> Result<Self> {
        let connection = Connection::open(file)?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS signups (
                id        INTEGER PRIMARY KEY,
                email     TEXT NOT NULL UNIQUE,
                token     TEXT NOT NULL UNIQUE DEFAULT (lower(hex(randomblob(16)))),
                confirmed INTEGER NOT NULL DEFAULT FALSE,
                name      TEXT,
                origin    TEXT NOT NULL DEFAULT '{}'
            ) STRICT",
        )?;
        Ok(Self(Mutex::new(connection)))
    }

    /// Begins a sign-up, and its top-level trace with it; `None` where this address has one.
    pub fn begin(&self, email: &str) -> Result<Option<Signup>> {
        let mut connection = self.connection();
        let row = connection.transaction()?;
        let inserted = row
            .query_row(
                "INSERT INTO signups (email) VALUES (?1) ON CONFLICT DO NOTHING RETURNING *",
                [email],
                signup,
            )
            .optional()?;
        let Some(mut signup) = inserted else { return Ok(None) };
        // Not before there is a sign-up: an address that is refused begins no process.
        let fields = [("signup.id", field::value(&signup.id))];
        signup.origin = TraceContext::begin(Step::new("sign-up").fields(&fields));
        let origin = serde_json::to_string(&signup.origin).unwrap_or_default();
        row.execute("UPDATE signups SET origin = ?2 WHERE id = ?1", (signup.id, origin))?;
        row.commit()?;
        Ok(Some(signup))
    }

    pub fn find(&self, token: &str) -> Result<Option<Signup>> {
        self.connection()
            .query_row("SELECT * FROM signups WHERE token = ?1", [token], signup)
            .optional()
    }

    /// Whether it was not confirmed before.
    pub fn confirm(&self, signup: &Signup) -> Result<bool> {
        let changed = self.connection().execute(
            "UPDATE signups SET confirmed = TRUE WHERE id = ?1 AND NOT confirmed",
            [signup.id],
        )?;
        Ok(changed == 1)
    }

    /// Whether it was not complete before.
    pub fn complete(&self, signup: &Signup, name: &str) -> Result<bool> {
        let changed = self.connection().execute(
            "UPDATE signups SET name = ?2 WHERE id = ?1 AND name IS NULL",
            (signup.id, name),
        )?;
        Ok(changed == 1)
    }

    /// A thread that panicked has rolled its transaction back.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signup(row: &Row<'_>) -> Result<Signup> {
    let origin: String = row.get("origin")?;
    Ok(Signup {
        id: row.get("id")?,
        email: row.get("email")?,
        token: row.get("token")?,
        confirmed: row.get("confirmed")?,
        // A context that can't be read is none; the sign-up goes on without it.
        origin: serde_json::from_str(&origin).unwrap_or_default(),
    })
}
