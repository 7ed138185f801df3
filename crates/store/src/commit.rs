//! One logical transaction, as data.

use wane_audit::Record;
use wane_domain::approval::ApproverKey;
use wane_domain::catalogue::{Resource, Role};
use wane_domain::delegation::Delegation;
use wane_domain::directory::{Directory, Group, Person};
use wane_domain::grant::Grant;
use wane_domain::id::{GrantId, PackageId, PersonId, ResourceId, RoleId, TokenId, WayId};
use wane_domain::lease::Lease;
use wane_domain::lock::Lock;
use wane_domain::package::Package;
use wane_domain::request::AccessRequest;
use wane_domain::time::Time;
use wane_domain::workload::{Issuer, Workload};
use wane_domain::world::{Epoch, PolicyVersion};
use wane_notice::Delivery;

use crate::acme::{AcmeAccount, AcmeOrder};
use crate::rows::{
    Answer, ClosedChannel, Entry, EntryId, InventoryTaken, Issuance, Job, Login, Recording, Sealed, Token, Use,
    Versioned, WayIn,
};

/// The generation a writer saw; the write is refused if it is no longer that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It must not exist.
    Nothing,
    /// It must be exactly this generation.
    Generation(u64),
}

/// A new value, with what its writer saw before.
#[derive(Clone, Debug)]
pub struct Put<T> {
    /// The value.
    pub value: T,
    /// What was seen.
    pub seen: Seen,
}

impl<T> Put<T> {
    /// A value that must not exist.
    pub fn new(value: T) -> Self {
        Self { value, seen: Seen::Nothing }
    }

    /// A value in place of the one that was read.
    pub fn over<U>(seen: &Versioned<U>, value: T) -> Self {
        Self { value, seen: Seen::Generation(seen.generation) }
    }
}

/// One write. Those of the world (people, groups, resources, roles, policy, locks, approver keys, delegations, issuers, workloads) raise its epoch.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant writes the type it names")]
pub enum Write {
    Person(Put<Person>),
    Group(Put<Group>),
    Directory(Put<Directory>),
    Entry(Put<Entry>),
    /// Refused if it is not as it was seen.
    RemoveEntry(EntryId, Seen),
    Resource(Put<Resource>),
    RemoveResource(ResourceId, Seen),
    Role(Put<Role>),
    RemoveRole(RoleId, Seen),
    /// Becomes the policy in force; its version must be one more than the last.
    Policy(PolicyVersion),
    Lock(Put<Lock>),
    Package(Put<Package>),
    RemovePackage(PackageId, Seen),
    ApproverKey(Put<ApproverKey>),
    Delegation(Put<Delegation>),
    Issuer(Put<Issuer>),
    Workload(Put<Workload>),
    Request(Put<AccessRequest>),
    Grant(Put<Grant>),
    /// Writes nothing: the grant must still be of this generation.
    Still(GrantId, u64),
    Lease(Put<Lease>),
    Issuance(Issuance),
    /// What was issued under this number works no more from this moment on, whatever becomes of its lease. Refused if it was
    /// revoked before.
    RevokeIssuance(u64, Time),
    /// Refused if this use of the grant was made.
    Use(Use),
    Login(Put<Login>),
    /// Refused if it is not of this generation any more.
    RemoveLogin(PersonId, u64),
    Token(Put<Token>),
    RemoveToken(TokenId),
    WayIn(Put<WayIn>),
    /// Refused if it is not there.
    RemoveWayIn(WayId),
    /// Put in place, whatever was there.
    Sealed(Sealed),
    RemoveSealed(String),
    /// Put in place, whatever was there.
    Recording(Recording),
    Answer(Answer),
    /// Written unless it is there: its id is derived from what it follows from.
    EnterDelivery(Delivery),
    Delivery(Put<Delivery>),
    /// Those that were done before this moment.
    ForgetDeliveries(Time),
    /// Notices were made of the trail up to this record; before it was up to the one seen.
    NoticesRead(Seen, u64),
    CloseChannel(ClosedChannel),
    OpenChannel(String),
    /// Refused if another was begun with the same token.
    Job(Put<Job>),
    /// Those that are over and whose tokens say nothing any more at this moment.
    ForgetJobs(Time),
    /// Refused if another account has its key.
    AcmeAccount(Put<AcmeAccount>),
    AcmeOrder(Put<AcmeOrder>),
    /// Orders that may be forgotten at this moment, and accounts that may be and whose grants are over.
    ForgetAcme(Time),
    /// Put in place of what was written of that resource earlier that day; of orphans the most stays.
    Inventory(InventoryTaken),
    /// Those of days before this moment.
    ForgetInventories(Time),
}

impl Write {
    /// Whether decisions rest on it.
    #[must_use]
    pub const fn changes_world(&self) -> bool {
        match self {
            Self::Person(_)
            | Self::Group(_)
            | Self::Directory(_)
            | Self::Resource(_)
            | Self::RemoveResource(..)
            | Self::Role(_)
            | Self::RemoveRole(..)
            | Self::Policy(_)
            | Self::Lock(_)
            | Self::Package(_)
            | Self::RemovePackage(..)
            | Self::ApproverKey(_)
            | Self::Delegation(_)
            | Self::Issuer(_)
            | Self::Workload(_) => true,
            Self::Request(_)
            | Self::Grant(_)
            | Self::Still(..)
            | Self::Lease(_)
            | Self::Issuance(_)
            | Self::RevokeIssuance(..)
            | Self::Use(_)
            | Self::Login(_)
            | Self::RemoveLogin(..)
            | Self::Token(_)
            | Self::RemoveToken(_)
            | Self::WayIn(_)
            | Self::RemoveWayIn(_)
            | Self::Entry(_)
            | Self::RemoveEntry(..)
            | Self::Sealed(_)
            | Self::RemoveSealed(_)
            | Self::Recording(_)
            | Self::Answer(_)
            | Self::EnterDelivery(_)
            | Self::Delivery(_)
            | Self::ForgetDeliveries(_)
            | Self::NoticesRead(..)
            | Self::CloseChannel(_)
            | Self::OpenChannel(_)
            | Self::Job(_)
            | Self::ForgetJobs(_)
            | Self::AcmeAccount(_)
            | Self::AcmeOrder(_)
            | Self::ForgetAcme(_)
            | Self::Inventory(_)
            | Self::ForgetInventories(_) => false,
        }
    }
}

/// A logical transaction: all of it or nothing, with its audit records.
#[derive(Clone, Debug)]
pub struct Commit {
    epoch: Option<Epoch>,
    writes: Vec<Write>,
    records: Vec<Record>,
}

/// A commit without records was tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a commit needs at least one audit record")]
pub struct EmptyCommit;

impl Commit {
    /// Writes with the records that say so.
    ///
    /// # Errors
    /// When there is no record.
    pub fn new(writes: Vec<Write>, records: Vec<Record>) -> Result<Self, EmptyCommit> {
        if records.is_empty() { Err(EmptyCommit) } else { Ok(Self { epoch: None, writes, records }) }
    }

    /// Refused unless the world is still at this epoch.
    #[must_use]
    pub fn at(mut self, epoch: Epoch) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// The epoch it was decided at, if it depends on one.
    #[must_use]
    pub fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }
    /// Its writes, in order.
    #[must_use]
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }
    /// Its records, in order; never empty.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_carries_records() {
        assert_eq!(Commit::new(Vec::new(), Vec::new()).unwrap_err(), EmptyCommit);
    }
}
