//! Accounts: taken up with a binding, given another key, given up.

use serde_json::json;
use wane_acme::{AccountUpdate, Binding, By, Call, Change, ClientKey, NewAccount, Refused, Sort};
use wane_audit::{Actor, Outcome};
use wane_domain::id::AcmeAccountId;
use wane_failpoint::point;
use wane_store::{AcmeAccount, AcmeKey, AcmeState, Put, Versioned, Write};

use super::{ACCOUNTS, Asked, Stop, again};
use crate::App;
use crate::change::about_grant;
use crate::error::AppError;

/// Where accounts are taken up.
const NEW: &str = "/acme/new-account";
const CHANGE: &str = "/acme/key-change";

impl App {
    /// The account of a client's key: the one there is, or one that is taken up with a binding. Whether it was taken up now.
    ///
    /// # Errors
    /// When there is none and the binding is not good, or what it stands under is over.
    pub async fn acme_new_account(&self, body: &[u8]) -> Result<(AcmeAccountId, bool), Refused> {
        let call = Call::read(body)?;
        call.is_for(&self.acme_url(NEW))?;
        let By::Key(key) = call.by() else {
            return Err(Refused::new(Sort::Malformed, "an account is made by a key: send it as `jwk`"));
        };
        call.is_signed_by(key)?;
        self.acme_take(&call)?;
        let says: NewAccount = call.says()?;
        again!(self.acme_take_up(&says, key))
    }

    async fn acme_take_up(&self, says: &NewAccount, key: &ClientKey) -> Result<(AcmeAccountId, bool), Stop> {
        let binding = says.external_account_binding.as_ref().filter(|_| !says.only_return_existing);
        let mut left = None;
        if let Some(seen) = self.store.acme_account_with(key.thumbprint()).await? {
            if matches!(seen.value.state, AcmeState::GivenUp(_)) {
                let why = "this key was given up together with its account; make another";
                return Err(Refused::new(Sort::Unauthorized, why).into());
            }
            match (self.acme_ground(&seen.value).await, binding) {
                (Ok(_), _) => return Ok((seen.value.id, false)),
                // Somebody whose access is over and who was given some again goes on with the key they have.
                (Err(Stop::Refused(_)), Some(_)) => left = Some(seen),
                (Err(stop), _) => return Err(stop),
            }
        }
        if says.only_return_existing {
            return Err(Refused::new(Sort::AccountDoesNotExist, "no account has this key").into());
        }
        let binding = binding.ok_or_else(|| {
            let why = "an account here stands under access that somebody holds: `wane acme` gives the key identifier and \
                       the key that bind it (externalAccountBinding)";
            Refused::new(Sort::ExternalAccountRequired, why)
        })?;
        let binding = Binding::read(binding)?;
        let id: AcmeAccountId = binding.kid().parse().map_err(|_| Binding::not_good())?;
        let seen = self.store.acme_account(id).await?.ok_or_else(Binding::not_good)?;
        binding.is_good(self.acme_secret(id).expose(), &self.acme_url(NEW), key)?;
        // INVARIANT: a binding makes one account (held by `a_binding_makes_one_account`).
        if seen.value.state != AcmeState::Offered {
            self.acme_used_before(&seen.value, key).await?;
            return Err(Binding::not_good().into());
        }
        self.acme_bind(&seen, key, left).await.map(|()| (id, true))
    }

    async fn acme_bind(
        &self,
        seen: &Versioned<AcmeAccount>,
        key: &ClientKey,
        left: Option<Versioned<AcmeAccount>>,
    ) -> Result<(), Stop> {
        let ground = self.acme_ground(&seen.value).await?;
        let now = self.steady_now().await?;
        let key = AcmeKey { thumbprint: key.thumbprint().to_owned(), jwk: key.jwk().clone() };
        let mut change = self.change_at(Actor::Person(seen.value.person), &ground.world, now);
        let detail = json!({ "account": seen.value.id, "key": key.thumbprint });
        change.note("acme.account_made", Outcome::Done, about_grant(&ground.grant.value), detail);
        if let Some(left) = left {
            let value = AcmeAccount { state: AcmeState::Left, ..left.value.clone() };
            change.write(Write::AcmeAccount(Put::over(&left, value)));
        }
        let value = AcmeAccount { state: AcmeState::Taken(key), ..seen.value.clone() };
        change.write(Write::AcmeAccount(Put::over(seen, value)));
        change.write(Write::Still(ground.grant.value.id, ground.grant.generation));
        match change.commit(point!("app.acme.account.commit")).await {
            // Somebody else came with this key at the same time.
            Err(AppError::Taken(_)) => Err(AppError::Contended.into()),
            done => Ok(done.map(drop)?),
        }
    }

