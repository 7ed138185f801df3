//! What policy said, and why. A decision is never a bare yes.

use serde::{Deserialize, Serialize};

use crate::canonical::Digest;
use crate::terms::Terms;
use crate::time::Time;

/// What policy said about one item of a request.
#[derive(Debug)]
pub enum Decision {
    /// Yes, under terms.
    Permit(Permit),
    /// No, for reasons.
    Deny(Denial),
}

/// A yes. Made only by `policy::judge`; minting, extending and issuing consume one.
///
/// ```compile_fail
/// fn twice(permit: wane_domain::decision::Permit) { drop(permit.clone()); }
/// ```
/// ```compile_fail
/// let permit = wane_domain::decision::Permit { terms: todo!(), basis: todo!(), latest: None };
/// ```
#[derive(Debug)]
pub struct Permit {
    pub(crate) terms: Terms,
    pub(crate) basis: Basis,
    /// When the time of whoever it is for is over.
    pub(crate) latest: Option<Time>,
}

impl Permit {
    /// The earlier of a moment and the end of the time of whoever this is for.
    ///
    /// INVARIANT: no grant ends after its holder's time is over (held by `no_grant_outlives_its_holders_time`).
    #[must_use]
    pub fn at_most(&self, at: Time) -> Time {
        self.latest.map_or(at, |latest| latest.min(at))
    }

    /// What must be true.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.terms
    }
    /// What the decision rests on.
    #[must_use]
    pub fn basis(&self) -> &Basis {
        &self.basis
    }
}

/// A no, with everything the asker may be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// What the decision rests on.
    pub basis: Basis,
    /// Why, most useful first; never empty.
    pub reasons: Vec<Why>,
}

/// What a decision rests on, enough to make it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The policy set.
    pub policy_set: Digest,
    /// The permit policy whose terms apply; none for a denial.
    pub path: Option<String>,
    /// Every policy that determined the outcome, by id.
    pub determining: Vec<String>,
    /// Digest of the facts that were judged.
    pub facts: Digest,
    /// When.
    pub at: Time,
}

/// One reason for a no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Why {
    /// No permit policy applies to this person, resource and role.
    NoPath,
    /// A guardrail forbids it.
    Forbidden {
        /// The forbid policy.
        policy: String,
        /// Its `@reason`, if it has one.
        reason: Option<String>,
    },
    /// Longer than any path allows.
    TooLong {
        /// The most that may be asked.
        most_micros: u64,
    },
    /// A justification is needed.
    JustificationNeeded,
    /// A narrower role would be given on no harder terms; asking wider needs a reason.
    NarrowerWouldDo {
        /// The narrowest such role.
        role: String,
    },
    /// A ticket is needed.
    TicketNeeded,
    /// Identity must be proved again first.
    StepUpNeeded {
        /// How old the last proof may be.
        max_age_micros: u64,
    },
    /// The path asks for something this deployment or kind cannot do.
    CannotServe {
        /// What.
        what: String,
    },
    /// A policy failed while it was evaluated; doubt is a no.
    PolicyError {
        /// The policy.
        policy: String,
        /// What Cedar said.
        message: String,
    },
    /// A lock covers it.
    Locked {
        /// The lock.
        lock: String,
    },
    /// The person is disabled.
    Disabled,
    /// The person's time is over before this would begin.
    TimeOver {
        /// When.
        until: Time,
    },
    /// Whoever answered for the person has left.
    Unsponsored,
    /// The approvals that a live grant holds no longer meet any path.
    TermsNotMet {
        /// What is missing.
        missing: String,
    },
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoPath => f.write_str("no policy gives you this role on this resource"),
            Self::Forbidden { policy, reason: Some(reason) } => write!(f, "guardrail `{policy}` forbids it: {reason}"),
            Self::Forbidden { policy, reason: None } => write!(f, "guardrail `{policy}` forbids it"),
            Self::TooLong { most_micros } => {
                write!(f, "too long; the most you can ask for is {}", crate::time::Span::from_micros(*most_micros))
            }
            Self::JustificationNeeded => f.write_str("a justification is needed; say why you need it"),
            Self::NarrowerWouldDo { role } => {
                write!(f, "role `{role}` gives less and is had as easily; ask for that, or say why you need more")
            }
            Self::TicketNeeded => f.write_str("a ticket is needed; name the ticket this is for"),
            Self::StepUpNeeded { max_age_micros } => {
                write!(
                    f,
                    "prove your identity again; the last proof may be {} old",
                    crate::time::Span::from_micros(*max_age_micros)
                )
            }
            Self::CannotServe { what } => write!(f, "the path needs {what}, which is not available here"),
            Self::PolicyError { policy, message } => {
                write!(f, "policy `{policy}` failed, and doubt is a no: {message}")
            }
            Self::Locked { lock } => write!(f, "it is locked (`{lock}`)"),
            Self::Disabled => f.write_str("the person is disabled"),
            Self::TimeOver { until } => {
                write!(f, "the person's time here is over at {until}; ask for less, or have it made longer")
            }
            Self::Unsponsored => {
                f.write_str("whoever answered for the person has left; have somebody else answer for them")
            }
            Self::TermsNotMet { missing } => write!(f, "the approvals held no longer meet policy: {missing}"),
        }
    }
}
