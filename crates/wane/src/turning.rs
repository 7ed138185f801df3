//! Authorities and keys of tokens that take over from one another while the server runs.
//!
//! INVARIANT: what is on disk is what counts: a change is committed first, whole, and then put in place of what there was, so
//! that a server that dies in between begins with it (held by `a_change_that_was_cut_off_counts_or_does_not`), and whoever asks
//! for one and hangs up stops neither (held by `whoever_hangs_up_stops_no_change_of_keys`).

use std::sync::Arc;

use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use wane_app::{AppError, Turner};
use wane_audit::Actor;
use wane_cli::{Exit, Session};
use wane_domain::ambient::Ambient;
use wane_domain::id::OrgId;
use wane_failpoint::point;
use wane_keys::envelope::Keyring;
use wane_keys::turning::Turning;
use wane_store_sql::SqlStore;

use crate::authority::Desk;
use crate::deployment::OpenError;
use crate::kinds::authority::Authorities;
use crate::kinds::token::TokenKeys;
use crate::signer::own_keys;
use crate::{authority, token_key};

/// What they are called in addresses.
pub(crate) const AUTHORITIES: &str = "authorities";
pub(crate) const TOKEN_KEYS: &str = "token-keys";

/// What there is, in this process and behind its seal, where the signer is in this process too.
pub(crate) struct Turned {
    pub(crate) store: SqlStore,
    pub(crate) org: OrgId,
    pub(crate) ring: Keyring,
    pub(crate) ends: Keyring,
    pub(crate) ambient: Ambient,
    /// Those of the signer's desk: what it asks before one of them signs, it asks of the next.
    pub(crate) keys: Arc<Turning>,
    pub(crate) authorities: Arc<Authorities>,
    pub(crate) token_keys: Arc<TokenKeys>,
    /// Each change rests on which keys there are.
    pub(crate) one: Mutex<()>,
}

impl Turned {
    fn desk(&self) -> Desk<'_> {
        Desk { store: &self.store, org: self.org, ring: &self.ring, ends: &self.ends, ambient: &self.ambient }
    }

    /// Makes a change, if it is one, and puts what is on disk in place of what there was, which an earlier change may have
    /// come to: of a commit nobody knew the end of, say.
    async fn change(&self, of: &str, what: &Value, actor: Actor) -> Result<Value, AppError> {
        let _one = self.one.lock().await;
        let desk = self.desk();
        let changed = match of {
            AUTHORITIES => async { Ok(authority::shown_json(&desk.change(&read(what)?, actor).await?)) }.await,
            TOKEN_KEYS => async { Ok(token_key::change(&desk, &read(what)?, actor).await?.json()) }.await,
            other => Err(AppError::missing("sort of keys", other)),
        };
        let seen = self.look_again().await.map_err(failed);
        let shown = changed?;
        seen.map(|()| shown)
    }

    /// Puts what is on disk in place of what there was.
    async fn look_again(&self) -> Result<(), OpenError> {
        wane_failpoint::at(point!("turning.before")).await;
        let own = own_keys(&self.store, &self.ring).await?;
        let authorities = authority::read(&own, &authority::kept(&self.store, &self.ring).await?);
        let token_keys = token_key::read(&own, &token_key::kept(&self.store, &self.ring).await?);
        self.keys.become_others(own, || {
            self.authorities.become_others(&authorities);
            self.token_keys.become_others(&token_keys);
        });
        Ok(())
    }
}

/// A change as it was sent.
fn read<T: DeserializeOwned>(what: &Value) -> Result<T, AppError> {
    serde_json::from_value(what.clone()).map_err(|e| AppError::invalid("change", e))
}

/// Whoever turns them.
pub(crate) struct Turns(pub(crate) Arc<Turned>);

#[async_trait]
impl Turner for Turns {
    async fn look(&self, of: &str) -> Result<Value, AppError> {
        let Turned { store, ring, .. } = &*self.0;
        match of {
            AUTHORITIES => Ok(authority::shown_json(&authority::kept(store, ring).await.map_err(failed)?)),
            TOKEN_KEYS => Ok(token_key::look(&self.0.desk()).await?.json()),
            other => Err(AppError::missing("sort of keys", other)),
        }
    }

    async fn turn(&self, of: &str, what: &Value, actor: Actor) -> Result<Value, AppError> {
        let (turned, of, what) = (Arc::clone(&self.0), of.to_owned(), what.clone());
        let done = wane_runtime::to_its_end(async move { turned.change(&of, &what, actor).await }).await;
        done.map_err(|e| AppError::Fault(e.to_string()))?
    }
}

/// What cannot be opened, in the words of the use-cases.
pub(crate) fn failed(error: OpenError) -> AppError {
    match error {
        OpenError::Store(error) => error.into(),
        other => AppError::Fault(other.to_string()),
    }
}

/// Has the running server make a change, or only look.
pub(crate) async fn live(session: &Session, of: &str, change: Option<&Value>, text: fn(&Value) -> String) -> Exit {
    let path = format!("/v1/keys/{of}");
    let done = match change {
        Some(change) => session.call("POST", &path, None, Some(&json!({ "change": change }))).await,
        None => session.call("GET", &path, None, None).await,
    };
    match done {
        Ok(shown) => {
            session.put(&shown, &text(&shown));
            Exit::Done
        }
        Err(stop) => session.report(&stop),
    }
}
