//! What resource servers were told of tokens, as long as any of it can matter: the evidence that one is refused.
//!
//! In memory, within a bound. What is forgotten makes an end claim less, never more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use wane_domain::id::LeaseId;
use wane_domain::time::{Span, Time};

const MOST: usize = 100_000;
/// How long after the last token has run out something is remembered.
const AFTER: Span = Span::from_mins(10);

/// What was said last of the tokens under one lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    /// When a server was last told that one is good.
    pub(crate) good: Option<Time>,
    /// When a server was first told that one is over, and none was told otherwise since.
    pub(crate) over: Option<Time>,
    until: Time,
}

/// By lease.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<HashMap<LeaseId, Said>>);

impl Heard {
    /// A server was told whether a token under a lease is good.
    pub(crate) fn note(&self, lease: LeaseId, is_good: bool, runs_out: Time, now: Time) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST && !all.contains_key(&lease) {
            all.retain(|_, said| now < said.until);
        }
        if all.len() >= MOST && !all.contains_key(&lease) {
            return;
        }
        let said = all.entry(lease).or_insert(Said { good: None, over: None, until: now });
        said.until = said.until.max(runs_out.plus(AFTER));
        if is_good {
            (said.good, said.over) = (Some(now), None);
        } else {
            said.over = said.over.or(Some(now));
        }
    }

    pub(crate) fn of(&self, lease: LeaseId) -> Option<Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&lease).copied()
    }
}
