//! The right to make or issue one thing, once.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::catalogue::Role;
use crate::id::{GrantId, LeaseId, PersonId};
use crate::request::{Approval, Ask, AskItem};
use crate::time::Time;

/// The right to make or issue what one lease stands for. Built only by
/// [`crate::grant::Grant::issue_permit`]; signers and connectors consume it.
///
/// ```compile_fail
/// fn twice(permit: &wane_domain::issue::IssuePermit) -> wane_domain::issue::IssuePermit { permit.clone() }
/// ```
#[derive(Debug)]
pub struct IssuePermit {
    pub(crate) right: Right,
}

/// What a permit says, as data: what a signer that is elsewhere is told. Nothing is believed because it stands here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Right {
    pub(crate) grant: GrantId,
    pub(crate) lease: LeaseId,
    pub(crate) holder: PersonId,
    pub(crate) item: AskItem,
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    pub(crate) reach: Reach,
    pub(crate) authority: Option<Box<Authority>>,
}

/// What people signed, with everything that it is over: a signer that has their keys can see for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authority {
    /// What was asked.
    pub ask: Ask,
    /// Which item of it.
    pub item: u16,
    /// The role as it was approved.
    pub role: Role,
    /// What more time was asked for since, the first ask first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<Ask>,
    /// Who approved it, and more time for it.
    pub approvals: Vec<Approval>,
}

/// Where something that is issued is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// At the target itself.
    Target,
    /// At the gateway, which judges each use, and nowhere else.
    Gateway,
}

impl Right {
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
    /// Nothing issued may be valid after this.
    #[must_use]
    pub fn not_after(&self) -> Time {
        self.not_after
    }
    /// What people signed, if that is what it rests on.
    #[must_use]
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_deref()
    }
}

impl Deref for IssuePermit {
    type Target = Right;
    fn deref(&self) -> &Right {
        &self.right
    }
}

impl IssuePermit {
    /// The same, good at the gateway only: for what nothing at the target could hold its holder to.
    #[must_use]
    pub fn at_the_gateway(self) -> Self {
        Self { right: Right { reach: Reach::Gateway, ..self.right } }
    }

    /// The same with what people signed for it.
    #[must_use]
    pub fn resting_on(self, authority: Authority) -> Self {
        Self { right: Right { authority: Some(Box::new(authority)), ..self.right } }
    }

    /// What it says, for a signer that is elsewhere; the permit is used up by that.
    #[must_use]
    pub fn into_right(self) -> Right {
        self.right
    }
}
