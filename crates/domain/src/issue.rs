//! The right to make or issue one thing, once.

use crate::id::{GrantId, LeaseId, PersonId};
use crate::request::AskItem;
use crate::time::Time;

/// The right to make or issue what one lease stands for. Built only by
/// [`crate::grant::Grant::issue_permit`]; signers and connectors consume it.
///
/// ```compile_fail
/// fn twice(permit: wane_domain::issue::IssuePermit) { drop(permit.clone()); }
/// ```
#[derive(Debug)]
pub struct IssuePermit {
    pub(crate) grant: GrantId,
    pub(crate) lease: LeaseId,
    pub(crate) holder: PersonId,
    pub(crate) item: AskItem,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    pub(crate) reach: Reach,
}

/// Where something that is issued is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// At the target itself.
    Target,
    /// At the gateway, which judges each use, and nowhere else.
    Gateway,
}

impl IssuePermit {
    /// The grant.
    #[must_use]
    pub fn grant(&self) -> GrantId {
        self.grant
    }
    /// The lease.
    #[must_use]
    pub fn lease(&self) -> LeaseId {
        self.lease
    }
    /// Who holds the grant.
    #[must_use]
    pub fn holder(&self) -> PersonId {
        self.holder
    }
    /// The role on the resource.
    #[must_use]
    pub fn item(&self) -> &AskItem {
        &self.item
    }
    /// Nothing issued may be valid earlier than shortly before this (clock skew is the issuer's to allow).
    #[must_use]
    pub fn not_before(&self) -> Time {
        self.not_before
    }
    /// Nothing issued may be good anywhere else.
    #[must_use]
    pub fn reach(&self) -> Reach {
        self.reach
    }
    /// The same, good at the gateway only: for what nothing at the target could hold its holder to.
    #[must_use]
    pub fn at_the_gateway(self) -> Self {
        Self { reach: Reach::Gateway, ..self }
    }
    /// Nothing issued may be valid after this.
    #[must_use]
    pub fn not_after(&self) -> Time {
        self.not_after
    }
}
