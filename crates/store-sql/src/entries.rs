//! What directories said last of the people and groups that they made.

use sqlx::SqlitePool;
use wane_domain::id::DirectoryId;
use wane_store::{Entry, EntryId, EntryKey, EntrySort, Put, Seen, StoreError, Versioned};

use crate::row::{Guarded, Row, as_is, count, encode, seen_number, unavailable, versioned};
use crate::step::Step;

const PUT: Guarded = Guarded {
    insert: "INSERT INTO directory_entries (id, generation, directory, sort, key, external, doc)
             VALUES ($1, $2 + 1, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
    update:
        "UPDATE directory_entries SET generation = $2 + 1, directory = $3, sort = $4, key = $5, external = $6, doc = $7
             WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) fn put(put: &Put<Entry>) -> Result<Step, StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let values = vec![
        value.directory.to_string().into(),
        value.id.sort().name().to_owned().into(),
        value.key.clone().into(),
        value.external.clone().into(),
        encode(&id, value)?.into(),
    ];
    Ok(PUT.step(&id, put.seen, values)?.one(&id))
}

/// Removes one, which must be as it was seen.
pub(crate) fn remove(id: EntryId, seen: Seen) -> Result<Step, StoreError> {
    let id = id.to_string();
    let sql = "DELETE FROM directory_entries WHERE id = $1 AND generation = $2";
    Ok(Step::new(sql, vec![id.clone().into(), seen_number(seen)?.into()]).one(&id))
}

/// One by id.
pub(crate) async fn get(pool: &SqlitePool, id: EntryId) -> Result<Option<Versioned<Entry>>, StoreError> {
    let row = sqlx::query_as::<_, Row>("SELECT id, generation, doc FROM directory_entries WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|r| versioned(&r, as_is)).transpose()
}

/// The one of a directory that a key leads to.
pub(crate) async fn by(
    pool: &SqlitePool,
    directory: DirectoryId,
    sort: EntrySort,
    key: &EntryKey,
) -> Result<Option<Versioned<Entry>>, StoreError> {
    let (sql, key) = match key {
        EntryKey::Named(key) => {
            ("SELECT id, generation, doc FROM directory_entries WHERE directory = $1 AND sort = $2 AND key = $3", key)
        }
        EntryKey::External(external) => (
            "SELECT id, generation, doc FROM directory_entries WHERE directory = $1 AND sort = $2 AND external = $3",
            external,
        ),
    };
    let row = sqlx::query_as::<_, Row>(sql)
        .bind(directory.to_string())
        .bind(sort.name())
        .bind(key.clone())
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.map(|r| versioned(&r, as_is)).transpose()
}

/// Those of a directory, oldest first.
pub(crate) async fn list(
    pool: &SqlitePool,
    directory: DirectoryId,
    sort: EntrySort,
    skip: usize,
    most: usize,
) -> Result<Vec<Versioned<Entry>>, StoreError> {
    let number = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let rows = sqlx::query_as::<_, Row>(
        "SELECT id, generation, doc FROM directory_entries WHERE directory = $1 AND sort = $2
         ORDER BY id LIMIT $3 OFFSET $4",
    )
    .bind(directory.to_string())
    .bind(sort.name())
    .bind(number(most))
    .bind(number(skip))
    .fetch_all(pool)
    .await
    .map_err(unavailable)?;
    rows.iter().map(|r| versioned(r, as_is)).collect()
}

/// How many a directory has.
pub(crate) async fn count_of(pool: &SqlitePool, directory: DirectoryId, sort: EntrySort) -> Result<usize, StoreError> {
    let n: i64 = sqlx::query_scalar("SELECT count(*) FROM directory_entries WHERE directory = $1 AND sort = $2")
        .bind(directory.to_string())
        .bind(sort.name())
        .fetch_one(pool)
        .await
        .map_err(unavailable)?;
    count(n).and_then(|n| usize::try_from(n).map_err(|_| StoreError::Corrupt(format!("a count of {n}"))))
}
