//! Answers given under an idempotency key. Those older than a day are forgotten, and their key is free again.

use rusqlite::Connection;
use sqlx::SqlitePool;
use wane_domain::id::PersonId;
use wane_domain::time::{Span, Time};
use wane_store::{Answer, StoreError};

use crate::row::{decode, encode, number, unavailable};
use crate::step::Step;

/// How long one is kept.
const KEPT: Span = Span::from_hours(24);
/// How many keys are read at the start at most, and how many at a time.
const MOST_READ: u32 = 5_000_000;
const PAGE: u32 = 1_000;

/// Keeps one. Two answers under one key are a conflict while the first is kept; that a call began (102)
/// gives way to what came of it.
pub(crate) fn put(value: &Answer) -> Result<Step, StoreError> {
    let step = Step::new(
        "INSERT INTO answers (person, key, at, doc) VALUES ($1, $2, $3, $4)
         ON CONFLICT (person, key) DO UPDATE SET at = excluded.at, doc = excluded.doc WHERE answers.at < excluded.at - $5
            OR (answers.doc ->> '$.status' = 102 AND answers.doc ->> '$.fingerprint' = $6)",
        vec![
            value.person.to_string().into(),
            value.key.clone().into(),
            value.at.micros().into(),
            encode(&value.key, value)?.into(),
            number(KEPT.micros())?.into(),
            value.fingerprint.clone().into(),
        ],
    );
    Ok(step.one(&value.key))
}

/// Forgets at most so many of those given long before `now`; how many it were.
pub(crate) fn prune(conn: &Connection, now: Time, most: u32) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE at < $1 ORDER BY at LIMIT $2)";
    conn.prepare_cached(sql)?.execute((now.minus(KEPT).micros(), most))
}

/// Goes through the keys that answers are kept under; whether those were all.
pub(crate) async fn each_key(pool: &SqlitePool, mut each: impl FnMut(&str, &str)) -> Result<bool, StoreError> {
    let (mut person, mut key) = (String::new(), String::new());
    for _ in 0..MOST_READ / PAGE {
        let sql = "SELECT person, key FROM answers WHERE (person, key) > ($1, $2) ORDER BY person, key LIMIT $3";
        let rows = sqlx::query_as::<_, (String, String)>(sql).bind(person).bind(key).bind(PAGE).fetch_all(pool).await;
        let mut rows = rows.map_err(unavailable)?;
        rows.iter().for_each(|(person, key)| each(person, key));
        match rows.pop() {
            Some(last) => (person, key) = last,
            None => return Ok(true),
        }
    }
    Ok(false)
}

/// The one a person got under a key.
pub(crate) async fn get(pool: &SqlitePool, person: PersonId, key: &str) -> Result<Option<Answer>, StoreError> {
    let doc: Option<String> = sqlx::query_scalar("SELECT doc FROM answers WHERE person = $1 AND key = $2")
        .bind(person.to_string())
        .bind(key)
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    doc.map(|d| decode(key, &d)).transpose()
}
