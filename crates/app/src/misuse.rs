//! Keys, tokens and bindings that are used where or when they may not be: written down, a bounded number of times, and told by
//! that.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};
use wane_audit::{Actor, Outcome};
use wane_connector::TokenRead;
use wane_domain::id::{GrantId, LeaseId, ResourceId};
use wane_domain::time::{Span, Time};
use wane_failpoint::point;

use crate::App;
use crate::change::about_grant;
use crate::error::AppError;

/// How long nothing more is written down of one token or binding.
const QUIET: Span = Span::from_mins(1);
/// Those of which it is remembered.
const MOST: usize = 10_000;

/// What was written down of late: of tokens, if nothing else is said.
#[derive(Debug)]
pub(crate) struct Misused<K = (LeaseId, u64)>(Mutex<HashMap<K, Time>>);

impl<K> Default for Misused<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Misused<K> {
    /// Whether something is written down of one now.
    pub(crate) fn tells(&self, one: K, now: Time) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MOST {
            told.retain(|_, at| now < at.plus(QUIET));
        }
        if told.len() >= MOST || told.get(&one).is_some_and(|at| now < at.plus(QUIET)) {
            return false;
        }
        told.insert(one, now);
        true
    }
}

impl App {
    /// A key of a grant was used where or when it may not be; who looks after it reads that in the trail, and is told.
    ///
    /// # Errors
    /// When there is no such grant, or this cannot be written down.
    pub async fn note_misuse(&self, grant: GrantId, serial: u64, why: &str, peer: IpAddr) -> Result<(), AppError> {
        let seen = self.store.grant(grant).await?.ok_or_else(|| AppError::missing("grant", grant))?;
        let mut change = self.change(Actor::Unknown, self.now());
        let detail = json!({ "serial": serial, "why": why, "peer": peer });
        change.note("key.refused", Outcome::Denied, about_grant(&seen.value), detail);
        change.commit(point!("app.key.refused.commit")).await.map(|_| ())
    }

    /// The same of an access token that came to a server. Whether it can be written down is not that server's affair.
    pub(crate) async fn token_misused(&self, read: &TokenRead, server: ResourceId, why: &str) {
        if self.is_storeless() || !self.misused.tells((read.lease, read.serial), self.now()) {
            return;
        }
        if let Err(error) = self.note_token(read, server, why).await {
            tracing::warn!(grant = %read.grant, jti = read.id, %error, "a token was used where it may not be; that could not be written down");
        }
    }

    async fn note_token(&self, read: &TokenRead, server: ResourceId, why: &str) -> Result<(), AppError> {
        let seen = self.store.grant(read.grant).await?.ok_or_else(|| AppError::missing("grant", read.grant))?;
        let world = self.world().await?;
        let at = world.resources.get(&server).map_or(Value::Null, |resource| json!(resource.name));
        let mut change = self.change(Actor::Host(server), self.now());
        let detail = json!({ "jti": read.id, "why": why, "server": at });
        change.note("token.refused", Outcome::Denied, about_grant(&seen.value), detail);
        change.commit(point!("app.token.refused.commit")).await.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use wane_domain::id::TypedId as _;

    use super::*;

    #[test]
    fn one_token_is_told_of_once_in_a_while() {
        let misused = Misused::default();
        let at = |secs: i64| Time::from_micros(1_795_255_200_000_000 + secs * 1_000_000);
        let lease = |n: u8| LeaseId::mint(at(0), &[n; 10]);
        for (token, secs, told) in [
            ((lease(1), 1), 0, true),
            ((lease(1), 1), 59, false),
            ((lease(1), 2), 59, true),
            ((lease(2), 1), 59, true),
            ((lease(1), 1), 60, true),
        ] {
            assert_eq!(misused.tells(token, at(secs)), told, "{token:?} {secs}");
        }
    }

    #[test]
    fn who_floods_it_keeps_no_other_quiet_for_longer() {
        let misused = Misused::default();
        let at = |secs: i64| Time::from_micros(1_795_255_200_000_000 + secs * 1_000_000);
        assert!((0..MOST).all(|n| misused.tells(n, at(0))));
        assert!(!misused.tells(MOST, at(59)), "there is no room");
        assert!(misused.tells(MOST, at(60)) && !misused.tells(MOST, at(60)));
    }
}
