//! Versions of the policy set; the last is in force, and none is ever removed.

use rusqlite::{Connection, OptionalExtension as _};
use serde::de::DeserializeOwned;
use sqlx::SqlitePool;
use wane_domain::canonical::Digest;
use wane_domain::time::Time;
use wane_domain::world::PolicyVersion;
use wane_store::{Page, PolicyEntry, Slice, StoreError};

use crate::listing::{Listing, Order};
use crate::row::{decode, encode, number, unavailable};
use crate::step::{self, Step};

type Row = (i64, String);

/// Puts a version in force. Its number must be one more than the last, or somebody else loaded one meanwhile.
pub(crate) fn put(policy: &PolicyVersion) -> Result<Step, StoreError> {
    let id = format!("policy version {}", policy.version);
    let step = Step::new(
        "INSERT INTO policies (version, doc)
         SELECT $1, $2 WHERE $1 = (SELECT coalesce(max(version), $1 - 1) + 1 FROM policies)",
        vec![number(policy.version)?.into(), encode(&id, policy)?.into()],
    );
    Ok(step.one(&id))
}

/// The version in force.
pub(crate) fn in_force(conn: &Connection) -> Result<Option<PolicyVersion>, StoreError> {
    let sql = "SELECT version, doc FROM policies ORDER BY version DESC LIMIT 1";
    let row = conn.query_row(sql, (), |row| Ok((row.get(0)?, row.get(1)?))).optional();
    row.map_err(step::unavailable)?.as_ref().map(read).transpose()
}

/// One version.
pub(crate) async fn get(pool: &SqlitePool, version: u64) -> Result<Option<PolicyVersion>, StoreError> {
    // What is larger than a row's number can be is not there.
    let Ok(version) = i64::try_from(version) else { return Ok(None) };
    let row = sqlx::query_as::<_, Row>("SELECT version, doc FROM policies WHERE version = $1")
        .bind(version)
        .fetch_optional(pool)
        .await
        .map_err(unavailable)?;
    row.as_ref().map(read).transpose()
}

/// The last version with a digest that was loaded by a moment.
pub(crate) async fn by_digest(pool: &SqlitePool, digest: Digest, at: Time) -> Result<Option<PolicyEntry>, StoreError> {
    let row = sqlx::query_as::<_, Row>(
        "SELECT version, json_remove(doc, '$.text') FROM policies
         WHERE digest = $1 AND json_extract(doc, '$.at') <= $2 ORDER BY version DESC LIMIT 1",
    )
    .bind(digest.to_string())
    .bind(at.micros())
    .fetch_optional(pool)
    .await
    .map_err(unavailable)?;
    row.as_ref().map(read).transpose()
}

/// A page without texts, newest first.
pub(crate) async fn list(pool: &SqlitePool, slice: &Slice) -> Result<Page<PolicyEntry>, StoreError> {
    let columns = "version, json_remove(doc, '$.text')";
    let listing = Listing::new(columns, "policies", "version", Order::NewestFirst, slice).after_number()?;
    let rows = listing.query().build_query_as::<Row>().fetch_all(pool).await.map_err(unavailable)?;
    listing.page(rows, |r| r.0.to_string(), read)
}

fn read<T: DeserializeOwned>((version, doc): &Row) -> Result<T, StoreError> {
    decode(&format!("policy version {version}"), doc)
}
