//! The world in memory: read once at the start, then moved along with each commit that changed it.

use rusqlite::{Connection, OptionalExtension as _};
use serde::de::DeserializeOwned;
use sqlx::SqlitePool;
use wane_domain::world::{Entry, Epoch, Table, World};
use wane_store::{Seen, StoreError, Write};

use crate::row::{count, decode, number, unavailable};
use crate::{policies, step};

const EPOCH: &str = "epoch";
const ORG: &str = "org";

/// Reads all of it. `None` when the file is new.
pub(crate) fn load(conn: &Connection) -> Result<Option<World>, StoreError> {
    let org = conn.query_row("SELECT value FROM meta WHERE key = $1", [ORG], |row| row.get::<_, String>(0));
    let Some(org) = org.optional().map_err(step::unavailable)? else { return Ok(None) };
    let epoch = conn.query_row("SELECT value FROM counters WHERE key = $1", [EPOCH], |row| row.get::<_, i64>(0));
    let epoch = epoch.optional().map_err(step::unavailable)?;
    let epoch = epoch.ok_or_else(|| StoreError::Corrupt("there is no epoch".to_owned()))?;
    let policy = policies::in_force(conn)?.ok_or_else(|| StoreError::Corrupt("there is no policy".to_owned()))?;
    Ok(Some(World {
        org: org.parse().map_err(|e: wane_domain::id::IdError| StoreError::Corrupt(e.to_string()))?,
        epoch: Epoch(count(epoch)?),
        people: all(conn, "people")?,
        groups: all(conn, "groups")?,
        directories: all(conn, "directories")?,
        resources: all(conn, "resources")?,
        roles: all(conn, "roles")?,
        locks: all(conn, "locks WHERE holds = 1")?,
        packages: all(conn, "packages")?,
        approver_keys: all(conn, "approver_keys")?,
        delegations: all(conn, "delegations")?,
        issuers: all(conn, "issuers")?,
        workloads: all(conn, "workloads")?,
        policy,
    }))
}

fn all<T: Entry + DeserializeOwned>(conn: &Connection, from: &'static str) -> Result<Table<T>, StoreError> {
    let mut statement = conn.prepare(&format!("SELECT id, doc FROM {from}")).map_err(step::unavailable)?;
    let mut rows = statement.query(()).map_err(step::unavailable)?;
    let mut found = Table::default();
    while let Some(row) = rows.next().map_err(step::unavailable)? {
        let text = |at: usize| row.get_ref(at)?.as_str().map_err(rusqlite::Error::from);
        found.put(decode(text(0).map_err(step::unavailable)?, text(1).map_err(step::unavailable)?)?);
    }
    Ok(found)
}

/// Enters the organisation into a new file.
pub(crate) fn found(conn: &Connection, org: wane_domain::id::OrgId) -> Result<(), StoreError> {
    conn.execute("INSERT INTO meta (key, value) VALUES ($1, $2)", (ORG, org.to_string())).map_err(step::unavailable)?;
    set_epoch(conn, Epoch(1))
}

/// Writes the epoch down.
pub(crate) fn set_epoch(conn: &Connection, epoch: Epoch) -> Result<(), StoreError> {
    let sql =
        "INSERT INTO counters (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    let mut statement = conn.prepare_cached(sql).map_err(step::unavailable)?;
    statement.execute((EPOCH, number(epoch.0)?)).map(drop).map_err(step::unavailable)
}

/// Moves the world along with a write that was made. It costs what the write touches.
pub(crate) fn follow(world: &mut World, write: &Write) {
    match write {
        Write::Person(put) => world.people.put(put.value.clone()),
        Write::Group(put) => world.groups.put(put.value.clone()),
        Write::Directory(put) => world.directories.put(put.value.clone()),
        Write::Resource(put) => world.resources.put(put.value.clone()),
        Write::RemoveResource(id, _) => world.resources.remove(id),
        Write::Role(put) => world.roles.put(put.value.clone()),
        Write::RemoveRole(id, _) => world.roles.remove(id),
        Write::Policy(policy) => world.policy = policy.clone(),
        Write::Lock(put) if put.value.holds() => world.locks.put(put.value.clone()),
        Write::Lock(put) => world.locks.remove(&put.value.id),
        Write::Package(put) => world.packages.put(put.value.clone()),
        Write::RemovePackage(id, _) => world.packages.remove(id),
        Write::ApproverKey(put) => world.approver_keys.put(put.value.clone()),
        Write::Delegation(put) => world.delegations.put(put.value.clone()),
        Write::Issuer(put) => world.issuers.put(put.value.clone()),
        Write::Workload(put) => world.workloads.put(put.value.clone()),
        Write::Request(_)
        | Write::Grant(_)
        | Write::Still(..)
        | Write::Lease(_)
        | Write::Issuance(_)
        | Write::Use(_)
        | Write::Login(_)
        | Write::RemoveLogin(..)
        | Write::Token(_)
        | Write::RemoveToken(_)
        | Write::WayIn(_)
        | Write::RemoveWayIn(_)
        | Write::Entry(_)
        | Write::RemoveEntry(..)
        | Write::Sealed(_)
        | Write::RemoveSealed(_)
        | Write::Recording(_)
        | Write::Answer(_)
        | Write::EnterDelivery(_)
        | Write::Delivery(_)
        | Write::ForgetDeliveries(_)
        | Write::NoticesRead(..)
        | Write::CloseChannel(_)
        | Write::OpenChannel(_)
        | Write::Job(_)
        | Write::ForgetJobs(_)
        | Write::RevokeIssuance(..)
        | Write::AcmeAccount(_)
        | Write::AcmeOrder(_)
        | Write::ForgetAcme(_)
        | Write::Inventory(_)
        | Write::ForgetInventories(_) => {}
    }
}

/// The generation of anything in the world, by id.
pub(crate) async fn seen(pool: &SqlitePool, id: &str) -> Result<Seen, StoreError> {
    let sql = match id.split_once('_').map(|(prefix, _)| prefix) {
        Some("per") => "SELECT generation FROM people WHERE id = $1",
        Some("grp") => "SELECT generation FROM groups WHERE id = $1",
        Some("dir") => "SELECT generation FROM directories WHERE id = $1",
        Some("res") => "SELECT generation FROM resources WHERE id = $1",
        Some("rol") => "SELECT generation FROM roles WHERE id = $1",
        Some("pkg") => "SELECT generation FROM packages WHERE id = $1",
        Some("lck") => "SELECT generation FROM locks WHERE id = $1",
        Some("apk") => "SELECT generation FROM approver_keys WHERE id = $1",
        Some("dlg") => "SELECT generation FROM delegations WHERE id = $1",
        Some("iss") => "SELECT generation FROM issuers WHERE id = $1",
        Some("wkl") => "SELECT generation FROM workloads WHERE id = $1",
        _ => {
            return Err(StoreError::Refused(format!(
                "`{id}` is no person, group, directory, package, resource, role, lock, approver key, delegation, issuer or workload"
            )));
        }
    };
    let generation: Option<i64> = sqlx::query_scalar(sql).bind(id).fetch_optional(pool).await.map_err(unavailable)?;
    generation.map_or(Ok(Seen::Nothing), |g| count(g).map(Seen::Generation))
}
