//! Seeing that a target accepts what was signed, so that its later refusal means something.

use wane_domain::id::LeaseId;
use wane_domain::time::{Span, Time};

/// After how long a credential is tried at its target; after the last, no more.
const TRIES: [Span; 5] =
    [Span::from_secs(1), Span::from_secs(3), Span::from_secs(10), Span::from_secs(30), Span::from_secs(120)];

/// The credentials that no target was yet seen accepting.
#[derive(Debug, Default)]
pub(crate) struct Confirmations {
    waiting: Vec<(Time, LeaseId, usize)>,
}

impl Confirmations {
    /// New credentials; tried at once.
    pub(crate) fn add(&mut self, leases: Vec<LeaseId>, now: Time) {
        for lease in leases {
            if !self.waiting.iter().any(|(_, known, _)| *known == lease) {
                self.waiting.push((now, lease, 0));
            }
        }
    }

    /// Which are to be tried now; each is scheduled for its next try.
    pub(crate) fn due(&mut self, now: Time) -> Vec<LeaseId> {
        let mut out = Vec::new();
        self.waiting.retain_mut(|(at, lease, tries)| {
            if *at > now {
                return true;
            }
            out.push(*lease);
            match TRIES.get(*tries) {
                Some(wait) => {
                    *at = now.plus(*wait);
                    *tries = tries.saturating_add(1);
                    true
                }
                None => false,
            }
        });
        out
    }

    /// A target accepted it, or it is over.
    pub(crate) fn settle(&mut self, lease: LeaseId) {
        self.waiting.retain(|(_, known, _)| *known != lease);
    }

    /// When the next is to be tried.
    pub(crate) fn next(&self) -> Option<Time> {
        self.waiting.iter().map(|(at, _, _)| *at).min()
    }
}
