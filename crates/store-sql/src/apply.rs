//! One commit inside its savepoint: all of it, or nothing and nobody else harmed.

use sqlx::Executor as _;
use sqlx::sqlite::SqliteConnection;
use wane_domain::world::Epoch;
use wane_store::{Commit, StoreError, Write};

use crate::row::unavailable;
use crate::{
    answers, grants, groups, issuances, leases, locks, logins, people, policies, requests, resources, roles, sealed,
    tokens, trail,
};

/// How a commit came out.
pub(crate) enum Outcome {
    /// It is in the transaction; the sequence number of its last record.
    Applied(u64),
    /// It is not, and left nothing.
    Refused(StoreError),
}

/// Tries a commit at an epoch.
///
/// # Errors
/// When the transaction itself is lost, and everyone in it with it.
pub(crate) async fn commit(conn: &mut SqliteConnection, epoch: Epoch, commit: &Commit) -> Result<Outcome, StoreError> {
    if commit.epoch().is_some_and(|decided_at| decided_at != epoch) {
        return Ok(Outcome::Refused(StoreError::Conflict("what the decision rests on".to_owned())));
    }
    conn.execute("SAVEPOINT one").await.map_err(unavailable)?;
    match all(conn, commit).await {
        Ok(seq) => {
            conn.execute("RELEASE one").await.map_err(unavailable)?;
            Ok(Outcome::Applied(seq))
        }
        Err(why) => {
            // SQLite gives up the whole transaction on some faults (disk full, I/O); then there is no savepoint
            // to go back to, and what brought it about is the reason to tell.
            let lost = |_| StoreError::Unavailable(why.to_string());
            conn.execute("ROLLBACK TO one").await.map_err(lost)?;
            conn.execute("RELEASE one").await.map_err(lost)?;
            Ok(Outcome::Refused(why))
        }
    }
}

async fn all(conn: &mut SqliteConnection, commit: &Commit) -> Result<u64, StoreError> {
    let mut writes: Vec<&Write> = commit.writes().iter().collect();
    writes.sort_by_key(|w| rank(w));
    for write in writes {
        one(conn, write).await?;
    }
    let mut seq = 0;
    for record in commit.records() {
        seq = trail::append(conn, record).await?;
    }
    Ok(seq)
}

/// What is referred to is written before what refers to it, in whatever order they were given.
/// The order among equals stays.
const fn rank(write: &Write) -> u8 {
    match write {
        Write::Request(_) => 0,
        Write::Grant(_) => 1,
        Write::Lease(_) => 2,
        Write::Issuance(_) => 3,
        Write::Person(_)
        | Write::Group(_)
        | Write::Resource(_)
        | Write::RemoveResource(..)
        | Write::Role(_)
        | Write::RemoveRole(..)
        | Write::Policy(_)
        | Write::Lock(_)
        | Write::Login(_)
        | Write::Token(_)
        | Write::RemoveToken(_)
        | Write::Sealed(_)
        | Write::RemoveSealed(_)
        | Write::Answer(_) => 4,
    }
}

async fn one(conn: &mut SqliteConnection, write: &Write) -> Result<(), StoreError> {
    match write {
        Write::Person(put) => people::put(conn, put).await,
        Write::Group(put) => groups::put(conn, put).await,
        Write::Resource(put) => resources::put(conn, put).await,
        Write::RemoveResource(id, seen) => resources::remove(conn, *id, *seen).await,
        Write::Role(put) => roles::put(conn, put).await,
        Write::RemoveRole(id, seen) => roles::remove(conn, *id, *seen).await,
        Write::Policy(policy) => policies::put(conn, policy).await,
        Write::Lock(put) => locks::put(conn, put).await,
        Write::Request(put) => requests::put(conn, put).await,
        Write::Grant(put) => grants::put(conn, put).await,
        Write::Lease(put) => leases::put(conn, put).await,
        Write::Issuance(value) => issuances::put(conn, value).await,
        Write::Login(put) => logins::put(conn, put).await,
        Write::Token(put) => tokens::put(conn, put).await,
        Write::RemoveToken(id) => tokens::remove(conn, *id).await,
        Write::Sealed(value) => sealed::put(conn, value).await,
        Write::RemoveSealed(key) => sealed::remove(conn, key).await,
        Write::Answer(value) => answers::put(conn, value).await,
    }
}
