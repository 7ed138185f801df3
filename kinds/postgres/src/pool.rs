//! Connections kept from one effect for the next, because letting somebody in costs a server more than
//! making an account.
//!
//! Owns: whose a kept connection is, how many there are and for how long. Refuses to know: what is done
//! on one. There is no task behind it: what is too old goes when anybody asks for one, and what nobody
//! asks for any more is ended by the server (`idle_session_timeout`).
//!
//! INVARIANT: a connection serves only the resource, settings and credential it was opened with (held by
//! `a_kept_connection_serves_nobody_else`).

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};
use wane_connector::Target;
use wane_domain::id::ResourceId;
use wane_domain::time::{Span, Time};

use crate::session::{Fail, Session};
use crate::settings::Settings;

/// How long one is kept that nobody uses.
const LONGEST_IDLE: Span = Span::from_secs(30);
/// How many are kept for one resource.
const MOST: usize = 16;

/// Whose a connection is: a resource, with the settings and the credential it was reached with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Whose {
    resource: ResourceId,
    reached_with: [u8; 32],
}

impl Whose {
    pub(crate) fn of(target: &Target<'_>, settings: &Settings) -> Result<Self, Fail> {
        let mut digest = Sha256::new();
        let settings = serde_json::to_vec(settings).map_err(|e| Fail::refused(e.to_string()))?;
        // Each part after its length, so that no two pairs read alike.
        digest.update(settings.len().to_le_bytes());
        digest.update(settings);
        if let Some(credential) = target.credential {
            digest.update(credential.expose());
        }
        Ok(Self { resource: target.resource.id, reached_with: digest.finalize().into() })
    }
}

/// The connections of one resource.
struct Kept {
    reached_with: [u8; 32],
    idle: Vec<(Time, Session)>,
}

/// All kept connections.
#[derive(Default)]
pub(crate) struct Pool(Mutex<HashMap<ResourceId, Kept>>);

impl Pool {
    /// A connection of theirs that still stands. Those of another credential or of other settings go.
    pub(crate) fn take(&self, whose: &Whose, now: Time) -> Option<Session> {
        let mut pool = self.lock();
        pool.retain(|_, kept| {
            kept.idle.retain(|(since, _)| now < since.plus(LONGEST_IDLE));
            !kept.idle.is_empty()
        });
        let kept = pool.get_mut(&whose.resource)?;
        if kept.reached_with != whose.reached_with {
            pool.remove(&whose.resource);
            return None;
        }
        while let Some((_, mut session)) = kept.idle.pop() {
            if session.stands() {
                return Some(session);
            }
        }
        None
    }

    /// Keeps one, unless there are enough or others are in use by now.
    pub(crate) fn keep(&self, whose: &Whose, mut session: Session, now: Time) {
        if !session.stands() {
            return;
        }
        let mut pool = self.lock();
        let empty = || Kept { reached_with: whose.reached_with, idle: Vec::new() };
        let kept = pool.entry(whose.resource).or_insert_with(empty);
        if kept.reached_with == whose.reached_with && kept.idle.len() < MOST {
            kept.idle.push((now, session));
        }
    }

    /// None of a resource's is used again.
    pub(crate) fn forget(&self, whose: &Whose) {
        self.lock().remove(&whose.resource);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ResourceId, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
