//! Groups of people.

use sqlx::sqlite::SqliteConnection;
use wane_domain::directory::Group;
use wane_store::{Put, StoreError};

use crate::row::{Guarded, encode, with_name};

const PUT: Guarded = Guarded {
    insert: "INSERT INTO groups (id, generation, name, doc) VALUES ($1, $2 + 1, $3, $4) ON CONFLICT (id) DO NOTHING",
    update: "UPDATE groups SET generation = $2 + 1, name = $3, doc = $4 WHERE id = $1 AND generation = $2",
};

/// Writes one.
pub(crate) async fn put(conn: &mut SqliteConnection, put: &Put<Group>) -> Result<(), StoreError> {
    let value = &put.value;
    let id = value.id.to_string();
    let doc = encode(&id, value)?;
    let statement = PUT.statement(&id, put.seen)?.bind(value.name.as_str().to_owned()).bind(doc);
    with_name(conn, statement, &id, &value.name).await
}
