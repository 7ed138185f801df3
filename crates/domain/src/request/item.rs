//! One item of a request: its terms, its approvals, where it stands.

use serde::{Deserialize, Serialize};

use crate::approval::{Signed, Statement};
use crate::canonical::Digest;
use crate::delegation::InsteadOf;
use crate::id::{ApproverKeyId, GrantId, OrgId, PersonId, RequestId};
use crate::terms::{Later, Need, Terms};
use crate::time::{Span, Time};

/// One person's yes to one item, at one stage, over one digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub approver: PersonId,
    /// In whose place, if they stood in for somebody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<InsteadOf>,
    /// How long the stage had to be open for whose right it was to be asked, if they were asked in addition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_after: Option<Span>,
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

/// That more people were asked, because a stage was still open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalated {
    /// Which stage.
    pub stage: u16,
    /// For how long it had been open.
    pub after: Span,
    /// When.
    pub at: Time,
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
    /// When more people were asked, and at which stages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub escalated: Vec<Escalated>,
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

    /// For how long a stage has been seen to be open, as far as that has more people asked.
    #[must_use]
    pub fn waited(&self, stage: u16) -> Option<Span> {
        self.escalated.iter().filter(|e| e.stage == stage).map(|e| e.after).max()
    }

    /// Who is to be asked in addition next, at which stage and when, of a request that was asked at `asked`; none where
    /// nothing waits or everybody is asked.
    #[must_use]
    pub fn next_escalation(&self, asked: Time) -> Option<(u16, &Later, Time)> {
        let number = self.open_stage().filter(|_| self.state == ItemState::Waiting)?;
        let stage = self.terms.as_ref()?.stages.get(usize::from(number))?;
        let waited = self.waited(number);
        let later = stage.later.iter().find(|later| waited < Some(later.after))?;
        // A stage is open from the approval that completed the one before.
        let opened = self.approvals.iter().filter(|a| a.stage < number).map(|a| a.at).max().unwrap_or(asked);
        Some((number, later, opened.max(asked).plus(later.after)))
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
