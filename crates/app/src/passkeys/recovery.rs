//! Codes for the day somebody loses their passkeys: each lets them in once, to set up a new one.

use serde_json::json;
use wane_audit::{Actor, Outcome};
use wane_domain::id::PersonId;
use wane_domain::proved::ProvedBy;
use wane_domain::secret::SecretOnce;
use wane_domain::time::Span;
use wane_failpoint::point;
use wane_keys::token::BearerKind;
use wane_store::{Put, Token, TokenOwner, Write};

use super::{FRESH, about, is_recovery};
use crate::auth::SignedIn;
use crate::caller::Caller;
use crate::change::Change;
use crate::error::AppError;
use crate::{App, decide};

/// How many are given at once.
const CODES: usize = 8;
/// How long one is good for.
const LIFE: Span = Span::from_hours(24 * 365 * 5);

impl App {
    /// New recovery codes for the caller; those from before are void.
    ///
    /// # Errors
    /// When the caller's last proof of identity is not fresh.
    pub async fn new_recovery_codes(&self, caller: &Caller) -> Result<Vec<SecretOnce>, AppError> {
        if caller.proof_age(self.now()) > FRESH {
            let why = format!("prove your identity again first: the last proof may be {FRESH} old");
            return Err(AppError::invalid("proof", why));
        }
        decide!(async {
            let world = self.world().await?;
            let mut change = self.change_at(Actor::Person(caller.person), &world, self.now());
            for former in self.store.tokens_of(caller.person).await?.iter().filter(|token| is_recovery(token)) {
                change.write(Write::RemoveToken(former.value.id));
            }
            let codes = self.recovery_codes_in(&mut change, caller.person);
            change.commit(point!("app.passkey.recovery.commit")).await?;
            Ok(codes)
        })
    }

    /// Makes codes in a change; they hold once that is committed.
    pub(super) fn recovery_codes_in(&self, change: &mut Change<'_>, person: PersonId) -> Vec<SecretOnce> {
        let owner = TokenOwner::Person(person);
        (0..CODES).map(|_| self.mint_in(change, BearerKind::Recovery, owner, LIFE).0).collect()
    }

    /// Signs somebody in with a recovery code, which is spent.
    ///
    /// # Errors
    /// When it is no code of anybody's, or was used; never says which.
    pub async fn redeem_recovery(&self, code: &str) -> Result<SignedIn, AppError> {
        decide!(async {
            let (world, now) = (self.world().await?, self.now());
            let seen = self.token(BearerKind::Recovery, code.trim()).await.map_err(|_| AppError::BadSignIn)?;
            let TokenOwner::Person(person) = seen.value.owner else { return Err(AppError::BadSignIn) };
            if !world.is_active(person) {
                return Err(AppError::BadSignIn);
            }
            let mut change = self.change_at(Actor::Person(person), &world, now);
            change.note("recovery.used", Outcome::Done, about(person), json!({ "token": seen.value.id }));
            // Of two at once the second finds it changed, and then spent.
            change.write(Write::Token(Put::over(&seen, Token { spent: Some(now), ..seen.value.clone() })));
            let signed_in = self.session_in(&mut change, person, (ProvedBy::RecoveryCode, now), None, json!({}));
            change.commit(point!("app.passkey.redeem.commit")).await?;
            Ok(signed_in)
        })
    }
}
