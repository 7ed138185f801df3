//! Locks. Lifted ones are kept, and are no part of the world.

use sqlx::sqlite::SqliteConnection;
use wane_domain::lock::Lock;
use wane_store::{Put, StoreError};

use crate::row::{Guarded, encode, exactly_one};

const PUT: Guarded = Guarded {
    insert: "INSERT INTO locks (id, generation, holds, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE locks SET generation = $2 + 1, holds = $3, doc = $4 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) async fn put(conn: &mut SqliteConnection, put: &Put<Lock>) -> Result<(), StoreError> {
    let id = put.value.id.to_string();
    let statement = PUT.statement(&id, put.seen)?.bind(i64::from(put.value.holds())).bind(encode(&id, &put.value)?);
    exactly_one(conn, statement, &id).await
}
