//! The tables, and the steps that brought them to where they are.

use std::borrow::Cow;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::SqliteConnection;
use wane_store::StoreError;

/// Every step there ever was, oldest first; a step that was released is never changed again.
pub(crate) const STEPS: &[(i64, &str, &str)] = &[
    (1, "first", include_str!("../migrations/0001_first.sql")),
    (2, "policy digest", include_str!("../migrations/0002_policy_digest.sql")),
    (3, "due in order", include_str!("../migrations/0003_due_in_order.sql")),
    (4, "recordings", include_str!("../migrations/0004_recordings.sql")),
    (5, "recordings lie", include_str!("../migrations/0005_recordings_lie.sql")),
    (6, "trail in strides", include_str!("../migrations/0006_trail_in_strides.sql")),
    (7, "ways in", include_str!("../migrations/0007_ways_in.sql")),
    (8, "packages", include_str!("../migrations/0008_packages.sql")),
    (9, "directories", include_str!("../migrations/0009_directories.sql")),
    (10, "notices", include_str!("../migrations/0010_notices.sql")),
    (11, "approver keys", include_str!("../migrations/0011_approver_keys.sql")),
    (12, "delegations", include_str!("../migrations/0012_delegations.sql")),
    (13, "identities", include_str!("../migrations/0013_identities.sql")),
    (15, "uses", include_str!("../migrations/0015_uses.sql")),
    (16, "workloads", include_str!("../migrations/0016_workloads.sql")),
    (17, "inventories", include_str!("../migrations/0017_inventories.sql")),
    (19, "acme", include_str!("../migrations/0019_acme.sql")),
    (22, "what lives", include_str!("../migrations/0022_what_lives.sql")),
];

/// Brings a file to the newest schema.
pub(crate) async fn migrate(conn: &mut SqliteConnection) -> Result<(), StoreError> {
    let steps = STEPS
        .iter()
        .map(|(n, name, sql)| {
            Migration::new(*n, Cow::Borrowed(*name), MigrationType::Simple, sql.into_sql_str(), false)
        })
        .collect();
    Migrator::with_migrations(steps).run_direct(None, conn, false).await.map_err(|e| match e {
        sqlx::migrate::MigrateError::VersionMissing(n) => StoreError::Corrupt(format!(
            "the data file is at schema step {n}, which a newer version made; run that version"
        )),
        e => StoreError::Unavailable(format!("the schema could not be brought up to date: {e}")),
    })
}
