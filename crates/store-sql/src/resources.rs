//! Resources, which stay as long as access to them is open.

use sqlx::sqlite::SqliteConnection;
use wane_domain::catalogue::Resource;
use wane_domain::id::ResourceId;
use wane_store::{Put, Seen, StoreError};

use crate::row::{self, Guarded, encode, with_name};

const PUT: Guarded = Guarded {
    insert: "INSERT INTO resources (id, generation, name, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE resources SET generation = $2 + 1, name = $3, doc = $4 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) async fn put(conn: &mut SqliteConnection, put: &Put<Resource>) -> Result<(), StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let doc = encode(&id, value)?;
    let statement = PUT.statement(&id, put.seen)?.bind(value.name.as_str().to_owned()).bind(doc);
    with_name(conn, statement, &id, &value.name).await
}

/// Removes one, unless something that has not ended hangs on it.
pub(crate) async fn remove(conn: &mut SqliteConnection, id: ResourceId, seen: Seen) -> Result<(), StoreError> {
    let id = id.to_string();
    let (grants, leases) = sqlx::query_as::<_, (i64, i64)>(
        "SELECT (SELECT count(*) FROM grants WHERE resource = $1 AND phase <> 'closed'),
                (SELECT count(*) FROM leases WHERE resource = $1 AND phase <> 'gone')",
    )
    .bind(&id)
    .fetch_one(&mut *conn)
    .await
    .map_err(row::unavailable)?;
    if grants > 0 || leases > 0 {
        return Err(StoreError::Refused(format!(
            "the resource has {grants} grants that are not closed and {leases} open credentials or accounts; end them first"
        )));
    }
    let statement = sqlx::query("DELETE FROM resources WHERE id = $1 AND generation = $2")
        .bind(id.clone())
        .bind(row::seen_number(seen)?);
    row::exactly_one(conn, statement, &id).await
}
