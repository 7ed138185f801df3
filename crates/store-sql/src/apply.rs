//! One commit inside its savepoint: all of it, or nothing and nobody else harmed.

use rusqlite::Connection;
use wane_domain::world::Epoch;
use wane_store::{Commit, StoreError, Write};

use crate::step::{self, Step};
use crate::{
    acme, answers, approver_keys, delegations, deliveries, directories, entries, grants, groups, inventories,
    issuances, jobs, leases, locks, logins, packages, people, policies, recordings, requests, resources, roles, sealed,
    tokens, trail, uses, ways_in, workloads,
};

/// How a commit came out.
pub(crate) enum Outcome {
    /// It is in the transaction; the sequence number of its last record.
    Applied(u64),
    /// It is not, and left nothing.
    Refused(StoreError),
    /// It is not, and the transaction was undone with everything in it.
    Undone,
}

/// How the commits of a batch are kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Apart {
    /// Not at all: if one is refused, all of it is undone. Hardly any is.
    Not,
    /// By a savepoint each: SQLite then keeps what every page was before. One that is refused leaves the others.
    BySavepoints,
}

/// How far the transaction is in which commits are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It has not begun.
    Begins,
    /// It has.
    Begun,
}

impl Progress {
    /// Begins the transaction, if it has not.
    pub(crate) fn begin(&mut self, conn: &Connection) -> Result<(), StoreError> {
        if *self == Self::Begins {
            step::plain(conn, "BEGIN IMMEDIATE")?;
            *self = Self::Begun;
        }
        Ok(())
    }

    /// Ends the transaction, if it has begun; then it is on disk.
    pub(crate) fn end(self, conn: &Connection) -> Result<(), StoreError> {
        match self {
            Self::Begins => Ok(()),
            Self::Begun => step::plain(conn, "COMMIT"),
        }
    }
}

/// A commit with its statements, made ready before it waits for its turn.
pub(crate) struct Ready {
    pub(crate) commit: Commit,
    steps: Vec<Step>,
}

impl Ready {
    /// # Errors
    /// When something in it has no form in which it could be kept.
    pub(crate) fn new(commit: Commit) -> Result<Self, StoreError> {
        let steps = all(&commit)?;
        Ok(Self { commit, steps })
    }
}

/// Tries a commit at an epoch.
///
/// # Errors
/// When the transaction itself is lost, and everyone in it with it.
pub(crate) fn attempt(
    conn: &Connection,
    progress: &mut Progress,
    epoch: Epoch,
    ready: &Ready,
    apart: Apart,
) -> Result<Outcome, StoreError> {
    if ready.commit.epoch().is_some_and(|decided_at| decided_at != epoch) {
        return Ok(Outcome::Refused(StoreError::Conflict("what the decision rests on".to_owned())));
    }
    progress.begin(conn)?;
    // SQLite gives up the whole transaction on some faults (disk full, I/O); then there is nothing to go
    // back to, and what brought it about is the reason to tell.
    let back = |why: &StoreError, to: &[&'static str]| {
        let lost = |_| StoreError::Unavailable(why.to_string());
        to.iter().try_for_each(|step| step::plain(conn, step)).map_err(lost)
    };
    match apart {
        Apart::Not => match step::run(conn, &ready.steps) {
            Ok(seq) => Ok(Outcome::Applied(seq)),
            Err(why) => back(&why, &["ROLLBACK"]).map(|()| Outcome::Undone),
        },
        Apart::BySavepoints => {
            step::plain(conn, "SAVEPOINT one")?;
            match step::run(conn, &ready.steps) {
                Ok(seq) => step::plain(conn, "RELEASE one").map(|()| Outcome::Applied(seq)),
                Err(why) => back(&why, &["ROLLBACK TO one", "RELEASE one"]).map(|()| Outcome::Refused(why)),
            }
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
        Write::Grant(_) | Write::Still(..) => 1,
        Write::Lease(_) => 2,
        Write::Issuance(_) | Write::RevokeIssuance(..) | Write::Use(_) => 3,
        Write::Person(_)
        | Write::Group(_)
        | Write::Directory(_)
        | Write::Resource(_)
        | Write::RemoveResource(..)
        | Write::Role(_)
        | Write::RemoveRole(..)
        | Write::Policy(_)
        | Write::Lock(_)
        | Write::Package(_)
        | Write::RemovePackage(..)
        | Write::ApproverKey(_)
        | Write::Delegation(_)
        | Write::Issuer(_)
        | Write::Workload(_)
        | Write::Job(_)
        | Write::ForgetJobs(_)
        | Write::AcmeAccount(_)
        | Write::AcmeOrder(_)
        | Write::ForgetAcme(_)
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
        | Write::Inventory(_)
        | Write::ForgetInventories(_) => 4,
    }
}

fn one(write: &Write, steps: &mut Vec<Step>) -> Result<(), StoreError> {
    steps.push(match write {
        Write::Person(put) => people::put(put)?,
        Write::Group(put) => groups::put(put)?,
        Write::Directory(put) => directories::put(put)?,
        Write::Entry(put) => entries::put(put)?,
        Write::RemoveEntry(id, seen) => entries::remove(*id, *seen)?,
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
        Write::Package(put) => packages::put(put)?,
        Write::RemovePackage(id, seen) => packages::remove(*id, *seen)?,
        Write::ApproverKey(put) => approver_keys::put(put)?,
        Write::Delegation(put) => delegations::put(put)?,
        Write::Request(put) => requests::put(put)?,
        Write::Grant(put) => grants::put(put)?,
        Write::Still(id, generation) => grants::still(*id, *generation)?,
        Write::Lease(put) => leases::put(put)?,
        Write::Issuance(value) => issuances::put(value)?,
        Write::RevokeIssuance(serial, at) => issuances::revoke(*serial, *at)?,
        Write::Use(value) => uses::put(value)?,
        Write::Login(put) => logins::put(put)?,
        Write::RemoveLogin(person, generation) => logins::remove(*person, *generation)?,
        Write::Token(put) => tokens::put(put)?,
        Write::RemoveToken(id) => tokens::remove(*id),
        Write::WayIn(put) => ways_in::put(put)?,
        Write::RemoveWayIn(id) => ways_in::remove(*id),
        Write::Sealed(value) => sealed::put(value),
        Write::RemoveSealed(key) => sealed::remove(key),
        Write::Recording(value) => recordings::put(value)?,
        Write::Answer(value) => answers::put(value)?,
        Write::EnterDelivery(value) => deliveries::enter(value)?,
        Write::Delivery(put) => deliveries::put(put)?,
        Write::ForgetDeliveries(before) => deliveries::forget(*before),
        Write::NoticesRead(seen, to) => deliveries::read(*seen, *to)?,
        Write::CloseChannel(value) => deliveries::close(value)?,
        Write::OpenChannel(channel) => deliveries::open(channel),
        Write::Issuer(put) => workloads::put_issuer(put)?,
        Write::Workload(put) => workloads::put(put)?,
        Write::Job(put) => jobs::put(put)?,
        Write::ForgetJobs(now) => jobs::forget(*now),
        Write::AcmeAccount(put) => acme::put_account(put)?,
        Write::AcmeOrder(put) => acme::put_order(put)?,
        Write::ForgetAcme(now) => {
            steps.extend(acme::forget(*now));
            return Ok(());
        }
        Write::Inventory(value) => inventories::put(value),
        Write::ForgetInventories(before) => inventories::forget(*before),
    });
    Ok(())
}
