//! Roles, which stay as long as access through them is open.

use sqlx::sqlite::SqliteConnection;
use wane_domain::catalogue::Role;
use wane_domain::id::RoleId;
use wane_store::{Put, Seen, StoreError};

use crate::row::{self, Guarded, encode, with_name};

const PUT: Guarded = Guarded {
    insert: "INSERT INTO roles (id, generation, kind, name, doc) VALUES ($1, $2 + 1, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE roles SET generation = $2 + 1, kind = $3, name = $4, doc = $5 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) async fn put(conn: &mut SqliteConnection, put: &Put<Role>) -> Result<(), StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let doc = encode(&id, value)?;
    let statement = PUT
        .statement(&id, put.seen)?
        .bind(value.kind.as_str().to_owned())
        .bind(value.name.as_str().to_owned())
        .bind(doc);
    with_name(conn, statement, &id, &value.name).await
}

/// Removes one, unless something that has not ended hangs on it.
pub(crate) async fn remove(conn: &mut SqliteConnection, id: RoleId, seen: Seen) -> Result<(), StoreError> {
    let id = id.to_string();
    let (grants, leases) = sqlx::query_as::<_, (i64, i64)>(
        "SELECT (SELECT count(*) FROM grants WHERE role = $1 AND phase <> 'closed'),
                (SELECT count(*) FROM leases WHERE role = $1 AND phase <> 'gone')",
    )
    .bind(&id)
    .fetch_one(&mut *conn)
    .await
    .map_err(row::unavailable)?;
    if grants > 0 || leases > 0 {
        return Err(StoreError::Refused(format!(
            "the role has {grants} grants that are not closed and {leases} open credentials or accounts; end them first"
        )));
    }
    let statement = sqlx::query("DELETE FROM roles WHERE id = $1 AND generation = $2")
        .bind(id.clone())
        .bind(row::seen_number(seen)?);
    row::exactly_one(conn, statement, &id).await
}
