//! A commit as one script: its statements, run by the connection's own thread in one go.
//!
//! Owns: what a statement must do, and which of a script's statements an answer belongs to. Handing a
//! statement to that thread and waiting for it costs more than most statements do.

use futures::TryStreamExt as _;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Either, Executor as _, Row as _};
use wane_store::StoreError;

use crate::row::{count, refused, unavailable};

/// What the file says when a record is to be put in the place of another.
const APPEND_ONLY: &str = "the trail is append-only";

/// A value bound to a statement.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Number(i64),
    Bytes(Vec<u8>),
    Nothing,
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nothing, Into::into)
    }
}

/// What a statement must do.
#[derive(Clone, Debug)]
enum Must {
    /// Change exactly this one row, or somebody else was first.
    ChangeOne { id: String, name: Option<String> },
    /// Find nothing open: counts grants and leases.
    FindNoneOpen { what: &'static str },
    /// Append a record.
    Append,
    /// Succeed.
    Succeed,
}

/// One statement, its parameters numbered from `$1`, and what it must do.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    sql: &'static str,
    values: Vec<Value>,
    must: Must,
}

impl Step {
    /// A statement that must succeed.
    pub(crate) fn new(sql: &'static str, values: Vec<Value>) -> Self {
        Self { sql, values, must: Must::Succeed }
    }

    /// It must change exactly one row, or somebody else was first.
    pub(crate) fn one(self, id: &str) -> Self {
        Self { must: Must::ChangeOne { id: id.to_owned(), name: None }, ..self }
    }

    /// As [`one`](Self::one), of something whose name is its own.
    pub(crate) fn one_named(self, id: &str, name: impl std::fmt::Display) -> Self {
        Self { must: Must::ChangeOne { id: id.to_owned(), name: Some(name.to_string()) }, ..self }
    }

    /// It counts grants and leases that have not ended, and must find none.
    pub(crate) fn none_open(self, what: &'static str) -> Self {
        Self { must: Must::FindNoneOpen { what }, ..self }
    }

    /// It appends a record of the trail.
    pub(crate) fn append(self) -> Self {
        Self { must: Must::Append, ..self }
    }

    fn met(&self, changed: u64) -> Result<(), StoreError> {
        match &self.must {
            Must::ChangeOne { id, .. } if changed != 1 => Err(StoreError::Conflict(id.clone())),
            Must::ChangeOne { .. } | Must::FindNoneOpen { .. } | Must::Append | Must::Succeed => Ok(()),
        }
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        match (&self.must, &error) {
            (Must::ChangeOne { name: Some(name), .. }, sqlx::Error::Database(e)) if e.is_unique_violation() => {
                StoreError::Refused(format!("the name `{name}` is taken; choose another"))
            }
            // A record whose id is taken is refused by the file itself, in these words.
            (Must::Append, sqlx::Error::Database(e)) if e.message() == APPEND_ONLY => {
                StoreError::Refused(format!("{APPEND_ONLY}, and a record of this id is in it already"))
            }
            (_, _) => refused(error),
        }
    }
}

/// Why a script stopped.
pub(crate) enum Stopped {
    /// A statement of its own: all of it is to be undone, and nobody else is harmed.
    Own(StoreError),
    /// One of those before it, which belong to the whole transaction.
    Before(StoreError),
}

/// Runs `before`, which is the transaction's, then `steps`; returns the place of the last record appended.
pub(crate) async fn run(conn: &mut SqliteConnection, before: &str, steps: &[Step]) -> Result<u64, Stopped> {
    let mut sql = before.to_owned();
    let mut bound = 0;
    for step in steps {
        number_from(&mut sql, step.sql, bound);
        sql.push(';');
        bound += step.values.len();
    }
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for value in steps.iter().flat_map(|step| step.values.iter().cloned()) {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes),
            Value::Nothing => query.bind(None::<i64>),
        };
    }
    let mut ahead = before.matches(';').count();
    let mut steps = steps.iter();
    let mut answers = conn.fetch_many(query);
    let mut place = 0;
    loop {
        let answer = match (answers.try_next().await, ahead) {
            (Ok(answer), _) => answer,
            (Err(error), 0) => {
                return Err(Stopped::Own(match steps.next() {
                    Some(step) => step.failed(error),
                    None => unavailable(error),
                }));
            }
            (Err(error), _) => return Err(Stopped::Before(unavailable(error))),
        };
        match answer {
            None => return Ok(place),
            Some(Either::Right(row)) => {
                let Some(Step { must: Must::FindNoneOpen { what }, .. }) = steps.as_slice().first() else { continue };
                let open = |at: usize| row.try_get::<i64, _>(at).map_err(|e| Stopped::Own(unavailable(e)));
                let (grants, leases) = (open(0)?, open(1)?);
                if grants > 0 || leases > 0 {
                    return Err(Stopped::Own(StoreError::Refused(format!(
                        "the {what} has {grants} grants that are not closed and {leases} open credentials or accounts; end them first"
                    ))));
                }
            }
            Some(Either::Left(_)) if ahead > 0 => ahead -= 1,
            Some(Either::Left(done)) => {
                let Some(step) = steps.next() else { continue };
                step.met(done.rows_affected()).map_err(Stopped::Own)?;
                if matches!(step.must, Must::Append) {
                    place = count(done.last_insert_rowid()).map_err(Stopped::Own)?;
                }
            }
        }
    }
}

/// Runs statements by themselves.
pub(crate) async fn alone(conn: &mut SqliteConnection, steps: &[Step]) -> Result<(), StoreError> {
    match run(conn, "", steps).await {
        Ok(_) => Ok(()),
        Err(Stopped::Own(why) | Stopped::Before(why)) => Err(why),
    }
}

/// Appends a statement whose parameters are numbered from behind those already bound. A `$` that no
/// digit follows is none of ours: it begins a JSON path.
fn number_from(out: &mut String, sql: &str, bound: usize) {
    let mut parts = sql.split('$');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let digits = part.len() - part.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, rest) = part.split_at(digits);
        out.push('$');
        match number.parse::<usize>() {
            Ok(number) => out.push_str(&(number + bound).to_string()),
            Err(_) => out.push_str(number),
        }
        out.push_str(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::number_from;

    #[test]
    fn parameters_are_numbered_over_the_whole_script() {
        for (sql, bound, expected) in [
            ("A", 3, "A"),
            ("SET a = $2 + 1, b = $10 WHERE id = $1", 0, "SET a = $2 + 1, b = $10 WHERE id = $1"),
            ("SET a = $2 + 1, b = $10 WHERE id = $1", 7, "SET a = $9 + 1, b = $17 WHERE id = $8"),
            ("doc ->> '$.status' = $1", 4, "doc ->> '$.status' = $5"),
        ] {
            let mut out = String::new();
            number_from(&mut out, sql, bound);
            assert_eq!(out, expected, "{sql} from {bound}");
        }
    }
}
