//! The world in memory: read once at the start, then moved along with each commit that changed it.

use std::collections::HashMap;
use std::hash::Hash;

use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor as _, SqlitePool};
use wane_domain::world::{Epoch, Names, World};
use wane_store::{Seen, StoreError, Write};

use crate::policies;
use crate::row::{Row, count, decode, number, unavailable};

const EPOCH: &str = "epoch";
const ORG: &str = "org";

/// Reads all of it. `None` when the file is new.
pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Option<World>, StoreError> {
    let org: Option<String> = sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
        .bind(ORG)
        .fetch_optional(&mut *conn)
        .await
        .map_err(unavailable)?;
    let Some(org) = org else { return Ok(None) };
    let epoch: i64 = sqlx::query_scalar("SELECT value FROM counters WHERE key = $1")
        .bind(EPOCH)
        .fetch_optional(&mut *conn)
        .await
        .map_err(unavailable)?
        .ok_or_else(|| StoreError::Corrupt("there is no epoch".to_owned()))?;
    let policy = policies::in_force(conn).await?.ok_or_else(|| StoreError::Corrupt("there is no policy".to_owned()))?;
    Ok(Some(World {
        org: org.parse().map_err(|e: wane_domain::id::IdError| StoreError::Corrupt(e.to_string()))?,
        epoch: Epoch(count(epoch)?),
        people: all(conn, "people", |p: &wane_domain::directory::Person| p.id).await?,
        groups: all(conn, "groups", |g: &wane_domain::directory::Group| g.id).await?,
        resources: all(conn, "resources", |r: &wane_domain::catalogue::Resource| r.id).await?,
        roles: all(conn, "roles", |r: &wane_domain::catalogue::Role| r.id).await?,
        locks: all(conn, "locks WHERE holds = 1", |l: &wane_domain::lock::Lock| l.id).await?,
        policy,
        names: Names::default(),
    }))
}

async fn all<K: Eq + Hash, T: DeserializeOwned>(
    conn: &mut SqliteConnection,
    from: &'static str,
    key: impl Fn(&T) -> K,
) -> Result<HashMap<K, T>, StoreError> {
    let sql = format!("SELECT id, generation, doc FROM {from}");
    let rows = sqlx::query_as::<_, Row>(AssertSqlSafe(sql)).fetch_all(conn).await.map_err(unavailable)?;
    rows.iter().map(|(id, _, doc)| decode(id, doc).map(|value| (key(&value), value))).collect()
}

/// Enters the organisation into a new file.
pub(crate) async fn found(conn: &mut SqliteConnection, org: wane_domain::id::OrgId) -> Result<(), StoreError> {
    let statement = sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2)").bind(ORG).bind(org.to_string());
    conn.execute(statement).await.map_err(unavailable)?;
    set_epoch(conn, Epoch(1)).await
}

/// Writes the epoch down.
pub(crate) async fn set_epoch(conn: &mut SqliteConnection, epoch: Epoch) -> Result<(), StoreError> {
    let statement = sqlx::query(
        "INSERT INTO counters (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    );
    conn.execute(statement.bind(EPOCH).bind(number(epoch.0)?)).await.map_err(unavailable)?;
    Ok(())
}

/// Moves the world along with a write that was made: a world of the writer's own, that nobody has looked into yet.
pub(crate) fn follow(world: &mut World, write: &Write) {
    match write {
        Write::Person(put) => drop(world.people.insert(put.value.id, put.value.clone())),
        Write::Group(put) => drop(world.groups.insert(put.value.id, put.value.clone())),
        Write::Resource(put) => drop(world.resources.insert(put.value.id, put.value.clone())),
        Write::RemoveResource(id, _) => drop(world.resources.remove(id)),
        Write::Role(put) => drop(world.roles.insert(put.value.id, put.value.clone())),
        Write::RemoveRole(id, _) => drop(world.roles.remove(id)),
        Write::Policy(policy) => world.policy = policy.clone(),
        Write::Lock(put) if put.value.holds() => drop(world.locks.insert(put.value.id, put.value.clone())),
        Write::Lock(put) => drop(world.locks.remove(&put.value.id)),
        Write::Request(_)
        | Write::Grant(_)
        | Write::Lease(_)
        | Write::Issuance(_)
        | Write::Login(_)
        | Write::Token(_)
        | Write::RemoveToken(_)
        | Write::Sealed(_)
        | Write::RemoveSealed(_)
        | Write::Answer(_) => {}
    }
}

/// The generation of anything in the world, by id.
pub(crate) async fn seen(pool: &SqlitePool, id: &str) -> Result<Seen, StoreError> {
    let sql = match id.split_once('_').map(|(prefix, _)| prefix) {
        Some("per") => "SELECT generation FROM people WHERE id = $1",
        Some("grp") => "SELECT generation FROM groups WHERE id = $1",
        Some("res") => "SELECT generation FROM resources WHERE id = $1",
        Some("rol") => "SELECT generation FROM roles WHERE id = $1",
        Some("lck") => "SELECT generation FROM locks WHERE id = $1",
        _ => return Err(StoreError::Refused(format!("`{id}` is no person, group, resource, role or lock"))),
    };
    let generation: Option<i64> = sqlx::query_scalar(sql).bind(id).fetch_optional(pool).await.map_err(unavailable)?;
    generation.map_or(Ok(Seen::Nothing), |g| count(g).map(Seen::Generation))
}
