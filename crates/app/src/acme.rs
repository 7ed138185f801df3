//! ACME (RFC 8555): clients that order certificates under a grant, and renew them by themselves while it lives.
//!
//! Owns: that an account stands under one grant and is over with it, what may be ordered, and that a certificate comes of an
//! order once. Refuses to know: how calls are signed (`wane_acme`), certificates (their kind), HTTP.
//!
//! An account is no right of its own: whatever its client does is done by the grant's holder, judged anew, as if they had
//! come themselves with the proof of identity they had when they were given the binding.
//!
//! INVARIANT: with its grant an account is over, at once and by the clock (held by
//! `an_account_is_over_with_its_grant_whoever_has_its_key`).

mod accounts;
mod offer;
mod orders;
mod revoke;

use std::sync::Arc;

use wane_acme::{By, Call, ClientKey, Refused, Sort};
use wane_connector::Acme;
use wane_domain::grant::Grant;
use wane_domain::id::AcmeAccountId;
use wane_domain::secret::Secret;
use wane_domain::time::Time;
use wane_domain::world::World;
use wane_store::{AcmeAccount, AcmeKey, AcmeState, StoreError, Versioned};

use crate::App;
use crate::caller::Caller;
use crate::error::{AppError, Class};

pub use offer::AcmeOffered;
pub use orders::AcmeOrderShown;
pub use revoke::AcmeRenewal;

/// Where accounts are.
const ACCOUNTS: &str = "/acme/account/";
/// What the secrets of bindings are told from.
const BINDING: &str = "acme-binding";

/// Why a call comes to nothing.
enum Stop {
    Refused(Refused),
    App(AppError),
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl From<AppError> for Stop {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::App(error.into())
    }
}

impl From<Stop> for Refused {
    fn from(stop: Stop) -> Self {
        let error = match stop {
            Stop::Refused(refused) => return refused,
            Stop::App(error) => error,
        };
        let said = error.to_string();
        match error.class() {
            Class::Denied => Self::new(Sort::Unauthorized, said),
            Class::Invalid => Self::new(Sort::Malformed, said),
            Class::Missing => Self::new(Sort::Missing, said),
            Class::Conflict if matches!(error, AppError::Contended) => Self::new(Sort::Busy, said),
            Class::Conflict => Self::new(Sort::Unauthorized, said),
            Class::Busy => {
                tracing::warn!(error = %said, "a call of an ACME client failed");
                Self::new(Sort::Busy, "this server cannot answer now; send it again")
            }
            Class::Fault => {
                tracing::error!(error = %said, "a call of an ACME client failed");
                Self::new(Sort::ServerInternal, "something broke inside; the server's log says what it was")
            }
        }
    }
}

/// Decides again where somebody else wrote first.
macro_rules! again {
    ($body:expr) => {{
        let mut tries = 0;
        loop {
            match $body.await {
                Err($crate::acme::Stop::App($crate::error::AppError::Contended)) if tries < $crate::TRIES => tries += 1,
                done => break done.map_err(wane_acme::Refused::from),
            }
        }
    }};
}
use again;

/// A call by an account that stands.
struct Asked {
    account: Versioned<AcmeAccount>,
    key: AcmeKey,
    call: Call,
}

/// The grant that an account stands under, as it is now.
struct Ground {
    world: Arc<World>,
    grant: Versioned<Grant>,
    /// When it ends.
    until: Time,
}

impl App {
    /// A nonce, to be sent back once.
    #[must_use]
    pub fn acme_nonce(&self) -> String {
        self.nonces.make(self.now(), self.ambient.bytes())
    }

    /// An address of ours.
    #[must_use]
    pub fn acme_url(&self, path: &str) -> String {
        format!("{}{path}", self.public_url)
    }

    fn acme(&self) -> Result<Arc<dyn Acme>, AppError> {
        let found = self.kinds.iter().find_map(|kind| kind.acme());
        found.ok_or_else(|| AppError::missing("authority that certifies names at", &self.public_url))
    }

    /// The secret of a binding: told from the pepper, and kept nowhere.
    fn acme_secret(&self, account: AcmeAccountId) -> Secret {
        self.pepper.derived(BINDING, &account.to_string())
    }

    /// Takes the nonce of a call whose signature holds.
    fn acme_take(&self, call: &Call) -> Result<(), Refused> {
        // INVARIANT: no call is acted on twice (held by `a_call_is_believed_once_and_where_it_was_sent`).
        if self.nonces.take(call.nonce(), self.now()) {
            return Ok(());
        }
        Err(Refused::new(
            Sort::BadNonce,
            "the nonce is not one of ours, is too old or was used; take the one in this answer",
        ))
    }

    /// A call that was sent to a path, by an account that stands.
    async fn acme_asked(&self, body: &[u8], path: &str) -> Result<Asked, Stop> {
        let call = Call::read(body)?;
        call.is_for(&self.acme_url(path))?;
        self.acme_by_account(call).await
    }

