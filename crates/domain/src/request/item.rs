//! One item of a request: its terms, its approvals, where it stands.

use serde::{Deserialize, Serialize};

use crate::approval::{Signed, Statement};
use crate::canonical::Digest;
use crate::delegation::InsteadOf;
use crate::id::{ApproverKeyId, GrantId, OrgId, PersonId, RequestId};
use crate::terms::{Need, Terms};
use crate::time::Time;

/// One person's yes to one item, at one stage, over one digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub approver: PersonId,
    /// In whose place, if they stood in for somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<InsteadOf>,
    /// At which stage, from 0.
    pub stage: u16,
    /// Over which request digest: this one, or the wider one it narrows.
    pub digest: Digest,
    /// When.
    pub at: Time,
    /// What they signed, if they did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Box<Signed>>,
}

impl Approval {
    /// Whom it counts as, all together once: who gave it, and who they stood in for.
    pub fn people(&self) -> impl Iterator<Item = PersonId> {
        [self.approver].into_iter().chain(self.instead_of.map(|instead| instead.person))
    }

    /// Whose right it was to give it.
    #[must_use]
    pub fn by_right_of(&self) -> PersonId {
        self.instead_of.map_or(self.approver, |instead| instead.person)
    }

    /// The statement that was signed, if it says yes to this item, stage and digest for this person. Whether the
    /// signature is any good is not known here.
    ///
    /// INVARIANT: what is signed counts where it says, and nowhere else (held by
    /// `a_signed_approval_counts_where_it_says_and_nowhere_else`).
    #[must_use]
    pub fn statement(&self, org: OrgId, item: usize) -> Option<Statement> {
        let said = Statement::read(&self.signed.as_ref()?.statement).ok()?;
        let fits = said.org == org
            && said.over() == self.digest
            && said.approver == self.approver
            && said.instead_of == self.instead_of.map(|instead| instead.person)
            && said.seats(item, self.stage);
        fits.then_some(said)
    }
}

/// The life of one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ItemState {
    /// Waits for approvals.
    Waiting,
    /// Approved; its grant is minted in the same commit.
    Approved {
        /// When.
        at: Time,
        /// The grant; set by [`AccessRequest::mint_from`].
        grant: Option<GrantId>,
    },
    /// Refused by policy or by a person.
    Denied {
        /// By whom; none for policy.
        by: Option<PersonId>,
        /// Why.
        reason: String,
        /// When.
        at: Time,
    },
    /// Taken back by the requester.
    Withdrawn {
        /// When.
        at: Time,
    },
    /// Nobody decided in time.
    Lapsed {
        /// When.
        at: Time,
    },
    /// An approver approved less: the child request carries on.
    Narrowed {
        /// The child.
        child: RequestId,
        /// When.
        at: Time,
    },
}

impl ItemState {
    /// The state's name, for people and tables.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Approved { .. } => "approved",
            Self::Denied { .. } => "denied",
            Self::Withdrawn { .. } => "withdrawn",
            Self::Lapsed { .. } => "lapsed",
            Self::Narrowed { .. } => "narrowed",
        }
    }
}

/// One item with its terms, approvals and state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// The terms of the path chosen when it was asked; none if policy denied at once.
    pub terms: Option<Terms>,
    /// The permit policy they come from.
    pub path: Option<String>,
    /// Approvals so far.
    pub approvals: Vec<Approval>,
    /// Where it stands.
    pub state: ItemState,
}

impl Item {
    /// The stage that approvals are now counted for; none when all are met.
    #[must_use]
    pub fn open_stage(&self) -> Option<u16> {
        let stages = &self.terms.as_ref()?.stages;
        (0u16..).zip(stages).find(|(n, stage)| self.approvals_at(*n) < usize::from(stage.quorum)).map(|(n, _)| n)
    }

    /// Whether each approval of it must be signed.
    #[must_use]
    pub fn needs_signatures(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.signature == Need::Required)
    }

    /// The approvals that were signed with a key.
    pub fn signed_with(&self, key: ApproverKeyId) -> impl Iterator<Item = &Approval> {
        self.approvals.iter().filter(move |approval| {
            let said = approval.signed.as_ref().and_then(|signed| Statement::read(&signed.statement).ok());
            said.is_some_and(|said| said.key == key)
        })
    }

    /// How many approvals a stage has.
    #[must_use]
    pub fn approvals_at(&self, stage: u16) -> usize {
        self.approvals.iter().filter(|a| a.stage == stage).count()
    }
}
