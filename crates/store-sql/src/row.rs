//! What every row shares: an id, a generation, a document; and what a failed statement means.

use serde::Serialize;
use serde::de::DeserializeOwned;
use wane_store::{Seen, StoreError, Versioned};

use crate::step::{Step, Value};

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
    /// The statement for what was seen; `values` come behind the id and the generation.
    pub(crate) fn step(&self, id: &str, seen: Seen, values: Vec<Value>) -> Result<Step, StoreError> {
        let sql = match seen {
            Seen::Nothing => self.insert,
            Seen::Generation(_) => self.update,
        };
        let first = [Value::Text(id.to_owned()), Value::Number(seen_number(seen)?)];
        Ok(Step::new(sql, first.into_iter().chain(values).collect()))
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
