//! What anybody may fetch without being known: the papers of a kind, such as an authority's revocation list.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use wane_connector::{Paper, Revoked};
use wane_domain::id::LeaseId;
use wane_domain::lease::LeaseState;
use wane_domain::text::Name;
use wane_domain::time::{Span, Time};
use wane_failpoint::{around_call, point};
use wane_store::{Issuance, LeaseFilter, Slice};

use crate::App;
use crate::error::AppError;

/// How far behind a service's clock may be for the list to keep refusing there what has run out here.
const FARTHEST_BEHIND: Span = Span::from_hours(1);
/// After how long the same is signed again, so that what is fetched is never old.
const SIGNED_AGAIN: Span = Span::from_secs(60);

/// What was signed last, so that whoever asks often costs no signature.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    kept: Mutex<HashMap<(&'static str, String), Kept>>,
    /// The greatest number that was given.
    number: AtomicU64,
}

#[derive(Debug)]
struct Kept {
    revoked: Vec<Revoked>,
    at: Time,
    paper: Paper,
}

impl Desk {
    /// Forgets what was signed.
    pub(crate) fn forget(&self) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A number greater than any before, in this process and, by the clock, in those before it.
    fn number(&self, now: Time) -> u64 {
        let now = u64::try_from(now.micros()).unwrap_or_default();
        let next = |last: u64| Some(now.max(last.saturating_add(1)));
        match self.number.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next) {
            Ok(last) | Err(last) => now.max(last.saturating_add(1)),
        }
    }
}

impl App {
    /// One paper of a kind.
    ///
    /// # Errors
    /// When there is none of that name, the signer refuses, or the store cannot be read.
    pub async fn published(&self, kind: &Name, name: &str) -> Result<Paper, AppError> {
        let none = || AppError::missing("paper", name);
        let kind = self.kinds.get(kind.as_str()).ok_or_else(none)?;
        let papers = kind.published().ok_or_else(none)?;
        let now = self.now();
        let named = kind.name().parse().map_err(|e: wane_domain::text::TextError| AppError::Fault(e.to_string()))?;
        let revoked = self.revoked_now(&named, now).await?;
        let key = (kind.name(), name.to_owned());
        let shelved = |papers: &HashMap<_, Kept>| {
            let kept = papers.get(&key).filter(|kept| kept.revoked == revoked && now < kept.at.plus(SIGNED_AGAIN));
            kept.map(|kept| kept.paper.clone())
        };
        if let Some(paper) = shelved(&self.papers.kept.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(paper);
        }
        let number = self.papers.number(now);
        let paper = around_call(point!("app.paper.sign"), || papers.paper(name, number, now, &revoked))?;
        let paper = paper.ok_or_else(none)?;
        let kept = Kept { revoked, at: now, paper: paper.clone() };
        self.papers.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(key, kept);
        Ok(paper)
    }

    /// Everything of a kind that would still work and is over, also what was ended from memory.
    async fn revoked_now(&self, kind: &Name, now: Time) -> Result<Vec<Revoked>, AppError> {
        // INVARIANT: what was revoked stays so at a service whose clock is behind (held by
        // `a_certificate_is_on_the_list_from_its_end_on`).
        let behind = now.minus(FARTHEST_BEHIND);
        let mut since: HashMap<LeaseId, Time> = HashMap::new();
        let mut all: Vec<(Issuance, Time)> = Vec::new();
        for issued in self.store.revoked(kind, behind).await? {
            let at = match (issued.revoked, since.get(&issued.lease)) {
                // Its lease may go on, with others under it.
                (Some(at), _) | (None, Some(&at)) => at,
                (None, None) => {
                    let at = self.store.lease(issued.lease).await?.map_or(now, |lease| match lease.value.state {
                        LeaseState::Revoking { since, .. } => since,
                        LeaseState::Gone { at, .. } => at,
                        LeaseState::Intended | LeaseState::Live { .. } => now,
                    });
                    since.insert(issued.lease, at);
                    at
                }
            };
            all.push((issued, at));
        }
        for (grant, ended) in self.storeless.spool.all_said() {
            let filter = LeaseFilter { grant: Some(grant), ..LeaseFilter::default() };
            for lease in self.store.leases(filter, Slice::first(1000)).await?.items {
                if lease.value.kind != *kind || since.contains_key(&lease.value.id) {
                    continue;
                }
                let issued = self.store.issuances(lease.value.id).await?;
                let at = lease.value.end.min(ended);
                let works = issued.into_iter().filter(|one| one.not_after > behind && one.revoked.is_none());
                all.extend(works.map(|one| (one, at)));
            }
        }
        Ok(all.into_iter().map(|(issued, since)| Revoked { inventory: issued.detail, since }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_whatever_the_clock_does() {
        let desk = Desk::default();
        let at = |micros: i64| Time::from_micros(micros);
        assert_eq!([at(10), at(10), at(5), at(20)].map(|now| desk.number(now)), [10, 11, 12, 20]);
    }
}
