//! Versions of the policy set; the last is in force.

use sqlx::sqlite::SqliteConnection;
use wane_domain::world::PolicyVersion;
use wane_store::StoreError;

use crate::row::{decode, encode, exactly_one, number, unavailable};

/// Puts a version in force. Its number must be one more than the last, or somebody else loaded one meanwhile.
pub(crate) async fn put(conn: &mut SqliteConnection, policy: &PolicyVersion) -> Result<(), StoreError> {
    let id = format!("policy version {}", policy.version);
    let statement = sqlx::query(
        "INSERT INTO policies (version, doc)
         SELECT $1, $2 WHERE $1 = (SELECT coalesce(max(version), $1 - 1) + 1 FROM policies)",
    )
    .bind(number(policy.version)?)
    .bind(encode(&id, policy)?);
    exactly_one(conn, statement, &id).await
}

/// The version in force.
pub(crate) async fn in_force(conn: &mut SqliteConnection) -> Result<Option<PolicyVersion>, StoreError> {
    let row = sqlx::query_as::<_, (i64, String)>("SELECT version, doc FROM policies ORDER BY version DESC LIMIT 1")
        .fetch_optional(conn)
        .await
        .map_err(unavailable)?;
    row.map(|(version, doc)| decode(&format!("policy version {version}"), &doc)).transpose()
}
