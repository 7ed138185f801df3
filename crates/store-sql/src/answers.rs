//! Answers given under an idempotency key. Those older than a day are forgotten, and their key is free again.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor as _, SqlitePool};
use wane_domain::id::PersonId;
use wane_domain::time::{Span, Time};
use wane_store::{Answer, StoreError};

use crate::row::{decode, encode, number, unavailable};
use crate::step::Step;

/// How long one is kept.
const KEPT: Span = Span::from_hours(24);

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

/// Forgets some of those given long before `now`.
pub(crate) async fn prune(conn: &mut SqliteConnection, now: Time) -> Result<(), sqlx::Error> {
    let old = sqlx::query(
        "DELETE FROM answers WHERE rowid IN (SELECT rowid FROM answers WHERE at < $1 ORDER BY at LIMIT 1000)",
    );
    conn.execute(old.bind(now.minus(KEPT).micros())).await.map(drop)
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