    /// The same where the call was read, and is known to be for where it was sent.
    async fn acme_by_account(&self, call: Call) -> Result<Asked, Stop> {
        let none = || Refused::new(Sort::AccountDoesNotExist, "there is no such account");
        let By::Account(kid) = call.by() else {
            return Err(
                Refused::new(Sort::Malformed, "this is asked for by an account: send its address as `kid`").into()
            );
        };
        let id = kid.strip_prefix(&self.acme_url(ACCOUNTS)).and_then(|id| id.parse::<AcmeAccountId>().ok());
        let account = self.store.acme_account(id.ok_or_else(none)?).await?.ok_or_else(none)?;
        let key = account.value.key().cloned().ok_or_else(none)?;
        // INVARIANT: nobody is believed to be an account without the key that it has now (held by
        // `a_call_is_believed_once_and_where_it_was_sent`).
        call.is_signed_by(&ClientKey::read(&key.jwk)?)?;
        self.acme_take(&call)?;
        if matches!(account.value.state, AcmeState::GivenUp(_)) {
            return Err(Refused::new(Sort::Unauthorized, "this account was given up by its client").into());
        }
        self.acme_ground(&account.value).await?;
        Ok(Asked { account, key, call })
    }

    /// What an account stands under, if it still stands.
    async fn acme_ground(&self, account: &AcmeAccount) -> Result<Ground, Stop> {
        let world = self.world().await?;
        let now = self.now();
        let Some(mut grant) = self.store.grant(account.grant).await? else {
            return Err(Refused::new(Sort::Unauthorized, "the access that this account stood under is gone").into());
        };
        grant.value = self.as_it_is(grant.value);
        let item = &grant.value.item;
        let locked = world.lock_on(account.person, item.resource, item.role, Some(account.grant)).is_some();
        // INVARIANT: what an account stands under is looked at anew at each call (held by
        // `an_account_is_over_with_its_grant_whoever_has_its_key`).
        // INVARIANT: who is locked or may not act has nothing of an account, before anybody ended its grant (held by
        // `who_is_locked_or_may_not_act_has_nothing_of_an_account_though_its_grant_was_not_ended_yet`).
        match grant.value.usable_until(now) {
            Ok(until) if world.is_active(account.person) && !locked => Ok(Ground { world, grant, until }),
            Ok(_) | Err(_) => Err(over(&world, &grant.value).into()),
        }
    }

    /// The holder of a grant, as whoever acts by an account of theirs.
    fn acme_holder(account: &AcmeAccount, ground: &Ground) -> Result<Caller, AppError> {
        let person = ground.world.people.get(&account.person).ok_or(AppError::SignedOut)?;
        Ok(Caller {
            person: person.id,
            name: person.name.clone(),
            token: None,
            proved: account.proved,
            proof: account.proof.clone(),
            expires: ground.until,
            job: None,
        })
    }
}

/// What is said to a client whose grant is over.
fn over(world: &World, grant: &Grant) -> Refused {
    let role = world.roles.get(&grant.item.role).map_or("ROLE", |role| role.name.as_str());
    let resource = world.resources.get(&grant.item.resource).map_or("RESOURCE", |resource| resource.name.as_str());
    let why = format!(
        "the access that this account stands under is over (`{}`); ask for it again, and for another binding: `wane acme {role}@{resource}`",
        grant.id
    );
    Refused::new(Sort::Unauthorized, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_what_it_can_do_about_it_and_nothing_of_what_is_inside() {
        for (error, sort, says) in [
            (AppError::SignedOut, Sort::Unauthorized, "sign in first"),
            (AppError::NotAllowed { what: "order" }, Sort::Unauthorized, "order"),
            (AppError::invalid("grant", "it is none"), Sort::Malformed, "it is none"),
            (AppError::missing("role", "serve"), Sort::Missing, "serve"),
            (AppError::Taken("it was ended".to_owned()), Sort::Unauthorized, "it was ended"),
            (AppError::Contended, Sort::Busy, "try again"),
            (AppError::Crowded, Sort::Busy, "send it again"),
            (AppError::Store("disk I/O error".to_owned()), Sort::Busy, "send it again"),
            (AppError::Fault("disk I/O error".to_owned()), Sort::ServerInternal, "the server's log says what it was"),
        ] {
            let refused = Refused::from(Stop::App(error.clone()));
            assert_eq!(refused.sort, sort, "{error:?}");
            assert!(refused.detail.contains(says) && !refused.detail.contains("disk"), "{error:?}: {refused:?}");
        }
        let own = Refused::new(Sort::RateLimited, "wait");
        assert_eq!(Refused::from(Stop::Refused(own.clone())), own);
    }
}