    /// Whoever comes with a binding that is used up has its secret: that is written down, now and then, as long as the binding
    /// could have opened something.
    async fn acme_used_before(&self, account: &AcmeAccount, key: &ClientKey) -> Result<(), Stop> {
        if account.key().is_some_and(|has| has.thumbprint == key.thumbprint()) {
            return Ok(());
        }
        let (Some(grant), now) = (self.store.grant(account.grant).await?, self.now()) else { return Ok(()) };
        // INVARIANT: however often somebody comes with it, the trail grows by so much and no more (held by
        // `a_binding_makes_one_account`).
        if self.as_it_is(grant.value.clone()).usable_until(now).is_err() || !self.rebound.tells(account.id, now) {
            return Ok(());
        }
        let mut change = self.change(Actor::Unknown, now);
        let detail = json!({ "account": account.id, "key": key.thumbprint() });
        change.note("acme.binding_refused", Outcome::Denied, about_grant(&grant.value), detail);
        Ok(change.commit(point!("app.acme.refused.commit")).await.map(drop)?)
    }

    /// Looks at an account, or gives it up; whether it stands then.
    ///
    /// # Errors
    /// When it is not the caller's.
    pub async fn acme_account(&self, body: &[u8], id: &str) -> Result<bool, Refused> {
        let asked = self.acme_asked(body, &format!("{ACCOUNTS}{id}")).await.map_err(Refused::from)?;
        asked.is_about(id)?;
        if asked.call.is_asking() || !asked.call.says::<AccountUpdate>()?.gives_up()? {
            return Ok(true);
        }
        again!(self.acme_give_up(asked.account.value.id)).map(|()| false)
    }

    async fn acme_give_up(&self, id: AcmeAccountId) -> Result<(), Stop> {
        let Some(seen) = self.store.acme_account(id).await? else { return Ok(()) };
        let AcmeState::Taken(key) = &seen.value.state else { return Ok(()) };
        let ground = self.acme_ground(&seen.value).await?;
        let mut change = self.change(Actor::Person(seen.value.person), self.now());
        change.note("acme.given_up", Outcome::Done, about_grant(&ground.grant.value), json!({ "account": id }));
        let value = AcmeAccount { state: AcmeState::GivenUp(key.clone()), ..seen.value.clone() };
        change.write(Write::AcmeAccount(Put::over(&seen, value)));
        Ok(change.commit(point!("app.acme.given_up.commit")).await.map(drop)?)
    }

    /// Has another key take the place of the one an account has.
    ///
    /// # Errors
    /// When not both keys say so, or another account has the new one: then which.
    pub async fn acme_change_key(&self, body: &[u8]) -> Result<AcmeAccountId, Refused> {
        let asked = self.acme_asked(body, CHANGE).await.map_err(Refused::from)?;
        let id = asked.account.value.id;
        let inside = asked.call.says::<serde_json::Value>()?;
        let change = Change::read(&inside, &self.acme_url(CHANGE))?;
        let key = change.takes_place_of(&self.acme_url(&format!("{ACCOUNTS}{id}")), &asked.key.thumbprint)?;
        again!(self.acme_put_key(id, &asked.key.thumbprint, &key)).map(|()| id)
    }

    async fn acme_put_key(&self, id: AcmeAccountId, old: &str, key: &ClientKey) -> Result<(), Stop> {
        if let Some(other) = self.store.acme_account_with(key.thumbprint()).await? {
            let at = Some(self.acme_url(&format!("{ACCOUNTS}{}", other.value.id)));
            let refused = Refused::new(Sort::Conflict, "an account has this key already; make another");
            return Err(Refused { at, ..refused }.into());
        }
        let none = || Refused::new(Sort::AccountDoesNotExist, "there is no such account");
        let seen = self.store.acme_account(id).await?.ok_or_else(none)?;
        if !matches!(&seen.value.state, AcmeState::Taken(has) if has.thumbprint == old) {
            return Err(Refused::new(Sort::Unauthorized, "the account has another key by now, or was given up").into());
        }
        let ground = self.acme_ground(&seen.value).await?;
        let key = AcmeKey { thumbprint: key.thumbprint().to_owned(), jwk: key.jwk().clone() };
        let mut change = self.change(Actor::Person(seen.value.person), self.now());
        let detail = json!({ "account": id, "from": old, "to": key.thumbprint });
        change.note("acme.key_changed", Outcome::Done, about_grant(&ground.grant.value), detail);
        let value = AcmeAccount { state: AcmeState::Taken(key), ..seen.value.clone() };
        change.write(Write::AcmeAccount(Put::over(&seen, value)));
        match change.commit(point!("app.acme.key.commit")).await {
            Err(AppError::Taken(_)) => Err(AppError::Contended.into()),
            done => Ok(done.map(drop)?),
        }
    }
}

impl Asked {
    /// Whether what is asked for is the caller's own account.
    pub(super) fn is_about(&self, id: &str) -> Result<(), Refused> {
        if self.account.value.id.to_string() == id {
            return Ok(());
        }
        Err(Refused::new(Sort::Unauthorized, "this is another account's"))
    }
}
