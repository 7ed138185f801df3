//! Bearer tokens. Those that were spent or ran out a month ago are forgotten.

use rusqlite::Connection;
use sqlx::SqlitePool;
use wane_domain::id::TokenId;
use wane_domain::time::{Span, Time};
use wane_store::{Put, StoreError, Token, TokenOwner, Versioned};

use crate::row::{Guarded, Row, as_is, encode, unavailable, versioned};
use crate::step::Step;

/// How long one is kept after it was spent, or ran out unspent.
const KEPT: Span = Span::from_hours(30 * 24);

const PUT: Guarded = Guarded {
    insert: "INSERT INTO tokens (id, generation, owner, spent, expires, doc, via) VALUES ($1, $2 + 1, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE tokens SET generation = $2 + 1, owner = $3, spent = $4, expires = $5, doc = $6, via = $7 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<Token>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let values = vec![
        owner_id(value.owner).into(),
        value.spent.map(Time::micros).into(),
        value.expires.micros().into(),
        encode(&id, value)?.into(),
        value.via().into(),
    ];
    Ok(PUT.step(&id, put.seen, values)?.one(&id))
}

/// Removes one, if it is there.
pub(crate) fn remove(id: TokenId) -> Step {
    Step::new("DELETE FROM tokens WHERE id = $1", vec![id.to_string().into()])
}

/// Forgets at most so many of those that ended long before `now`; how many it were.
pub(crate) fn prune(conn: &Connection, now: Time, most: u32) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM tokens WHERE rowid IN
               (SELECT rowid FROM tokens WHERE coalesce(spent, expires) < $1 ORDER BY coalesce(spent, expires) LIMIT $2)";
    conn.prepare_cached(sql)?.execute((now.minus(KEPT).micros(), most))
}

/// One by id.
pub(crate) async fn get(pool: &SqlitePool, id: TokenId) -> Result<Option<Versioned<Token>>, StoreError> {
    let row = sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM tokens WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|r| versioned(&r, as_is)).transpose()
}

/// Those of an owner that are not spent, oldest first.
pub(crate) async fn unspent(pool: &SqlitePool, owner: TokenOwner) -> Result<Vec<Versioned<Token>>, StoreError> {
    let rows = sqlx::query_as::<_, Row>(
        "SELECT id, generation, doc FROM tokens WHERE owner = $1 AND spent IS NULL ORDER BY id",
    )
    .bind(owner_id(owner))
    .fetch_all(pool)
    .await
    .map_err(unavailable)?;
    rows.iter().map(|r| versioned(r, as_is)).collect()
}

/// Those that came out of a session of a provider and are not spent, oldest first.
pub(crate) async fn via(pool: &SqlitePool, via: &str) -> Result<Vec<Versioned<Token>>, StoreError> {
    let rows =
        sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM tokens WHERE via = $1 AND spent IS NULL ORDER BY id")
            .bind(via.to_owned())
            .fetch_all(pool)
            .await
            .map_err(unavailable)?;
    rows.iter().map(|r| versioned(r, as_is)).collect()
}

/// People, resources, directories and jobs have ids of different prefixes, so one column holds any.
fn owner_id(owner: TokenOwner) -> String {
    match owner {
        TokenOwner::Person(id) => id.to_string(),
        TokenOwner::Resource(id) => id.to_string(),
        TokenOwner::Directory(id) => id.to_string(),
        TokenOwner::Job(id) => id.to_string(),
    }
}
