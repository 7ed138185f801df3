//! Bindings: what a client of ACME is given so that its account stands under a grant.

use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use wane_audit::{Actor, Outcome};
use wane_connector::CertNames;
use wane_domain::grant::GrantState;
use wane_domain::id::{AcmeAccountId, GrantId};
use wane_domain::secret::SecretOnce;
use wane_domain::time::{Span, Time};
use wane_failpoint::point;
use wane_store::{AcmeAccount, AcmeState, Put, Write};

use crate::caller::Caller;
use crate::change::about_grant;
use crate::error::AppError;
use crate::{App, decide};

/// Bindings under one grant, used or not.
const MOST: usize = 32;
/// For how long after its grant an account is told why it is over.
const KEPT: Span = Span::from_hours(30 * 24);

/// A binding.
#[derive(Debug)]
pub struct AcmeOffered {
    /// Its key identifier, which becomes the account's.
    pub account: AcmeAccountId,
    /// Its secret, once: base64url of 32 bytes.
    pub secret: SecretOnce,
    /// What certificates can be ordered for.
    pub names: Vec<String>,
    /// When the grant ends, and with it whatever is bound so.
    pub until: Time,
    /// Where the client begins.
    pub directory: String,
}

impl App {
    /// Hands out a binding under a grant, activating it if need be.
    ///
    /// # Errors
    /// When the grant is not the caller's or not usable, policy refuses, or nothing can be ordered under it.
    pub async fn acme_offer(&self, caller: &Caller, id: GrantId) -> Result<AcmeOffered, AppError> {
        if caller.job.is_some() {
            return Err(AppError::NotAllowed { what: "bind clients of ACME: a job gets its certificates itself" });
        }
        let (account, names, until) = decide!(self.acme_begin(caller, id))?;
        // An end may have come from memory while the store was at work on this.
        self.still_stands(id)?;
        let secret = SecretOnce::new(BASE64URL_NOPAD.encode(self.acme_secret(account).expose()));
        let names = names.dns.into_iter().chain(names.ip.iter().map(ToString::to_string)).collect();
        Ok(AcmeOffered { account, secret, names, until, directory: self.acme_url("/acme/directory") })
    }

    async fn acme_begin(&self, caller: &Caller, id: GrantId) -> Result<(AcmeAccountId, CertNames, Time), AppError> {
        let world = self.world().await?;
        let mut seen = self.held_grant(caller, &world, id).await?;
        if matches!(seen.value.state, GrantState::Scheduled) {
            self.activate(caller, id).await?;
            seen = self.held_grant(caller, &world, id).await?;
        }
        let now = self.steady_now().await?;
        let grant = &seen.value;
        let until = grant.usable_until(now)?;
        self.permit_to_use(caller, &world, grant, now).await?;
        let (resource, role) = self.grant_parts(&world, grant)?;
        let nothing = |why: String| AppError::invalid("grant", why);
        let acme = self.kind(&resource.kind)?.acme();
        let acme = acme.ok_or_else(|| nothing(format!("nothing can be ordered over ACME on `{}`", resource.name)))?;
        let names = acme.names(&role.definition)?;
        if names == CertNames::default() {
            let why = format!("`{}` gives certificates for no names; ACME is for servers, by their names", role.name);
            return Err(nothing(why));
        }
        if self.store.acme_accounts(id).await?.len() >= MOST {
            let why =
                format!("{MOST} bindings were handed out under this grant, which is the most; ask for access again");
            return Err(AppError::Taken(why));
        }
        let account = AcmeAccount {
            id: self.ambient.id(),
            grant: id,
            person: caller.person,
            at: now,
            proved: caller.proved,
            proof: caller.proof.clone(),
            forget: until.plus(KEPT),
            state: AcmeState::Offered,
        };
        let account_id = account.id;
        let mut change = self.change_at(Actor::Person(caller.person), &world, now);
        change.note(
            "acme.offered",
            Outcome::Done,
            about_grant(grant),
            json!({ "account": account_id, "until": until }),
        );
        change.write(Write::ForgetAcme(now));
        change.write(Write::AcmeAccount(Put::new(account)));
        // A grant that ended meanwhile makes this conflict.
        change.write(Write::Still(id, seen.generation));
        change.commit(point!("app.acme.offer.commit")).await?;
        Ok((account_id, names, until))
    }
}
