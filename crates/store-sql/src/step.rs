//! A statement of a commit: what it says, what it must do, and doing it on the writer's connection.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, ToSql, ffi};
use wane_store::StoreError;

use crate::row::count;

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

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Number(number) => ValueRef::Integer(*number),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
            Self::Nothing => ValueRef::Null,
        }))
    }
}

/// What a statement must do.
#[derive(Clone, Debug)]
enum Must {
    /// Change exactly this one row, or somebody else was first.
    ChangeOne { id: String, name: Option<String> },
    /// Find this one row as it was seen, or somebody else was first.
    FindOne { id: String },
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

    /// It asks for one row as it was seen, and must find it.
    pub(crate) fn found(self, id: &str) -> Self {
        Self { must: Must::FindOne { id: id.to_owned() }, ..self }
    }

    /// It counts grants and leases that have not ended, and must find none.
    pub(crate) fn none_open(self, what: &'static str) -> Self {
        Self { must: Must::FindNoneOpen { what }, ..self }
    }

    /// It appends a record of the trail.
    pub(crate) fn append(self) -> Self {
        Self { must: Must::Append, ..self }
    }

    /// Does it; the place of the record, if it appended one.
    fn run(&self, conn: &Connection) -> Result<Option<u64>, StoreError> {
        let mut statement = conn.prepare_cached(self.sql).map_err(unavailable)?;
        self.bind(&mut statement)?;
        match &self.must {
            Must::Succeed => self.change(&mut statement).map(|_| None),
            Must::ChangeOne { id, .. } => match self.change(&mut statement)? {
                1 => Ok(None),
                _ => Err(StoreError::Conflict(id.clone())),
            },
            Must::FindOne { id } => match statement.raw_query().next().map_err(unavailable)? {
                Some(_) => Ok(None),
                None => Err(StoreError::Conflict(id.clone())),
            },
            Must::FindNoneOpen { what } => {
                let mut rows = statement.raw_query();
                let row = rows.next().map_err(unavailable)?;
                let row = row.ok_or_else(|| StoreError::Corrupt(format!("the {what} cannot be counted")))?;
                let open = |at: usize| row.get::<_, i64>(at).map_err(unavailable);
                let (grants, leases) = (open(0)?, open(1)?);
                if grants > 0 || leases > 0 {
                    return Err(StoreError::Refused(format!(
                        "the {what} has {grants} grants that are not closed and {leases} open credentials or accounts; end them first"
                    )));
                }
                Ok(None)
            }
            Must::Append => {
                self.change(&mut statement)?;
                count(conn.last_insert_rowid()).map(Some)
            }
        }
    }

    /// Binds each value where its number stands: to SQLite `$2` is a name, and names are numbered as they come.
    fn bind(&self, statement: &mut CachedStatement<'_>) -> Result<(), StoreError> {
        for index in 1..=statement.parameter_count() {
            let number = statement.parameter_name(index).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
            let value = number.and_then(|number| self.values.get(number.checked_sub(1)?));
            let value = value.ok_or_else(|| StoreError::Refused(format!("a value of `{}` is missing", self.sql)))?;
            statement.raw_bind_parameter(index, value).map_err(unavailable)?;
        }
        Ok(())
    }

    fn change(&self, statement: &mut CachedStatement<'_>) -> Result<usize, StoreError> {
        statement.raw_execute().map_err(|error| self.failed(error))
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        let rusqlite::Error::SqliteFailure(what, said) = &error else { return unavailable(error) };
        let unique = matches!(what.extended_code, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY);
        match &self.must {
            Must::ChangeOne { name: Some(name), .. } if unique => {
                StoreError::Refused(format!("the name `{name}` is taken; choose another"))
            }
            // A record whose id is taken is refused by the file itself, in these words.
            Must::Append if what.code == ErrorCode::ConstraintViolation && said.as_deref() == Some(APPEND_ONLY) => {
                StoreError::Refused(format!("{APPEND_ONLY}, and a record of this id is in it already"))
            }
            _ if unique => StoreError::Refused("it is stored already".to_owned()),
            _ if what.extended_code == ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
                StoreError::Refused("it refers to something that is not stored; write both in one commit".to_owned())
            }
            _ => unavailable(error),
        }
    }
}

/// Does steps in their order, up to the first that fails; the place of the last record appended.
pub(crate) fn run(conn: &Connection, steps: &[Step]) -> Result<u64, StoreError> {
    let mut place = 0;
    for step in steps {
        place = step.run(conn)?.unwrap_or(place);
    }
    Ok(place)
}

/// A statement without values, of which nothing is asked but that it succeeds.
pub(crate) fn plain(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    conn.prepare_cached(sql).and_then(|mut statement| statement.raw_execute()).map(drop).map_err(unavailable)
}

/// What a failure of the writer's connection means.
pub(crate) fn unavailable(e: rusqlite::Error) -> StoreError {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    match e {
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..) => {
            StoreError::Corrupt(e.to_string())
        }
        e => StoreError::Unavailable(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_where_their_numbers_stand() {
        let conn = Connection::open_in_memory().unwrap();
        plain(&conn, "CREATE TABLE t (a TEXT, b INTEGER, c TEXT)").unwrap();
        let values =
            || vec![Value::Text("x".to_owned()), Value::Number(1), Value::Nothing, Value::Text("y".to_owned())];
        run(&conn, &[Step::new("INSERT INTO t (c, b, a) VALUES ($4, $2 + 1, $1)", values())]).unwrap();
        run(&conn, &[Step::new("UPDATE t SET b = $2 + b, c = $3 WHERE a = $1 AND c = $4", values()).one("t")]).unwrap();
        let row = conn.query_row("SELECT a, b, c FROM t", [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
        assert_eq!(row, ("x".to_owned(), 3_i64, None::<String>));
        // A `$` that no number follows is no value: it begins a JSON path.
        let path = Step::new("INSERT INTO t (a) SELECT '{\"s\":7}' ->> '$.s' WHERE $1 = 'x'", values());
        run(&conn, &[path.one("t")]).unwrap();
        assert!(run(&conn, &[Step::new("SELECT $5", values()).found("t")]).is_err());
    }
}
