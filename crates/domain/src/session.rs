//! The right to open one session through the gateway.

use crate::id::{GrantId, LeaseId};
use crate::issue::IssuePermit;
use crate::terms::Need;
use crate::time::{Span, Time};

/// An active grant and a fresh judgement, for one session. Built only by
/// [`crate::grant::Grant::session_permit`]; whoever opens the session consumes it.
///
/// ```compile_fail
/// fn twice(permit: wane_domain::session::SessionPermit) { drop(permit.clone()); }
/// ```
#[derive(Debug)]
pub struct SessionPermit {
    pub(crate) issue: IssuePermit,
    pub(crate) recording: Need,
    pub(crate) reproof: Option<Span>,
}

impl SessionPermit {
    /// The grant.
    #[must_use]
    pub fn grant(&self) -> GrantId {
        self.issue.grant
    }

    /// The lease that stands for the session.
    #[must_use]
    pub fn lease(&self) -> LeaseId {
        self.issue.lease
    }

    /// The session is over at this moment, unless its grant moves.
    #[must_use]
    pub fn end(&self) -> Time {
        self.issue.not_after
    }

    /// Whether the session must be recorded: whoever opens it begins no other.
    #[must_use]
    pub fn recording(&self) -> Need {
        self.recording
    }

    /// How old the proof of identity may become while the session lasts.
    #[must_use]
    pub fn reproof(&self) -> Option<Span> {
        self.reproof
    }

    /// The right to sign what the session shows to its target.
    #[must_use]
    pub fn into_issue(self) -> IssuePermit {
        self.issue
    }
}
