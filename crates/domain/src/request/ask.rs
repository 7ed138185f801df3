//! What is asked, frozen: exactly the fields that its digest is over.

use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::id::{ArrivalId, GrantId, OrgId, PackageId, PersonId, RequestId, ResourceId, RoleId};
use crate::text::{Reason, Task, Ticket};
use crate::time::{Span, Time};
use crate::workload::JobAsks;

/// What is asked, frozen. Its digest is over exactly these fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The organisation.
    pub org: OrgId,
    /// Who asks.
    pub requester: PersonId,
    /// Who would hold the access.
    pub beneficiary: PersonId,
    /// The roles on resources asked for, at least one.
    pub items: Vec<AskItem>,
    /// From when.
    pub start: Start,
    /// For how long once active, in microseconds.
    pub duration: Span,
    /// Why.
    pub justification: Option<Reason>,
    /// Under which ticket.
    pub ticket: Option<Ticket>,
    /// What this ask derives from: an extension, or an approval that narrowed.
    pub parent: Option<Parent>,
    /// 16 random bytes, hexadecimal, so that two equal asks differ.
    pub nonce: String,
    /// The login at the gateway that asks and waits, if one does: without it nobody wants what is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrival: Option<ArrivalId>,
    /// The package that this was asked for out of, by nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageId>,
    /// The job that a workload asks in: what is granted is that job's, and ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobAsks>,
}

/// One role on one resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskItem {
    /// The resource.
    pub resource: ResourceId,
    /// The role.
    pub role: RoleId,
    /// The digest of the role's definition when it was asked for.
    pub role_digest: Digest,
    /// The one exact command that it is for, to be run once; none for all that the role gives. Where there is none
    /// it is no member of the JSON, so that asks from before there were tasks keep their digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
}

/// From when access is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// As soon as it is granted.
    Now,
    /// From a moment on; access then ends at that moment plus the duration, however late it was activated.
    At(Time),
}

/// What an ask derives from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parent {
    /// An approver approved less than this request.
    Narrows {
        /// The wider request.
        request: RequestId,
        /// Its digest.
        digest: Digest,
    },
    /// More time for a live grant.
    Extends {
        /// The request that the grant came from.
        digest: Digest,
        /// The grant.
        grant: GrantId,
    },
}

impl Ask {
    /// SHA-256 over `wane.request.v1`, a line feed, and the RFC 8785 form of the ask.
    ///
    /// # Errors
    /// Never: every field has a JSON form.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Digest::of_json("wane.request.v1", self)
    }

    /// Whether this ask wants no more than `wider`: same people in the same job, items a subset with the same tasks, no longer, not
    /// earlier.
    #[must_use]
    pub fn is_within(&self, wider: &Self, role_within: impl Fn(&AskItem, &AskItem) -> bool) -> bool {
        let start_within = match (self.start, wider.start) {
            (Start::Now, Start::Now) => true,
            (Start::At(mine), Start::At(theirs)) => {
                mine >= theirs && mine.plus(self.duration) <= theirs.plus(wider.duration)
            }
            (Start::At(_), Start::Now) | (Start::Now, Start::At(_)) => false,
        };
        self.org == wider.org
            && self.requester == wider.requester
            && self.beneficiary == wider.beneficiary
            && self.job == wider.job
            && self.duration <= wider.duration
            && start_within
            && !self.items.is_empty()
            && self.items.iter().all(|mine| {
                wider
                    .items
                    .iter()
                    .filter(|theirs| mine.resource == theirs.resource && mine.task == theirs.task)
                    .any(|theirs| mine == theirs || role_within(mine, theirs))
            })
    }
}
