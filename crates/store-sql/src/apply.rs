//! One commit inside its savepoint: all of it, or nothing and nobody else harmed.

use sqlx::Executor as _;
use sqlx::sqlite::SqliteConnection;
use wane_domain::world::Epoch;
use wane_store::{Commit, StoreError, Write};

use crate::row::unavailable;
use crate::step::{self, Step, Stopped};
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

/// How far the transaction is in which commits are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It has not begun.
    Begins,
    /// It has, and no savepoint is open.
    Between,
    /// The savepoint of the commit that was applied last is open: released with the next statement.
    Applied,
}

impl Progress {
    /// What comes before the next commit: each statement ends with its semicolon.
    const fn before(self) -> &'static str {
        match self {
            Self::Begins => "BEGIN IMMEDIATE;SAVEPOINT one;",
            Self::Between => "SAVEPOINT one;",
            Self::Applied => "RELEASE one;SAVEPOINT one;",
        }
    }

    /// Begins the transaction, if it has not, for what is no commit.
    pub(crate) async fn begin(&mut self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        if *self == Self::Begins {
            conn.execute("BEGIN IMMEDIATE").await.map_err(unavailable)?;
            *self = Self::Between;
        }
        Ok(())
    }

    /// Ends the transaction, if it has begun; then it is on disk.
    pub(crate) async fn end(self, conn: &mut SqliteConnection) -> Result<(), StoreError> {
        let end = match self {
            Self::Begins => return Ok(()),
            Self::Between => "COMMIT",
            Self::Applied => "RELEASE one; COMMIT",
        };
        conn.execute(end).await.map_err(unavailable).map(drop)
    }
}

/// Tries a commit at an epoch.
///
/// # Errors
/// When the transaction itself is lost, and everyone in it with it.
pub(crate) async fn commit(
    conn: &mut SqliteConnection,
    progress: &mut Progress,
    epoch: Epoch,
    commit: &Commit,
) -> Result<Outcome, StoreError> {
    if commit.epoch().is_some_and(|decided_at| decided_at != epoch) {
        return Ok(Outcome::Refused(StoreError::Conflict("what the decision rests on".to_owned())));
    }
    let steps = match all(commit) {
        Ok(steps) => steps,
        // It has no form in which it could be kept.
        Err(why) => return Ok(Outcome::Refused(why)),
    };
    match step::run(conn, progress.before(), &steps).await {
        Ok(seq) => {
            *progress = Progress::Applied;
            Ok(Outcome::Applied(seq))
        }
        Err(Stopped::Before(why)) => Err(why),
        Err(Stopped::Own(why)) => {
            // SQLite gives up the whole transaction on some faults (disk full, I/O); then there is no savepoint
            // to go back to, and what brought it about is the reason to tell.
            let lost = |_| StoreError::Unavailable(why.to_string());
            conn.execute("ROLLBACK TO one; RELEASE one").await.map_err(lost)?;
            *progress = Progress::Between;
            Ok(Outcome::Refused(why))
        }
    }
}

fn all(commit: &Commit) -> Result<Vec<Step>, StoreError> {
    let mut writes: Vec<&Write> = commit.writes().iter().collect();
    writes.sort_by_key(|w| rank(w));
    let mut steps = Vec::with_capacity(writes.len() + commit.records().len());
    for write in writes {
        one(write, &mut steps)?;
    }
    for record in commit.records() {
        steps.push(trail::append(record)?);
    }
    Ok(steps)
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

fn one(write: &Write, steps: &mut Vec<Step>) -> Result<(), StoreError> {
    steps.push(match write {
        Write::Person(put) => people::put(put)?,
        Write::Group(put) => groups::put(put)?,
        Write::Resource(put) => resources::put(put)?,
        Write::RemoveResource(id, seen) => {
            steps.extend(resources::remove(*id, *seen)?);
            return Ok(());
        }
        Write::Role(put) => roles::put(put)?,
        Write::RemoveRole(id, seen) => {
            steps.extend(roles::remove(*id, *seen)?);
            return Ok(());
        }
        Write::Policy(policy) => policies::put(policy)?,
        Write::Lock(put) => locks::put(put)?,
        Write::Request(put) => requests::put(put)?,
        Write::Grant(put) => grants::put(put)?,
        Write::Lease(put) => leases::put(put)?,
        Write::Issuance(value) => issuances::put(value)?,
        Write::Login(put) => logins::put(put)?,
        Write::Token(put) => tokens::put(put)?,
        Write::RemoveToken(id) => tokens::remove(*id),
        Write::Sealed(value) => sealed::put(value),
        Write::RemoveSealed(key) => sealed::remove(key),
        Write::Answer(value) => answers::put(value)?,
    });
    Ok(())
}
