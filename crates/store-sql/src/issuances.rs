//! Every issue of a self-contained credential.

use sqlx::SqlitePool;
use wane_domain::id::LeaseId;
use wane_domain::text::Name;
use wane_domain::time::Time;
use wane_store::{Issuance, StoreError};

use crate::row::{decode, encode, number, unavailable};
use crate::step::Step;

/// Books one; a serial number is booked once.
pub(crate) fn put(value: &Issuance) -> Result<Step, StoreError> {
    let id = format!("serial {}", value.serial);
    let values = vec![
        number(value.serial)?.into(),
        value.lease.to_string().into(),
        value.kind.as_str().to_owned().into(),
        value.not_after.micros().into(),
        encode(&id, value)?.into(),
    ];
    let sql = "INSERT INTO issuances (serial, lease, kind, not_after, doc) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (serial) DO NOTHING";
    Ok(Step::new(sql, values).one(&id))
}

/// Revokes one, which must be there and not revoked.
pub(crate) fn revoke(serial: u64, at: Time) -> Result<Step, StoreError> {
    let sql =
        "UPDATE issuances SET revoked = $2, doc = json_set(doc, '$.revoked', $2) WHERE serial = $1 AND revoked IS NULL";
    Ok(Step::new(sql, vec![number(serial)?.into(), at.micros().into()]).one(&format!("serial {serial}")))
}

/// One by its serial number.
pub(crate) async fn by_serial(pool: &SqlitePool, serial: u64) -> Result<Option<Issuance>, StoreError> {
    let rows = sqlx::query_as::<_, (i64, String)>("SELECT serial, doc FROM issuances WHERE serial = $1")
        .bind(number(serial)?)
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    Ok(read(&rows)?.pop())
}

/// Those under a lease, oldest first.
pub(crate) async fn of_lease(pool: &SqlitePool, lease: LeaseId) -> Result<Vec<Issuance>, StoreError> {
    let rows = sqlx::query_as::<_, (i64, String)>("SELECT serial, doc FROM issuances WHERE lease = $1 ORDER BY serial")
        .bind(lease.to_string())
        .fetch_all(pool)
        .await
        .map_err(unavailable)?;
    read(&rows)
}

/// Those that would still work although they are revoked, or their lease is ending or gone.
pub(crate) async fn revoked(pool: &SqlitePool, kind: &Name, now: Time) -> Result<Vec<Issuance>, StoreError> {
    let rows = sqlx::query_as::<_, (i64, String)>(
        "SELECT i.serial, i.doc FROM issuances i JOIN leases l ON l.id = i.lease
         WHERE i.kind = $1 AND i.not_after > $2 AND (i.revoked IS NOT NULL OR l.phase IN ('revoking', 'gone'))
         ORDER BY i.serial",
    )
    .bind(kind.as_str())
    .bind(now.micros())
    .fetch_all(pool)
    .await
    .map_err(unavailable)?;
    read(&rows)
}

fn read(rows: &[(i64, String)]) -> Result<Vec<Issuance>, StoreError> {
    rows.iter().map(|(serial, doc)| decode(&format!("serial {serial}"), doc)).collect()
}
