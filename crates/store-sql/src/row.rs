//! What every row shares: an id, a generation, a document; and what a failed statement means.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{Executor as _, Sqlite};
use wane_store::{Seen, StoreError, Versioned};

/// A statement with its arguments.
pub(crate) type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;
/// An id, a generation and a document.
pub(crate) type Row = (String, i64, String);

/// The pair of statements behind a guarded write. Both take the id as `$1` and the generation
/// that was seen as `$2`, and the same columns after them.
pub(crate) struct Guarded {
    /// `INSERT … ON CONFLICT (id) DO NOTHING`.
    pub(crate) insert: &'static str,
    /// `UPDATE … WHERE id = $1 AND generation = $2`.
    pub(crate) update: &'static str,
}

impl Guarded {
    /// The statement for what was seen, with id and generation bound.
    pub(crate) fn statement(&self, id: &str, seen: Seen) -> Result<Statement<'static>, StoreError> {
        let sql = match seen {
            Seen::Nothing => self.insert,
            Seen::Generation(_) => self.update,
        };
        Ok(sqlx::query(sql).bind(id.to_owned()).bind(seen_number(seen)?))
    }
}

/// The generation that was seen, as the column holds it; nothing is zero.
pub(crate) fn seen_number(seen: Seen) -> Result<i64, StoreError> {
    match seen {
        Seen::Nothing => Ok(0),
        Seen::Generation(n) => number(n),
    }
}

/// A count as the column holds it.
pub(crate) fn number(n: u64) -> Result<i64, StoreError> {
    i64::try_from(n).map_err(|_| StoreError::Refused(format!("`{n}` is too large a number to keep")))
}

/// A count out of its column.
pub(crate) fn count(n: i64) -> Result<u64, StoreError> {
    u64::try_from(n).map_err(|_| StoreError::Corrupt(format!("a count of {n}")))
}

/// Runs a guarded write: exactly one row, or somebody else was first.
pub(crate) async fn exactly_one(
    conn: &mut SqliteConnection,
    statement: Statement<'_>,
    id: &str,
) -> Result<(), StoreError> {
    let done = conn.execute(statement).await.map_err(refused)?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict(id.to_owned())) }
}

/// As [`exactly_one`], for what carries a unique name.
pub(crate) async fn with_name(
    conn: &mut SqliteConnection,
    statement: Statement<'_>,
    id: &str,
    name: impl std::fmt::Display,
) -> Result<(), StoreError> {
    match conn.execute(statement).await {
        Ok(done) if done.rows_affected() == 1 => Ok(()),
        Ok(_) => Err(StoreError::Conflict(id.to_owned())),
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => {
            Err(StoreError::Refused(format!("the name `{name}` is taken; choose another")))
        }
        Err(e) => Err(refused(e)),
    }
}

/// What a failed write means.
pub(crate) fn refused(e: sqlx::Error) -> StoreError {
    match &e {
        sqlx::Error::Database(d) if d.is_foreign_key_violation() => {
            StoreError::Refused("it refers to something that is not stored; write both in one commit".to_owned())
        }
        sqlx::Error::Database(d) if d.is_unique_violation() => StoreError::Refused("it is stored already".to_owned()),
        _ => unavailable(e),
    }
}

/// What a failed read means.
pub(crate) fn unavailable(e: sqlx::Error) -> StoreError {
    match e {
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Corrupt(e.to_string()),
        e => StoreError::Unavailable(e.to_string()),
    }
}

/// A value as its document.
pub(crate) fn encode<T: Serialize>(id: &str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|e| StoreError::Refused(format!("`{id}` has no JSON form: {e}")))
}

/// A value out of its document.
pub(crate) fn decode<T: DeserializeOwned>(id: &str, doc: &str) -> Result<T, StoreError> {
    serde_json::from_str(doc).map_err(|e| StoreError::Corrupt(format!("`{id}`: {e}")))
}

/// A value with its generation out of a row; `build` brings the aggregate back from its stored shape.
pub(crate) fn versioned<D: DeserializeOwned, T>(
    row: &Row,
    build: impl FnOnce(D) -> T,
) -> Result<Versioned<T>, StoreError> {
    let (id, generation, doc) = row;
    Ok(Versioned { value: build(decode(id, doc)?), generation: count(*generation)? })
}

/// The value itself, for what is stored as it is.
pub(crate) fn as_is<T>(value: T) -> T {
    value
}
