//! Keys that take over from one another while the server runs: who may say so.
//!
//! Refuses to know what keys they are, and where they are kept.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;
use wane_audit::Actor;
use wane_domain::time::Span;
use wane_policy::schema::Action;

use crate::App;
use crate::caller::Caller;
use crate::error::AppError;

/// How fresh a proof of identity has to be.
const FRESH: Span = Span::from_mins(10);

/// Makes keys, puts them in place of one another, and takes them away; each change one commit with its record.
#[async_trait]
pub trait Turner: Send + Sync {
    /// Which there are of a sort, and how each stands.
    async fn look(&self, of: &str) -> Result<Value, AppError>;
    /// Makes a change, which counts from then on, one at a time, and even if whoever asked for it goes away meanwhile; which
    /// there are then.
    async fn turn(&self, of: &str, change: &Value, actor: Actor) -> Result<Value, AppError>;
}

impl App {
    /// Says who turns keys. Said once, where the parts are put together.
    pub fn turns_by(&self, turner: Arc<dyn Turner>) {
        let _ = self.turner.set(turner);
    }

    fn turner(&self) -> Result<&Arc<dyn Turner>, AppError> {
        let why = "the signer is a process of its own, and no key of it changes while the server runs: stop the server, and say \
                   it without `--live`; a new one is made with `new`, as that signer's user, and entered with `take`";
        self.turner.get().ok_or_else(|| AppError::Taken(why.to_owned()))
    }

    /// Which keys there are of a sort.
    ///
    /// # Errors
    /// When policy does not let the caller, or there is no such sort.
    pub async fn keys_of(&self, caller: &Caller, of: &str) -> Result<Value, AppError> {
        let world = self.world().await?;
        self.allow(caller, &world, Action::ReadPolicy)?;
        self.turner()?.look(of).await
    }

    /// Makes one take over from another, or makes or takes away one.
    ///
    /// # Errors
    /// When policy does not let the caller put policies in force, their last proof of identity is not fresh, or the change is
    /// not to be made.
    pub async fn turn_keys(&self, caller: &Caller, of: &str, change: &Value) -> Result<Value, AppError> {
        let world = self.world().await?;
        let now = self.steady_now().await?;
        self.allow(caller, &world, Action::ManagePolicy)?;
        // INVARIANT: whoever has no more than somebody's session changes no key that issues (held by
        // `keys_turn_for_an_administrator_with_a_fresh_proof_alone`).
        if caller.is_by_credential() || caller.proof_age(now) > FRESH {
            let why = format!("prove your identity again first (`wane prove`): the last proof may be {FRESH} old");
            return Err(AppError::invalid("proof", why));
        }
        let shown = self.turner()?.turn(of, change, Actor::Person(caller.person)).await;
        // What was signed before is not what is signed now.
        self.papers.forget();
        shown
    }
}
